import Kernel
import Migrations
import MigrationOracle
import Simulator

/// The one table that two simulated services live on, as SQL: the simulator's column numbers have names, types and
/// values here, its steps are migrations, and what a version reads and writes are statements.
enum OrdersTable {
  /// Whose the table is, who migrates.
  static let owner = "deployer"
  /// Whom the applications connect as.
  static let role = "app"

  struct Column {
    let name: String
    let type: String
    /// The OID of the type, as a client's driver sends it.
    let oid: UInt32
    let value: String

    init(_ name: String, _ type: String, _ oid: UInt32, _ value: String) {
      self.name = name
      self.type = type
      self.oid = oid
      self.value = value
    }
  }

  /// The first three are there from the start; changes add and drop the others.
  private static let columns = [
    Column("customer", "text", 25, "Ada"), Column("berth", "integer", 23, "7"),
    Column("cargo", "text", 25, "tea"), Column("status", "text", 25, "open"),
    Column("amount", "numeric(12,2)", 1700, "12.50"),
    Column("placed_at", "timestamptz", 1184, "2026-01-06 09:00:00+00"),
    Column("is_gift", "boolean", 16, "t"), Column("weight", "double precision", 701, "1.5"),
    Column("barcode", "uuid", 2950, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"),
  ]

  static func column(_ number: Int) -> Column {
    columns.indices.contains(number) ? columns[number] : Column("column_\(number)", "text", 25, "x")
  }

  // MARK: Migrations

  /// As the base migration's file has it.
  static let base = """
    CREATE TABLE orders (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      customer text NOT NULL,
      berth integer,
      cargo text
    );
    GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO \(role);
    INSERT INTO orders (customer, berth, cargo) VALUES ('Grace', 3, 'coffee'), ('Alan', NULL, NULL);

    """

  static func text(of steps: [SimulatedSchema.Step]) -> String {
    steps.map(text).joined(separator: "\n") + "\n"
  }

  private static func text(of step: SimulatedSchema.Step) -> String {
    switch step {
    case .add(let number):
      let column = column(number)
      // Now and then with an index, which goes with the column.
      let index = number.isMultiple(of: 3) ? "\nCREATE INDEX orders_\(column.name) ON orders (\(column.name));" : ""
      return "ALTER TABLE orders ADD COLUMN \(column.name) \(column.type);\(index)"
    case .drop(let number): return "ALTER TABLE orders DROP COLUMN \(column(number).name);"
    case .require(let number):
      let column = column(number)
      return """
        UPDATE orders SET \(column.name) = '\(column.value)' WHERE \(column.name) IS NULL;
        ALTER TABLE orders ALTER COLUMN \(column.name) SET NOT NULL;
        """
    case .relax(let number): return "ALTER TABLE orders ALTER COLUMN \(column(number).name) DROP NOT NULL;"
    }
  }

  // MARK: Statements

  struct Statement: Equatable {
    var text: String
    var types: [UInt32]
    var values: [String]

    /// As a driver sends it.
    var messages: [PostgresConnection.Message] {
      [.prepare(name: "", text: text, types: types), .execute(name: "", parameters: values)]
    }
  }

  /// A statement for each column that is read, one that writes a row with all that is written, one that changes each of
  /// them, and one that takes old rows away.
  static func statements(_ version: SimulatedStatements) -> [Statement] {
    let written = version.writes.sorted().map(column)
    let places = written.indices.map { "$\($0 + 1)" }.joined(separator: ", ")
    let insert = Statement(
      text: "INSERT INTO orders (\(written.map(\.name).joined(separator: ", "))) VALUES (\(places)) RETURNING id",
      types: written.map(\.oid), values: written.map(\.value))
    let updates = written.map {
      Statement(text: "UPDATE orders SET \($0.name) = $1 WHERE id = $2", types: [$0.oid, 20], values: [$0.value, "1"])
    }
    let delete = Statement(text: "DELETE FROM orders WHERE id < $1", types: [20], values: ["-1"])
    return version.reads.sorted().map { read($0) } + [insert] + updates + [delete]
  }

  /// Each column in a way of its own.
  private static func read(_ number: Int) -> Statement {
    let column = column(number)
    switch number % 4 {
    case 0:
      return Statement(text: "SELECT id, \(column.name) FROM orders WHERE id = $1", types: [20], values: ["1"])
    case 1:
      return Statement(
        text: "SELECT count(*) FROM orders WHERE \(column.name) = $1", types: [column.oid], values: [column.value])
    case 2:
      return Statement(
        text: "SELECT \(column.name), count(*) FROM orders GROUP BY \(column.name) ORDER BY 2 DESC LIMIT $1",
        types: [20],
        values: ["10"])
    default:
      return Statement(
        text: "SELECT id FROM orders WHERE \(column.name) IS NOT NULL ORDER BY \(column.name) DESC LIMIT $1",
        types: [20], values: ["10"])
    }
  }

  /// How often the recorded tests sent each: so often that the oracle knows which values are NULL.
  private static let executions = 3

  /// What `plimsoll db record` keeps of them by default: texts, types and the lengths of values.
  static func recording(_ version: SimulatedStatements, of digest: Digest) -> Recording {
    Recording(
      heading: Recording.Heading(version: digest.rawValue, policy: .types),
      statements: statements(version).map { statement in
        RecordedStatement(
          fingerprint: SQLParser.fingerprint(statement.text), text: statement.text, transport: .extended,
          parameterTypes: statement.types,
          samples: Array(repeating: statement.values.map { .redacted(bytes: $0.utf8.count) }, count: executions),
          count: executions, role: role)
      })
  }
}
