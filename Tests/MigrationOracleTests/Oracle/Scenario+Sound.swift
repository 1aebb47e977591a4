extension Scenario {
  /// Migrations that every live version survives.
  static let safe: [Scenario] = [
    Scenario(
      "a table is renamed and a view with grants takes its name",
      migration: """
        ALTER TABLE couriers RENAME TO carriers; CREATE VIEW couriers AS SELECT * FROM carriers;
        GRANT SELECT, INSERT, UPDATE, DELETE ON couriers, carriers TO app;
        """, sends: "INSERT INTO couriers (label) VALUES ($1) RETURNING id", .safe),
    Scenario(
      "a column that nobody uses is dropped", migration: "ALTER TABLE customers DROP COLUMN legacy;",
      sends: "SELECT id, email FROM customers WHERE handle = $1", .safe),
    Scenario(
      "a nullable column comes along", migration: "ALTER TABLE customers ADD COLUMN phone text;",
      sends: "SELECT * FROM customers WHERE id = $1", .safe),
    Scenario(
      "a column with a default comes along",
      migration: "ALTER TABLE customers ADD COLUMN level integer NOT NULL DEFAULT 0;",
      sends: "INSERT INTO customers (email, name) VALUES ($1, $2)", .safe),
    Scenario(
      "an INSERT without a list of columns meets a column more",
      migration: "ALTER TABLE couriers ADD COLUMN area text;",
      sends: "INSERT INTO couriers VALUES ($1, $2)", .safe),
    Scenario(
      "an index is built concurrently", migration: "CREATE INDEX CONCURRENTLY orders_placed ON orders (placed);",
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .safe),
    Scenario(
      "rows are filled in", migration: "UPDATE orders SET note = '' WHERE note IS NULL;",
      sends: "UPDATE orders SET note = $1 WHERE id = $2", .safe),
    Scenario(
      "a new table that refers to an old one",
      migration: "CREATE TABLE baskets (id bigserial PRIMARY KEY, customer_id bigint REFERENCES customers (id));",
      sends: "DELETE FROM former_customers WHERE id = $1", .safe),
    Scenario(
      "a text column widens", migration: "ALTER TABLE customers ALTER COLUMN name TYPE text;",
      sends: "SELECT name FROM customers WHERE id = $1", .safe),
    Scenario(
      "a NOT NULL that a recording shows to be kept", migration: "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
      sends: "UPDATE orders SET note = 'seen' WHERE id = $1", .safe),
    Scenario(
      "an application that owns its tables gets a new one",
      migration: "CREATE TABLE baskets (id bigserial PRIMARY KEY); ALTER TABLE customers ADD COLUMN basket bigint"
        + " REFERENCES baskets (id);",
      sends: "UPDATE customers SET email = $1 WHERE id = $2", .safe, role: nil,
      history: "CREATE TABLE customers (id bigserial PRIMARY KEY, email text UNIQUE);"),
  ]

  /// Migrations after which new code may write what old code cannot read.
  static let hazards: [Scenario] = [
    Scenario(
      "an enum gets a label", migration: "ALTER TYPE state ADD VALUE 'lost';",
      sends: "SELECT id, state FROM orders WHERE id = $1", .hazard("enum-label-added")),
    Scenario(
      "an integer widens", migration: "ALTER TABLE customers ALTER COLUMN age TYPE bigint;",
      sends: "SELECT age FROM customers WHERE id = $1", .hazard("type-widened")),
    Scenario(
      "a NOT NULL is dropped", migration: "ALTER TABLE orders ALTER COLUMN total DROP NOT NULL;",
      sends: "SELECT total FROM orders WHERE id = $1", .hazard("not-null-dropped")),
    Scenario(
      "a foreign key is dropped", migration: "ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey;",
      sends: "SELECT o.customer_id, c.email FROM orders o JOIN customers c ON c.id = o.customer_id",
      .hazard("foreign-key-dropped")),
    Scenario(
      "a length grows", migration: "ALTER TABLE customers ALTER COLUMN name TYPE varchar(200);",
      sends: "SELECT name FROM customers", .hazard("type-widened")),
    Scenario(
      "NULL is refused, and the recordings never show it",
      migration: "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
      sends: "UPDATE orders SET note = $1 WHERE id = $2", .hazard("sqlstate-23502"),
      samples: [
        [.text("a"), .text("1")], [.text("b"), .text("2")], [.redacted(bytes: 7), .text("3")],
      ]),
    Scenario(
      "an enum gets a label that nobody reads", migration: "ALTER TYPE state ADD VALUE 'lost';",
      sends: "SELECT id FROM orders WHERE id = $1", .safe),
  ]
}
