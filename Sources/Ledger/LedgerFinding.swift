import Kernel

/// Something in a ledger that is not as it was written.
package struct LedgerFinding: Codable, Equatable, Sendable, CustomStringConvertible {
  /// `kind:name` as the file holds it; nil when no one stream is concerned.
  package let stream: String?
  package let version: Version?
  package let position: Position?
  /// What is wrong, for a person.
  package let sentence: String

  init(_ sentence: String, stream: String? = nil, version: Version? = nil, position: Position? = nil) {
    self.stream = stream
    self.version = version
    self.position = position
    self.sentence = sentence
  }

  package var description: String {
    let place = [
      position.map { "position \($0)" }, stream, version.map { "version \($0)" },
    ].compactMap { $0 }.joined(separator: ", ")
    return place.isEmpty ? sentence : "\(place): \(sentence)"
  }
}

/// What a verification read and found.
package struct LedgerReport: Codable, Equatable, Sendable {
  package internal(set) var events: Int64 = 0
  package internal(set) var streams = 0
  package internal(set) var checkpoints = 0
  /// Events up to this position are covered by a signature; a cut behind it cannot be told from a shorter history.
  package internal(set) var signedThrough: Position = 0
  package internal(set) var lastPosition: Position = 0
  package internal(set) var snapshotsFolded = 0
  /// In the order of discovery, at most `maximumFindings`.
  package internal(set) var findings: [LedgerFinding] = []
  /// Findings beyond `maximumFindings` that were only counted.
  package internal(set) var findingsLeftOut = 0

  package var isSound: Bool { findings.isEmpty }

  mutating func add(_ finding: LedgerFinding) {
    if findings.count < maximumFindings { findings.append(finding) } else { findingsLeftOut += 1 }
  }
}

/// More would tell a person nothing new, and a shuffled file must not fill the memory.
let maximumFindings = 200
