import Kernel

/// What somebody recorded of one deploy, second by second: the input of `plimsoll judge replay` (docs/replay.md).
package struct RecordedEvidence: Equatable, Sendable {
  /// What one version did in one second.
  package struct Row: Equatable, Sendable {
    package let second: Int64
    package let version: String
    package let counts: RequestCounts
  }

  /// What happened at the beginning of a second.
  package enum Event: Equatable, Sendable {
    /// The new version got its first traffic.
    case deploy(version: String)
    /// An instance of a version ended by itself; why, if that was recorded.
    case restart(version: String, detail: String)
    /// A version was given up because it was not ready in time.
    case notReady(version: String)
    /// From here on the counts are not to be believed.
    case sourceLost(reason: String)
    case sourceBack
  }

  package struct Mark: Equatable, Sendable {
    package let second: Int64
    package let event: Event
    /// Where it stands in the file, for messages.
    package let line: Int
  }

  /// Sorted by second, then version; one row for each pair.
  package let rows: [Row]
  /// Sorted by second; marks of one second in the order of the file.
  package let marks: [Mark]
  /// What was read otherwise than it stands, one sentence each.
  package let notes: [String]

  /// 1973 to the year 5138 as epoch seconds; below, seconds counted from anywhere.
  package static let seconds: ClosedRange<Int64> = 0...100_000_000_000
  /// Six versions for a day.
  package static let rowLimit = 600_000
  /// A row is about 40 bytes; the limit leaves room for many times that.
  package static let byteLimit = 128 * 1024 * 1024
}

/// Gathers lines into `RecordedEvidence`; every fault names file and line.
struct RecordedLines {
  private let file: String
  private var counts: [Key: RequestCounts] = [:]
  private var marks: [RecordedEvidence.Mark] = []
  private var overlapping: Int?

  private struct Key: Hashable, Comparable {
    let second: Int64
    let version: String
    static func < (left: Key, right: Key) -> Bool { (left.second, left.version) < (right.second, right.version) }
  }

  init(file: String) { self.file = file }

  /// One line's fields by name, as the file gives them; empty text is as good as none.
  mutating func take(_ fields: [String: String], line: Int) throws(Refusal) {
    guard let text = fields["second"], !text.isEmpty else {
      throw fault(line, "it has no 'second'; give whole seconds, counted from anywhere or since 1970")
    }
    guard let second = Int64(text), RecordedEvidence.seconds.contains(second) else {
      throw fault(line, "'second' is '\(text.prefix(40))'; give whole seconds from 0 to 100000000000")
    }
    if let name = fields["event"], !name.isEmpty {
      marks.append(
        RecordedEvidence.Mark(second: second, event: try event(name, fields, line: line), line: line))
    } else {
      try add(fields, second: second, line: line)
    }
  }

  private static let events = ["deploy", "restart", "not-ready", "source-lost", "source-back"]

  private func event(
    _ name: String, _ fields: [String: String], line: Int
  ) throws(Refusal) -> RecordedEvidence.Event {
    let version = fields["version"] ?? ""
    let detail = fields["detail"] ?? ""
    switch name {
    case "deploy", "restart", "not-ready":
      guard !version.isEmpty else { throw fault(line, "the event '\(name)' has no 'version'; say whose it is") }
      if name == "restart" { return .restart(version: version, detail: detail) }
      return name == "deploy" ? .deploy(version: version) : .notReady(version: version)
    case "source-lost": return .sourceLost(reason: detail.isEmpty ? "the source was lost" : detail)
    case "source-back": return .sourceBack
    default:
      let hint = nearestMatch(to: name, among: Self.events).map { "; did you mean '\($0)'?" } ?? ""
      let known = Self.events.joined(separator: ", ")
      throw fault(line, "no event is named '\(name.prefix(40))'\(hint); there are \(known)")
    }
  }

  private mutating func add(_ fields: [String: String], second: Int64, line: Int) throws(Refusal) {
    guard let version = fields["version"], !version.isEmpty else {
      throw fault(line, "it has neither 'version' nor 'event'; say which version these counts are of")
    }
    let requests = try count("requests", fields, line: line)
    let errors = try count("errors", fields, line: line)
    var slow = try count("slow", fields, line: line)
    guard errors <= requests, slow <= requests else {
      throw fault(
        line, "of \(requests) requests \(errors) failed and \(slow) were slow; neither can be more than all of them")
    }
    if errors + slow > requests {
      // A request counts once: an error that was slow too is an error.
      slow = requests - errors
      overlapping = overlapping ?? line
    }
    let key = Key(second: second, version: version)
    guard counts[key] != nil || counts.count < RecordedEvidence.rowLimit else {
      throw fault(line, "there are more than \(RecordedEvidence.rowLimit) rows; cut the file to the deploy in question")
    }
    counts[key, default: .zero] =
      counts[key, default: .zero]
      + RequestCounts(requests: requests, errors: errors, slow: slow)
  }

  private func count(_ name: String, _ fields: [String: String], line: Int) throws(Refusal) -> Int {
    let text = fields[name] ?? ""
    if text.isEmpty {
      guard name != "requests" else { throw fault(line, "it has no 'requests'") }
      return 0
    }
    // A billion requests in a second are a mistake, and sums of them stay far from overflowing.
    guard let count = Int(text), (0...1_000_000_000).contains(count) else {
      throw fault(line, "'\(name)' is '\(text.prefix(40))'; give a whole number from 0 to 1000000000")
    }
    return count
  }

  func fault(_ line: Int, _ what: String) -> Refusal { Refusal(.malformed, "\(file):\(line): \(what).") }

  func evidence() throws(Refusal) -> RecordedEvidence {
    guard !counts.isEmpty else {
      throw Refusal(.malformed, "\(file) has no counts; give rows of second, version, requests, errors, slow.")
    }
    let rows = counts.keys.sorted().map { key in
      RecordedEvidence.Row(second: key.second, version: key.version, counts: counts[key, default: .zero])
    }
    let sorted = marks.enumerated().sorted { ($0.element.second, $0.offset) < ($1.element.second, $1.offset) }
    var notes: [String] = []
    if let overlapping {
      notes.append("Line \(overlapping) counts more bad requests than requests: an error that was slow counts once.")
    }
    return RecordedEvidence(rows: rows, marks: sorted.map(\.element), notes: notes)
  }
}
