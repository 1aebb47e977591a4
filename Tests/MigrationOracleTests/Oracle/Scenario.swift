import Migrations
import Testing

@testable import MigrationOracle

/// A schema, a migration, and what an old version sends: what comes of it is known.
struct Scenario: Sendable, CustomTestStringConvertible {
  var name: String
  var migration: String
  var statement: String
  var expected: Expected
  var types: [UInt32] = []
  var samples: [[SampleValue]] = []
  /// nil leaves the role to the oracle.
  var role: String? = "app"
  var history = Scenario.shop

  enum Expected: Sendable {
    /// With the server's code, or a rule where the server says nothing.
    case breaks(String)
    case safe
    case hazard(String)
  }

  var testDescription: String { name }

  init(
    _ name: String, migration: String, sends statement: String, _ expected: Expected, types: [UInt32] = [],
    samples: [[SampleValue]] = [], role: String? = "app", history: String = Scenario.shop
  ) {
    self.name = name
    self.migration = migration
    self.statement = statement
    self.expected = expected
    self.types = types
    self.samples = samples
    self.role = role
    self.history = history
  }

  var question: OracleQuestion {
    let captured = CapturedStatement(
      fingerprint: SQLParser.fingerprint(statement), text: statement, parameterTypes: types, samples: samples,
      source: .proxy)
    return OracleQuestion(
      history: [MigrationFile(path: "0001_shop.sql", text: history)],
      migration: [MigrationFile(path: "0002_change.sql", text: migration)],
      old: [StatementSet(version: "v1", statements: [captured])], role: role)
  }

  /// A small shop, whose application is not its owner.
  static let shop = """
    CREATE TYPE state AS ENUM ('new', 'paid', 'sent');
    CREATE TABLE customers (
      id bigserial PRIMARY KEY,
      email text NOT NULL,
      name varchar(50),
      handle text,
      age integer,
      legacy text,
      country text NOT NULL DEFAULT 'DE',
      CONSTRAINT customers_email_key UNIQUE (email)
    );
    CREATE UNIQUE INDEX customers_handle ON customers (handle);
    CREATE TABLE former_customers (LIKE customers);
    CREATE TABLE orders (
      id bigserial PRIMARY KEY,
      customer_id bigint NOT NULL REFERENCES customers (id),
      courier_id bigint,
      state state NOT NULL DEFAULT 'new',
      total integer NOT NULL,
      note text,
      placed timestamptz NOT NULL DEFAULT now()
    );
    CREATE TABLE couriers (id bigserial PRIMARY KEY, label text NOT NULL);
    CREATE VIEW customer_cards AS SELECT id, email, country FROM customers;
    CREATE FUNCTION rebate(amount integer) RETURNS integer LANGUAGE sql AS 'SELECT amount / 10';
    CREATE FUNCTION latest_total(customer bigint) RETURNS integer LANGUAGE plpgsql AS $$
    BEGIN
      RETURN (SELECT o.total FROM orders o WHERE o.customer_id = customer ORDER BY o.placed DESC LIMIT 1);
    END $$;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app;
    """
}
