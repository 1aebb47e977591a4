import Kernel

/// How a version's statements lie in the blob store: all in one, or in the blobs of several sets that are joined when they
/// are read.
///
/// A sidecar tells all that it has each minute. Kept whole each time, what was sent a day ago would lie there a thousand
/// times; kept as parts, each holds only what was new. Nothing is ever taken away, so whoever knows a blob can read it.
package enum KeptStatements: Equatable, Sendable {
  case whole(StatementSet)
  /// In the order in which they are joined; of those that were sent each has more statements than the next.
  case parts([Part])

  package struct Part: Codable, Equatable, Sendable {
    package let statements: Digest
    package let count: Int
    package init(statements: Digest, count: Int) {
      self.statements = statements
      self.count = count
    }
  }

  /// The set that a blob stands for.
  ///
  /// - Parameter read: what a blob holds.
  package static func joined<Failure: Error>(
    _ blob: Digest, read: (Digest) throws(Failure) -> KeptStatements
  ) throws(Failure) -> StatementSet {
    switch try read(blob) {
    case .whole(let set): return set
    case .parts(let parts):
      var all: StatementSet?
      for part in parts {
        let next = try joined(part.statements, read: read)
        all = all.map { $0.joined(by: next) ?? $0 } ?? next
      }
      return all ?? StatementSet(version: "", statements: [])
    }
  }

  /// Keeps what a set brings over a blob of what was held. A part is joined with the one before it while that has not
  /// more than it: so each statement is written anew at most as often as the number of them doubles.
  ///
  /// - Returns: the blob of both; `known` itself when nothing but counts and samples is new.
  /// - Throws: `tooMuch`, or what `read` and `write` throw.
  package static func keep(
    _ sent: StatementSet, over known: Digest?, read: (Digest) throws -> KeptStatements,
    write: (KeptStatements) throws -> Digest
  ) throws -> Digest? {
    guard let known else {
      try check(sent)
      return sent.statements.isEmpty && sent.leftOut == 0 ? nil : try write(.whole(sent))
    }
    let held = try joined(known, read: read)
    guard var news = sent.news(over: held) else { return known }
    try check(held.joined(by: news) ?? held)
    var parts: [Part]
    switch try read(known) {
    case .whole(let set): parts = [Part(statements: known, count: set.statements.count)]
    case .parts(let all): parts = all
    }
    while let last = parts.last, last.count <= news.statements.count {
      let before = try joined(last.statements, read: read)
      news = before.joined(by: news) ?? before
      parts.removeLast()
    }
    let blob = try write(.whole(news))
    if parts.isEmpty { return blob }
    return try write(.parts(parts + [Part(statements: blob, count: news.statements.count)]))
  }

  private static func check(_ set: StatementSet) throws(Refusal) {
    guard set.statements.count <= StatementSet.maximalStatements, set.bytes <= StatementSet.maximalBytes else {
      throw tooMuch
    }
  }

  package static let tooMuch = Refusal(
    .notNow,
    "More than \(StatementSet.maximalStatements) different statements of one version, or more than "
      + "\(StatementSet.maximalBytes >> 20) MiB of them, are no program's: record with constants replaced "
      + "(--policy types), and look what makes them differ. Until then nobody can tell what the version bears.")
}

extension KeptStatements: Codable {
  private enum Field: String, CodingKey { case parts }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Field.self)
    if let parts = try container.decodeIfPresent([Part].self, forKey: .parts) {
      self = .parts(parts)
    } else {
      self = .whole(try StatementSet(from: decoder))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    switch self {
    case .whole(let set): try set.encode(to: encoder)
    case .parts(let parts):
      var container = encoder.container(keyedBy: Field.self)
      try container.encode(parts, forKey: .parts)
    }
  }
}
