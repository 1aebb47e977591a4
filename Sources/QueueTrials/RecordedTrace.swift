import Kernel
import MergeQueues

/// Changes as somebody's queue saw them, read from CSV (docs/queue-trials.md).
///
/// | column | holds |
/// |---|---|
/// | `arrival` | seconds since any beginning, not falling |
/// | `duration` | seconds that CI takes with this change at the tip, above 0 |
/// | `outcome` | `pass` or `fail`: whether the change passes by itself |
/// | `flake` | how many of its first runs go red without cause, 0 when left out |
/// | `paths` | what it touches, separated by `;`; where the column is missing, all changes affect each other |
package struct RecordedTrace: Equatable, Sendable {
  package struct Row: Equatable, Sendable {
    package let arrivalSeconds: Double
    package let durationSeconds: Double
    package let isBad: Bool
    package let flakes: Int
    package let paths: [String]
    package init(arrivalSeconds: Double, durationSeconds: Double, isBad: Bool, flakes: Int = 0, paths: [String] = []) {
      self.arrivalSeconds = arrivalSeconds
      self.durationSeconds = durationSeconds
      self.isBad = isBad
      self.flakes = flakes
      self.paths = paths
    }
  }

  /// By arrival.
  package let rows: [Row]
  package let hasPaths: Bool

  /// A year of Uber's monorepos has 780,000 changes; a replay of more than this takes longer than it teaches.
  package static let rowLimit = 200_000

  package init(rows: [Row], hasPaths: Bool) {
    self.rows = rows
    self.hasPaths = hasPaths
  }

  /// Reads CSV with a heading (RFC 4180, without line breaks inside of quotes); empty lines and those that begin with
  /// `#` are passed over.
  ///
  /// - Parameter file: its name, for messages.
  /// - Throws: `Refusal` with file, line and column for the first thing that cannot be read.
  package init(reading text: String, file: String) throws(Refusal) {
    var heading: [TraceColumn]?
    var rows: [Row] = []
    var number = 0
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      number += 1
      if line.allSatisfy(\.isWhitespace) || line.hasPrefix("#") { continue }
      let place = TracePlace(file: file, line: number)
      let cells = try place.cells(of: line)
      guard let columns = heading else {
        heading = try place.heading(cells)
        continue
      }
      guard rows.count < Self.rowLimit else {
        throw place.fault(1, "there are more than \(Self.rowLimit) changes; cut the file into parts")
      }
      let row = try place.row(cells, columns)
      if let last = rows.last, row.arrivalSeconds < last.arrivalSeconds {
        let at = cells[columns.firstIndex(of: .arrival) ?? 0].column
        throw place.fault(at, "the change arrives before the one above it; sort the file by arrival")
      }
      rows.append(row)
    }
    guard let heading else {
      throw Refusal(
        .malformed, "\(file) is empty; its first line must name the columns: arrival,duration,outcome,flake,paths.")
    }
    guard !rows.isEmpty else { throw Refusal(.malformed, "\(file) has a heading and no changes; add a line for each.") }
    self.init(rows: rows, hasPaths: heading.contains(.paths))
  }

  /// The trace that policies are put through.
  ///
  /// - Parameters:
  ///   - rules: how paths become lanes; only where the file has paths.
  ///   - flakeRate: share of runs that go red without cause, beside those that the rows name.
  ///   - seed: of those.
  package func trace(lanes rules: LaneRules, flakeRate: Double = 0, seed: UInt64 = 0) -> Trace {
    let hasLanes = hasPaths && rules.division != .none
    let lanes =
      hasLanes ? Self.numbers(of: rows.map { rules.lanes(of: ChangedPaths(bounding: $0.paths)) }) : nil
    let first = rows.first?.arrivalSeconds ?? 0
    return Trace(
      changes: rows.enumerated().map { index, row in
        Trace.Change(
          arrivalSeconds: row.arrivalSeconds - first, durationSeconds: row.durationSeconds, isBad: row.isBad,
          flakes: row.flakes, lanes: lanes?[index] ?? [])
      },
      overlap: lanes == nil ? .everything : .lanes, conflictRate: 0, flakeRate: flakeRate, seed: seed)
  }

  /// Numbers such that two changes share one exactly when their lanes overlap: a folder has the numbers of all below it
  /// that occur, and a change that affects all others has every number.
  private static func numbers(of lanes: [Lanes]) -> [[Int]] {
    var names: Set<String> = []
    for one in lanes {
      switch one {
      case .all: break
      case .folders(let folders): names.formUnion(folders)
      case .names(let targets): names.formUnion(targets)
      }
    }
    let sorted = names.sorted()
    let number = Dictionary(uniqueKeysWithValues: zip(sorted, 1...))
    var below: [String: [Int]] = [:]
    for (index, name) in sorted.enumerated() {
      for folder in Lanes.above(name) { below[folder, default: []].append(index + 1) }
    }
    // 0 is for those that affect all others: they share it with each other where nobody has a lane.
    let every = Array(0...sorted.count)
    return lanes.map { one in
      switch one {
      case .all: every
      case .names(let targets): targets.compactMap { number[$0] }.sorted()
      case .folders(let folders):
        folders.flatMap { folder in [number[folder]].compactMap(\.self) + (below[folder] ?? []) }.sorted()
      }
    }
  }
}

enum TraceColumn: String, CaseIterable {
  case arrival, duration, outcome, flake, paths
  static let required: [TraceColumn] = [.arrival, .duration, .outcome]
}

/// A line of a trace file, for reading it and for messages about it.
struct TracePlace {
  let file: String
  let line: Int

  struct Cell {
    let text: String
    /// 1 is the line's first character.
    let column: Int
  }

  func fault(_ column: Int, _ why: String) -> Refusal { Refusal(.malformed, "\(file):\(line):\(column): \(why).") }

  func cells(of text: Substring) throws(Refusal) -> [Cell] {
    do {
      return try CommaSeparated.cells(ofLine: text).map { Cell(text: $0.trimmed, column: $0.column) }
    } catch {
      let why =
        switch error.kind {
        case .neverClosed: "the quote that begins here does not end on its line"
        case .textAfterQuote: "a comma must follow the quote; write a quote inside of quotes twice"
        case .quoteInField: error.what
        }
      throw fault(error.column, why)
    }
  }

  func heading(_ cells: [Cell]) throws(Refusal) -> [TraceColumn] {
    let known = TraceColumn.allCases.map(\.rawValue)
    var columns: [TraceColumn] = []
    for cell in cells {
      guard let column = TraceColumn(rawValue: cell.text) else {
        let hint = nearestMatch(to: cell.text, among: known).map { "; did you mean '\($0)'?" } ?? ""
        throw fault(
          cell.column,
          "no column is named '\(cell.text.prefix(40))'\(hint); there are \(known.joined(separator: ", "))")
      }
      guard !columns.contains(column) else { throw fault(cell.column, "the column '\(cell.text)' is there twice") }
      columns.append(column)
    }
    for column in TraceColumn.required where !columns.contains(column) {
      throw fault(1, "the heading lacks the column '\(column.rawValue)'; it must name arrival, duration and outcome")
    }
    return columns
  }

  func row(_ cells: [Cell], _ columns: [TraceColumn]) throws(Refusal) -> RecordedTrace.Row {
    guard cells.count == columns.count else {
      throw fault(
        cells.last?.column ?? 1, "there are \(cells.count) cells, and the heading names \(columns.count) columns")
    }
    var (arrival, duration, isBad, flakes) = (0.0, 0.0, false, 0)
    var paths: [String] = []
    for (cell, column) in zip(cells, columns) {
      switch column {
      case .arrival: arrival = try seconds(cell, "arrival")
      case .duration:
        duration = try seconds(cell, "duration")
        guard duration > 0 else {
          throw fault(cell.column, "the duration is \(cell.text); CI takes more than 0 seconds")
        }
      case .outcome:
        switch cell.text {
        case "pass": isBad = false
        case "fail": isBad = true
        default: throw fault(cell.column, "the outcome is '\(cell.text.prefix(40))'; write pass or fail")
        }
      case .flake:
        guard let count = cell.text.isEmpty ? 0 : Int(cell.text), (0...Self.mostFlakes).contains(count) else {
          throw fault(
            cell.column, "the flake is '\(cell.text.prefix(40))'; write how many runs, 0 to \(Self.mostFlakes)")
        }
        flakes = count
      case .paths: paths = cell.text.split(separator: ";").map(String.init)
      }
    }
    return RecordedTrace.Row(
      arrivalSeconds: arrival, durationSeconds: duration, isBad: isBad, flakes: flakes, paths: paths)
  }

  /// A change whose runs are red without cause more often than this is not flaky but bad.
  private static let mostFlakes = 100
  /// A hundred years.
  private static let mostSeconds = 3.2e9

  private func seconds(_ cell: Cell, _ name: String) throws(Refusal) -> Double {
    guard let value = Double(cell.text), value >= 0, value <= Self.mostSeconds else {
      throw fault(cell.column, "the \(name) is '\(cell.text.prefix(40))'; write seconds, such as 1200 or 90.5")
    }
    return value
  }
}
