import Kernel

/// Who has a version and who lacks it: the answer to "is it off everywhere?".
package struct Standing: Sendable, Equatable {
  /// A client that is not known to have the version.
  package struct Lacking: Sendable, Equatable {
    package let client: ClientIdentity
    /// The newest version that it is known to have; -1 before any.
    package let has: Int
    /// Its last sign of life, seconds since 1970.
    package let lastSeen: Double
  }

  package let version: Int
  /// Seconds since 1970.
  package let changedAt: Double
  /// Clients that live; those that left are not among them.
  package let all: Int
  package let have: Int
  /// How the version is known to be there, of those who have it. A client that has a newer one counts by that.
  package let byEvidence: [EvidenceClass: Int]
  /// By name.
  package let lacking: [Lacking]
  /// Clients whose stream broke off before they had the version: they may live on with an older one. By name.
  package let left: [Lacking]
  /// Seconds from the change until the last of those who have it was known to; 0 when nobody has it.
  package let seconds: Double

  init(version: Int, changedAt: Double, clients: [(identity: ClientIdentity, record: ClientRecord)]) {
    self.version = version
    self.changedAt = changedAt
    var byEvidence: [EvidenceClass: Int] = [:]
    var lacking: [Lacking] = []
    var left: [Lacking] = []
    var last = changedAt
    var have = 0
    for (identity, record) in clients {
      let hasLeft = record.leftAt.map { record.lastSeen <= $0 } ?? false
      if record.version >= version {
        if hasLeft { continue }
        have += 1
        if let evidence = record.evidence { byEvidence[evidence, default: 0] += 1 }
        if record.version == version { last = max(last, record.acknowledgedAt) }
      } else {
        let entry = Lacking(client: identity, has: record.version, lastSeen: record.lastSeen)
        if hasLeft { left.append(entry) } else { lacking.append(entry) }
      }
    }
    self.have = have
    self.byEvidence = byEvidence
    self.lacking = lacking
    self.left = left
    all = have + lacking.count
    // A clock that was set back must not make a duration negative.
    seconds = max(0, last - changedAt)
  }

  package var isEverywhere: Bool { lacking.isEmpty && left.isEmpty }

  /// Names in a sentence; the rest is counted.
  static let namesInSentence = 5

  /// "version 7: 998 of 1,000 after 0.4 s; these two not: …".
  package var sentence: String {
    guard all > 0 || !left.isEmpty else { return "version \(version): no client is known" }
    var words = "version \(version): "
    if lacking.isEmpty {
      words += all == 1 ? "the only client" : "all \(Self.grouped(all))"
    } else {
      words += "\(Self.grouped(have)) of \(Self.grouped(all))"
    }
    if have > 0 { words += " after \(decimal(seconds, places: seconds < 0.1 ? 2 : seconds < 10 ? 1 : 0)) s" }
    let sent = byEvidence[.sent] ?? 0
    // Said apart, because it is the one class in which the client's side has given no sign.
    if sent > 0 { words += "; \(Self.grouped(sent)) of these by what was sent alone" }
    if !lacking.isEmpty { words += "; \(Self.named(lacking, "this one not", "not"))" }
    if !left.isEmpty { words += "; \(Self.named(left, "this one left before", "left before"))" }
    return words
  }

  private static func named(_ clients: [Lacking], _ one: String, _ many: String) -> String {
    let names = clients.prefix(namesInSentence).map { client in
      client.client.name + (client.has < 0 ? "" : " (has \(client.has))")
    }
    let rest = clients.count - names.count
    let head = clients.count == 1 ? one : "these \(counted(clients.count)) \(many)"
    return "\(head): \(names.joined(separator: ", "))" + (rest > 0 ? " and \(grouped(rest)) more" : "")
  }

  private static func counted(_ number: Int) -> String {
    let words = ["two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return words.indices.contains(number - 2) ? words[number - 2] : grouped(number)
  }

  private static func grouped(_ number: Int) -> String {
    let digits = String(number)
    var text = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }
}
