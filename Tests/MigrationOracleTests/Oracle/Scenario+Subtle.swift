extension Scenario {
  /// Breaks that no single execution with ordinary values shows, each beside its twin in `subtleSafe`.
  static let subtleBreaks: [Scenario] = [
    Scenario(
      "bookings may no longer overlap", migration: overlap,
      sends: "INSERT INTO bookings (room, during) VALUES ($1, $2)", .breaks("23P01"), role: nil, history: bookings),
    Scenario(
      "NULL comes out of an expression", migration: "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
      sends: "UPDATE orders SET note = NULLIF($1, '') WHERE id = $2", .breaks("23502")),
    Scenario(
      "NULL comes out of another table",
      migration: "ALTER TABLE former_customers ALTER COLUMN handle SET NOT NULL;",
      sends:
        "INSERT INTO former_customers (id, email, handle, country) SELECT id, email, handle, country FROM customers",
      .breaks("23502")),
    Scenario(
      "a whole row comes out of another table",
      migration: "ALTER TABLE former_customers ALTER COLUMN age SET NOT NULL;",
      sends: "INSERT INTO former_customers SELECT * FROM customers WHERE id = $1", .breaks("23502")),
    Scenario(
      "a value of another table meets a check",
      migration: "ALTER TABLE former_customers ADD CHECK (age < 150) NOT VALID;",
      sends: "INSERT INTO former_customers (id, email, age, country) SELECT id, email, age, country FROM customers",
      .breaks("23514")),
    Scenario(
      "rows meet under a partial index", migration: oneOpen, sends: "UPDATE orders SET state = $1 WHERE id = $2",
      .breaks("23505")),
    Scenario(
      "rows meet under a partial index by a constant",
      migration: oneOpen, sends: "UPDATE orders SET state = 'new' WHERE id = $1", .breaks("23505")),
    Scenario(
      "strings that a recording has masked, of a column that goes", migration: "ALTER TABLE orders DROP COLUMN state;",
      sends: "UPDATE orders SET note = '***' WHERE id = $1 AND state = '***'", .breaks("42703")),
    Scenario(
      "rows meet under an expression", migration: "CREATE UNIQUE INDEX couriers_label ON couriers (lower(label));",
      sends: "INSERT INTO couriers (label) VALUES (trim($1))", .breaks("23505")),
    Scenario(
      "a default meets itself", migration: "CREATE UNIQUE INDEX customers_of ON customers (country, name);",
      sends: "INSERT INTO customers (email, name) VALUES ($1, $2)", .breaks("23505")),
    Scenario(
      "a new key holds a row that is deleted",
      migration: "ALTER TABLE orders ADD FOREIGN KEY (courier_id) REFERENCES couriers (id);",
      sends: "DELETE FROM couriers WHERE id = $1", .breaks("23503")),
    Scenario(
      "a new key that is not validated holds a row that is deleted",
      migration: "ALTER TABLE orders ADD FOREIGN KEY (courier_id) REFERENCES couriers (id) NOT VALID;",
      sends: "DELETE FROM couriers WHERE id = $1", .breaks("23503")),
    Scenario(
      "a trigger swallows the row", migration: trigger("RETURN NULL;"),
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .breaks("write-does-nothing")),
    Scenario(
      "a trigger swallows some rows", migration: trigger("IF new.total = 4711 THEN RETURN NULL; END IF; RETURN new;"),
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .breaks("write-does-nothing")),
    Scenario(
      "a rule swallows the row", migration: "CREATE RULE closed AS ON INSERT TO couriers DO INSTEAD NOTHING;",
      sends: "INSERT INTO couriers (label) VALUES ($1)", .breaks("write-does-nothing")),
    Scenario(
      "a trigger refuses one value",
      migration: trigger("IF new.total = 4711 THEN RAISE EXCEPTION 'no'; END IF; RETURN new;"),
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .breaks("P0001")),
    Scenario(
      "a trigger refuses a delete that old keys would have stopped",
      migration: """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'closed'; END $$;
        CREATE TRIGGER stay BEFORE DELETE ON customers FOR EACH ROW EXECUTE FUNCTION refuse();
        """, sends: "DELETE FROM customers WHERE id = $1", .breaks("P0001")),
    Scenario(
      "values move to other columns",
      migration: "ALTER TABLE couriers ADD COLUMN area text; ALTER TABLE couriers DROP COLUMN label;",
      sends: "INSERT INTO couriers VALUES ($1, $2)", .breaks("values-move")),
    Scenario(
      "COPY has a value too few", migration: "ALTER TABLE couriers ADD COLUMN area text;",
      sends: "COPY couriers FROM STDIN", .breaks("sqlstate-22P04")),
    Scenario(
      "a sequence that is named by a value is renamed", migration: "ALTER SEQUENCE numbers RENAME TO figures;",
      sends: "SELECT nextval($1::regclass)", .breaks("42P01"), role: nil, history: "CREATE SEQUENCE numbers;"),
    Scenario(
      "a sequence that a recording names is renamed",
      migration: "ALTER SEQUENCE orders_id_seq RENAME TO order_numbers;",
      sends: "SELECT nextval($1::regclass)", .breaks("42P01"), samples: [[.text("orders_id_seq")]]),
  ]

  /// The same migrations written so that the versions bear them, or statements that do not meet them.
  static let subtleSafe: [Scenario] = [
    Scenario(
      "bookings of no time cannot overlap", migration: overlap,
      sends: "INSERT INTO bookings (room, during) VALUES ($1, 'empty')", .safe, role: nil, history: bookings),
    Scenario(
      "no NULL comes out of an expression", migration: "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
      sends: "UPDATE orders SET note = COALESCE(NULLIF($1, ''), '-') WHERE id = $2", .safe),
    Scenario(
      "no NULL comes out of another table",
      migration: "ALTER TABLE former_customers ALTER COLUMN handle SET NOT NULL;",
      sends:
        "INSERT INTO former_customers (id, email, handle, country) SELECT id, email, email, country FROM customers",
      .safe),
    Scenario(
      "strings that a recording has masked", migration: "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
      sends: "UPDATE orders SET note = '***', placed = now() - interval '***' WHERE id = $1 AND state = '***'", .safe),
    Scenario(
      "a write whose rows the migration has moved on", migration: "UPDATE orders SET state = 'sent';",
      sends: "UPDATE orders SET note = $1 WHERE state = 'new'", .safe),
    Scenario(
      "an update beside a partial index", migration: oneOpen, sends: "UPDATE orders SET note = $1 WHERE id = $2", .safe),
    Scenario(
      "an update out of a partial index", migration: oneOpen, sends: "UPDATE orders SET state = 'sent' WHERE id = $1",
      .safe),
    Scenario(
      "rows that a sequence tells apart", migration: "CREATE UNIQUE INDEX couriers_label ON couriers (id, label);",
      sends: "INSERT INTO couriers (label) VALUES (trim($1))", .safe),
    Scenario(
      "rows that their time tells apart", migration: "CREATE UNIQUE INDEX orders_of ON orders (customer_id, placed);",
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .safe),
    Scenario(
      "a new key lets go of a row that is deleted",
      migration: "ALTER TABLE orders ADD FOREIGN KEY (courier_id) REFERENCES couriers (id) ON DELETE SET NULL;",
      sends: "DELETE FROM couriers WHERE id = $1", .safe),
    Scenario(
      "a trigger passes the row on", migration: trigger("RETURN new;"),
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, $2)", .safe),
    Scenario(
      "a trigger refuses a value that is not written",
      migration: trigger("IF new.total = 4711 THEN RAISE EXCEPTION 'no'; END IF; RETURN new;"),
      sends: "INSERT INTO orders (customer_id, total) VALUES ($1, 5)", .safe),
    Scenario(
      "a delete that the shadow's own rows stop", migration: "ALTER TABLE customers ADD COLUMN phone text;",
      sends: "DELETE FROM customers WHERE id = $1", .safe),
    Scenario(
      "a column is made anew at its place",
      migration: "ALTER TABLE couriers DROP COLUMN label; ALTER TABLE couriers ADD COLUMN label text;",
      sends: "INSERT INTO couriers VALUES ($1, $2)", .safe),
    Scenario(
      "COPY names its columns", migration: "ALTER TABLE couriers ADD COLUMN area text;",
      sends: "COPY couriers (id, label) FROM STDIN", .safe),
    Scenario(
      "COPY without columns beside the migration", migration: "ALTER TABLE customers ADD COLUMN phone text;",
      sends: "COPY couriers FROM STDIN", .safe),
    Scenario(
      "another sequence answers to the name",
      migration: "ALTER SEQUENCE numbers RENAME TO figures; CREATE SEQUENCE numbers;",
      sends: "SELECT nextval($1::regclass)", .safe, role: nil, history: "CREATE SEQUENCE numbers;"),
    Scenario(
      "a result that names its columns",
      migration: "ALTER TABLE customers DROP COLUMN name; ALTER TABLE customers ADD COLUMN name varchar(50);",
      sends: "SELECT id, name, email FROM customers WHERE id = $1", .safe),
    Scenario(
      "a column that loses its default is written", migration: lostDefault,
      sends: "INSERT INTO customers (email, legacy) VALUES ($1, $2)", .safe, history: withDefault),
    Scenario(
      "a new table lets go of a row that is deleted",
      migration: "CREATE TABLE tours (id bigserial, courier_id bigint REFERENCES couriers (id) ON DELETE CASCADE);",
      sends: "DELETE FROM couriers WHERE id = $1", .safe),
  ]

  static let subtleHazards: [Scenario] = [
    Scenario(
      "a star's columns come in another order",
      migration: "ALTER TABLE customers DROP COLUMN name; ALTER TABLE customers ADD COLUMN name varchar(50);",
      sends: "SELECT * FROM customers WHERE id = $1", .hazard("result-order-changed")),
    Scenario(
      "one of many sequences is renamed", migration: "ALTER SEQUENCE orders_id_seq RENAME TO order_numbers;",
      sends: "SELECT nextval($1::regclass)", .hazard("sqlstate-42P01")),
    Scenario(
      "a column that loses its default is left out", migration: lostDefault,
      sends: "INSERT INTO customers (email) VALUES ($1)", .hazard("default-dropped"), history: withDefault),
    Scenario(
      "a new table will hold a row that is deleted",
      migration: "CREATE TABLE tours (id bigserial, courier_id bigint REFERENCES couriers (id));",
      sends: "DELETE FROM couriers WHERE id = $1", .hazard("new-reference")),
  ]

  private static let bookings =
    "CREATE TABLE bookings (id bigserial PRIMARY KEY, room integer NOT NULL, during int4range NOT NULL);"
  private static let overlap = "ALTER TABLE bookings ADD EXCLUDE USING gist (during WITH &&);"
  private static let oneOpen = "CREATE UNIQUE INDEX one_open ON orders (courier_id) WHERE state = 'new';"
  private static let lostDefault = "ALTER TABLE customers ALTER COLUMN legacy DROP DEFAULT;"
  private static let withDefault = shop + "\nALTER TABLE customers ALTER COLUMN legacy SET DEFAULT 'none';"

  private static func trigger(_ body: String) -> String {
    """
    CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(body) END $$;
    CREATE TRIGGER orders_look BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION look();
    """
  }
}
