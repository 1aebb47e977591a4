extension Scenario {
  /// Migrations that a live version does not survive (research §2.3 and more).
  static let breaks: [Scenario] = [
    Scenario(
      "a used column is dropped", migration: "ALTER TABLE customers DROP COLUMN legacy;",
      sends: "SELECT legacy FROM customers WHERE id = $1", .breaks("42703")),
    Scenario(
      "a used column is renamed", migration: "ALTER TABLE customers RENAME COLUMN name TO full_name;",
      sends: "UPDATE customers SET name = $1 WHERE id = $2", .breaks("42703")),
    Scenario(
      "a used table is dropped", migration: "DROP TABLE couriers;", sends: "SELECT id, label FROM couriers",
      .breaks("42P01")),
    Scenario(
      "a used table is renamed", migration: "ALTER TABLE couriers RENAME TO carriers;",
      sends: "INSERT INTO couriers (label) VALUES ($1)", .breaks("42P01")),
    Scenario(
      "a table is renamed and a view without grants takes its name",
      migration: "ALTER TABLE couriers RENAME TO carriers; CREATE VIEW couriers AS SELECT * FROM carriers;",
      sends: "SELECT label FROM couriers", .breaks("42501")),
    Scenario(
      "a view loses a column",
      migration: "DROP VIEW customer_cards; CREATE VIEW customer_cards AS SELECT id, email FROM customers;"
        + " GRANT SELECT ON customer_cards TO app;",
      sends: "SELECT country FROM customer_cards", .breaks("42703")),
    Scenario(
      "a table moves to another schema", migration: "CREATE SCHEMA archive; ALTER TABLE couriers SET SCHEMA archive;",
      sends: "SELECT label FROM couriers", .breaks("42P01")),
    Scenario(
      "a number becomes text", migration: "ALTER TABLE customers ALTER COLUMN age TYPE text;",
      sends: "SELECT id FROM customers WHERE age = $1", .breaks("42883"), types: [23]),
    Scenario(
      "a function changes its signature",
      migration: "DROP FUNCTION rebate(integer); CREATE FUNCTION rebate(amount integer, rate integer) RETURNS integer"
        + " LANGUAGE sql AS 'SELECT amount / rate';",
      sends: "SELECT rebate(total) FROM orders", .breaks("42883")),
    Scenario(
      "an enum's label is renamed", migration: "ALTER TYPE state RENAME VALUE 'paid' TO 'settled';",
      sends: "UPDATE orders SET state = 'paid' WHERE id = $1", .breaks("22P02")),
    Scenario(
      "an identity becomes ALWAYS",
      migration: "ALTER TABLE couriers ALTER COLUMN id DROP DEFAULT;"
        + " ALTER TABLE couriers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;",
      sends: "INSERT INTO couriers (id, label) VALUES ($1, $2)", .breaks("428C9")),
    Scenario(
      "a column becomes generated",
      migration: "ALTER TABLE customers DROP COLUMN handle;"
        + " ALTER TABLE customers ADD COLUMN handle text GENERATED ALWAYS AS (lower(email)) STORED;",
      sends: "UPDATE customers SET handle = $1 WHERE id = $2", .breaks("428C9")),
    Scenario(
      "a column that came along makes a name ambiguous", migration: "ALTER TABLE couriers ADD COLUMN note text;",
      sends: "SELECT note FROM orders JOIN couriers ON couriers.id = orders.courier_id", .breaks("42702")),
    Scenario(
      "a column that came along breaks a UNION", migration: "ALTER TABLE customers ADD COLUMN phone text;",
      sends: "SELECT * FROM customers UNION ALL SELECT * FROM former_customers", .breaks("42601")),
    Scenario(
      "an overload makes a call ambiguous",
      migration: "CREATE FUNCTION rebate(amount integer, rate integer DEFAULT 10) RETURNS integer LANGUAGE sql AS"
        + " 'SELECT amount / rate';",
      sends: "SELECT rebate(total) FROM orders", .breaks("42725")),
    Scenario(
      "the unique constraint behind ON CONFLICT is dropped",
      migration: "ALTER TABLE customers DROP CONSTRAINT customers_email_key;",
      sends: "INSERT INTO customers (email) VALUES ($1) ON CONFLICT (email) DO NOTHING", .breaks("42P10")),
    Scenario(
      "the unique index behind ON CONFLICT is dropped concurrently",
      migration: "DROP INDEX CONCURRENTLY customers_handle;",
      sends: "INSERT INTO customers (email, handle) VALUES ($1, $2) ON CONFLICT (handle) DO UPDATE SET email = $1",
      .breaks("42P10")),
    Scenario(
      "the application's role loses a right", migration: "REVOKE UPDATE ON orders FROM app;",
      sends: "UPDATE orders SET note = $1 WHERE id = $2", .breaks("42501")),
    Scenario(
      "a right is lost though the role was not named", migration: "REVOKE UPDATE ON orders FROM app;",
      sends: "UPDATE orders SET note = $1 WHERE id = $2", .breaks("42501"), role: nil),
    Scenario(
      "a required column comes along",
      migration: "DELETE FROM orders; DELETE FROM customers; ALTER TABLE customers ADD COLUMN phone text NOT NULL;",
      sends: "INSERT INTO customers (email) VALUES ($1)", .breaks("23502")),
    Scenario(
      "a column that is left out becomes NOT NULL",
      migration: "UPDATE customers SET age = 1; ALTER TABLE customers ALTER COLUMN age SET NOT NULL;",
      sends: "INSERT INTO customers (email) VALUES ($1)", .breaks("23502")),
    Scenario(
      "a column that may be sent as NULL becomes NOT NULL",
      migration: "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
      sends: "UPDATE orders SET note = $1 WHERE id = $2", .breaks("23502")),
    Scenario(
      "a default is dropped", migration: "ALTER TABLE customers ALTER COLUMN country DROP DEFAULT;",
      sends: "INSERT INTO customers (email) VALUES ($1)", .breaks("23502")),
    Scenario(
      "a check that holds for new rows alone",
      migration: "ALTER TABLE orders ADD CONSTRAINT orders_total CHECK (total > 0) NOT VALID;",
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .breaks("23514")),
    Scenario(
      "a check on a text that names its values",
      migration: "ALTER TABLE customers ADD CONSTRAINT country CHECK (country IN ('DE', 'AT')) NOT VALID;",
      sends: "UPDATE customers SET country = $2 WHERE email = $1", .breaks("23514")),
    Scenario(
      "a check that a literal breaks",
      migration: "ALTER TABLE orders ADD CONSTRAINT noted CHECK (note <> 'none') NOT VALID;",
      sends: "UPDATE orders SET note = 'none' WHERE id = $1", .breaks("23514")),
    Scenario(
      "a unique index is built concurrently",
      migration: "CREATE UNIQUE INDEX CONCURRENTLY former_email ON former_customers (email);",
      sends: "INSERT INTO former_customers (id, email, country) VALUES ($1, $2, $3)", .breaks("23505")),
    Scenario(
      "a unique index meets an update", migration: "CREATE UNIQUE INDEX couriers_label ON couriers (label);",
      sends: "UPDATE couriers SET label = $1 WHERE id = $2", .breaks("23505")),
    Scenario(
      "a foreign key that holds for new rows alone",
      migration: "ALTER TABLE orders ADD FOREIGN KEY (courier_id) REFERENCES couriers (id) NOT VALID;",
      sends: "UPDATE orders SET courier_id = $1 WHERE id = $2", .breaks("23503")),
    Scenario(
      "a foreign key keeps rows from being deleted",
      migration: "CREATE TABLE ratings (courier_id bigint REFERENCES couriers (id));"
        + " INSERT INTO ratings SELECT id FROM couriers;",
      sends: "DELETE FROM couriers WHERE id = $1", .breaks("23503")),
    Scenario(
      "row security without a policy refuses writes", migration: "ALTER TABLE couriers ENABLE ROW LEVEL SECURITY;",
      sends: "INSERT INTO couriers (label) VALUES ($1)", .breaks("42501")),
    Scenario(
      "row security without a policy hides rows", migration: "ALTER TABLE couriers ENABLE ROW LEVEL SECURITY;",
      sends: "SELECT label FROM couriers WHERE id = $1", .breaks("row-security-hides-rows")),
    Scenario(
      "a text column shrinks", migration: "ALTER TABLE customers ALTER COLUMN name TYPE varchar(20);",
      sends: "UPDATE customers SET name = $1 WHERE id = $2", .breaks("22001")),
    Scenario(
      "a trigger refuses",
      migration: """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;
        CREATE TRIGGER orders_closed BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION refuse();
        """, sends: "UPDATE orders SET note = $1 WHERE id = $2", .breaks("P0001")),
    Scenario(
      "a trigger refuses an update that finds no row of the shadow",
      migration: """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;
        CREATE TRIGGER orders_closed BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION refuse();
        """, sends: "UPDATE orders SET note = $1 WHERE note = 'of no row' AND state = 'sent'", .breaks("P0001")),
    Scenario(
      "a type is dropped with its columns", migration: "DROP TYPE state CASCADE;",
      sends: "INSERT INTO orders (customer_id, state, total) VALUES ($1, $2, $3)", .breaks("42703")),
    Scenario(
      "a function's body loses its column", migration: "ALTER TABLE orders RENAME COLUMN total TO amount;",
      sends: "SELECT latest_total($1)", .breaks("42703")),
    Scenario(
      "a star loses a column", migration: "ALTER TABLE customers DROP COLUMN legacy;",
      sends: "SELECT * FROM customers WHERE id = $1", .breaks("result-column-lost")),
    Scenario(
      "COPY names a dropped column", migration: "ALTER TABLE customers DROP COLUMN legacy;",
      sends: "COPY customers (email, legacy) FROM STDIN", .breaks("42703")),
    Scenario(
      "rows in bulk meet a required column",
      migration: "DELETE FROM orders; DELETE FROM couriers; ALTER TABLE couriers ADD COLUMN area text NOT NULL;",
      sends: "INSERT INTO couriers (label) SELECT * FROM unnest($1::text[])", .breaks("23502")),
  ]
}
