import Foundation
import Kernel

/// Sizes of production's tables as CSV: `schema`, `table`, `rows`, `bytes`, perhaps `executions_per_second`.
package enum TableSizes {
  /// - Throws: `Refusal` with file and line.
  package static func read(_ path: String) throws(Refusal) -> [TableSize] {
    guard FileManager.default.fileExists(atPath: path) else { throw Refusal(.unknown, "There is no \(path).") }
    let file = FoundFile(in: path)
    let records = try CSVFile.records(of: try file.text(), in: file)
    guard let heading = records.first?.fields.map({ $0.lowercased() }), let table = heading.firstIndex(of: "table"),
      let rows = heading.firstIndex(of: "rows"), let bytes = heading.firstIndex(of: "bytes")
    else {
      throw Refusal(.malformed, "\(path):1: the heading must have table, rows and bytes, perhaps schema.")
    }
    let schema = heading.firstIndex(of: "schema")
    let rate = heading.firstIndex(of: "executions_per_second")
    var sizes: [TableSize] = []
    for record in records.dropFirst() {
      guard record.fields.count == heading.count else {
        throw Refusal(
          .malformed, "\(path):\(record.line): \(record.fields.count) fields, the heading has \(heading.count).")
      }
      func number(_ column: Int) throws(Refusal) -> Int {
        // pg_class.reltuples is -1 before the first ANALYZE, and prints decimals when large.
        guard let value = Double(record.fields[column]), value.isFinite, value >= -1, value < 1e15 else {
          throw Refusal(
            .malformed, "\(path):\(record.line): '\(record.fields[column])' is no number of \(heading[column]).")
        }
        return max(Int(value), 0)
      }
      sizes.append(
        TableSize(
          schema: schema.map { record.fields[$0] } ?? "public", table: record.fields[table], rows: try number(rows),
          bytes: try number(bytes), executionsPerSecond: rate.flatMap { Double(record.fields[$0]) }))
    }
    return sizes
  }
}
