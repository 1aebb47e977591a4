import Foundation
import Kernel
import Migrations

/// Queries that sqlx checked at build time: `.sqlx/query-*.json`, or the older `sqlx-data.json` with all of them.
enum SQLxQueries {
  private struct Query: Decodable {
    let query: String
    let describe: Description?
  }

  private struct Description: Decodable {
    let parameters: Parameters?
  }

  /// `{"Left": ["Text", {"Custom": …}]}`; `{"Right": 2}` says only how many.
  private struct Parameters: Decodable {
    let types: [String?]
    private enum CodingKeys: String, CodingKey { case left = "Left" }
    private struct Custom: Decodable {}

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      guard container.contains(.left) else {
        types = []
        return
      }
      var list = try container.nestedUnkeyedContainer(forKey: .left)
      var names: [String?] = []
      while !list.isAtEnd {
        if let name = try? list.decode(String.self) {
          names.append(name)
        } else {
          _ = try list.decode(Custom.self)
          names.append(nil)
        }
      }
      types = names
    }
  }

  static func read(_ text: String, of file: FoundFile, into reading: inout ImportedStatements) throws(Refusal) {
    let data = Data(text.utf8)
    let decoder = JSONDecoder()
    if let one = try? decoder.decode(Query.self, from: data) {
      reading.take(one.query, name: file.relative, types: types(of: one), source: .sqlx)
      return
    }
    // The older file has a query for each hash beside a plain `db`.
    struct Either: Decodable {
      let query: Query?
      init(from decoder: any Decoder) throws { query = try? Query(from: decoder) }
    }
    guard let all = try? decoder.decode([String: Either].self, from: data) else {
      pass(over: file.path, &reading)
      return
    }
    for (hash, entry) in all.sorted(by: { $0.key < $1.key }) where hash != "db" {
      guard let query = entry.query else {
        pass(over: "\(file.path), \(hash.prefix(12))", &reading)
        continue
      }
      reading.take(query.query, name: "query \(hash.prefix(12))", types: types(of: query), source: .sqlx)
    }
  }

  /// Half written, or of a newer sqlx: whatever it was, the version sends it.
  private static func pass(over place: String, _ reading: inout ImportedStatements) {
    reading.leftOut += 1
    reading.notes.append("\(place) holds no query that sqlx writes; it counts as a statement that is missing.")
  }

  private static func types(of query: Query) -> [UInt32] {
    (query.describe?.parameters?.types ?? []).map { $0.flatMap { oids[$0.lowercased()] } ?? 0 }
  }

  /// Names as sqlx writes them and the OIDs of PostgreSQL's `pg_type.dat`; a type that is not here is left to the
  /// server.
  private static let oids: [String: UInt32] = [
    "bool": 16, "bytea": 17, "char": 18, "int8": 20, "int2": 21, "int4": 23, "text": 25, "json": 114, "float4": 700,
    "float8": 701, "bpchar": 1042, "varchar": 1043, "date": 1082, "time": 1083, "timestamp": 1114,
    "timestamptz": 1184, "interval": 1186, "numeric": 1700, "uuid": 2950, "jsonb": 3802, "bool[]": 1000,
    "boolarray": 1000, "bytea[]": 1001, "byteaarray": 1001, "int2[]": 1005, "int2array": 1005, "int4[]": 1007,
    "int4array": 1007, "text[]": 1009, "textarray": 1009, "varchar[]": 1015, "varchararray": 1015, "int8[]": 1016,
    "int8array": 1016, "uuid[]": 2951, "uuidarray": 2951, "jsonb[]": 3807, "jsonbarray": 3807,
    "timestamptz[]": 1185, "timestamptzarray": 1185, "inet": 869, "cidr": 650,
  ]
}
