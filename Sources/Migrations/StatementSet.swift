/// What one version of an application sends to one database.
package struct StatementSet: Codable, Equatable, Sendable {
  /// A digest, or a label such as `v41` where no digest is known.
  package var version: String
  /// Sorted by fingerprint, then by text, then by parameter types; no two alike in fingerprint and types.
  package var statements: [CapturedStatement]

  /// The most that is kept of one version: what a recorder keeps at most. A large Rails application has about 3,000.
  package static let maximalStatements = 20_000

  package init(version: String, statements: [CapturedStatement]) {
    self.version = version
    var merged: [Key: CapturedStatement] = [:]
    for statement in statements {
      let key = Key(statement)
      if var known = merged[key] {
        known.absorb(statement)
        merged[key] = known
      } else {
        merged[key] = statement
      }
    }
    self.statements = merged.values.sorted(by: Self.areInOrder)
  }

  /// Statements alike but for constants and of the same parameter types are one.
  private struct Key: Hashable {
    var fingerprint: String
    var types: [UInt32]
    init(_ statement: CapturedStatement) {
      fingerprint = statement.fingerprint
      types = statement.parameterTypes
    }
  }

  private static func areInOrder(_ left: CapturedStatement, _ right: CapturedStatement) -> Bool {
    let (one, other) = ((left.fingerprint, left.text), (right.fingerprint, right.text))
    return one == other ? left.parameterTypes.lexicographicallyPrecedes(right.parameterTypes) : one < other
  }

  /// With what another recording of the same version knows. Of two counts the larger stays, for a recording is sent
  /// again as it grows: joining twice is joining once.
  ///
  /// - Returns: nil when the other brings nothing but counts and samples.
  package func joined(by other: StatementSet) -> StatementSet? {
    var joined = self
    var places: [Key: Int] = [:]
    for (place, statement) in statements.enumerated() { places[Key(statement)] = place }
    var isNew = false
    for statement in other.statements {
      guard let place = places[Key(statement)] else {
        joined.statements.append(statement)
        isNew = true
        continue
      }
      let known = joined.statements[place]
      joined.statements[place].learn(from: statement)
      joined.statements[place].count = max(known.count, statement.count)
      // Every other call has values of other lengths: they ride along.
      var learnt = joined.statements[place]
      learnt.count = known.count
      learnt.samples = known.samples
      if learnt != known { isNew = true }
    }
    guard isNew else { return nil }
    joined.statements.sort(by: Self.areInOrder)
    return joined
  }

  /// As a server keeps it: of values that were sent only their lengths.
  package var withoutValues: StatementSet {
    var bare = self
    for place in bare.statements.indices {
      var samples: [[SampleValue]] = []
      for sample in bare.statements[place].samples.map({ $0.map(\.withoutValue) }) where !samples.contains(sample) {
        samples.append(sample)
      }
      bare.statements[place].samples = samples
    }
    return bare
  }

  /// Share, 0 to 1, of the executions counted in `production` whose statement is in this set; nil when none were
  /// counted. Weighted by count: a statement that production sends a million times a day matters more than one that
  /// it sent once.
  package func coverage(of production: StatementSet) -> Double? {
    let known = Set(statements.map(\.fingerprint))
    var seen = 0
    var all = 0
    for statement in production.statements {
      all += statement.count
      if known.contains(statement.fingerprint) { seen += statement.count }
    }
    return all == 0 ? nil : Double(seen) / Double(all)
  }
}

extension CapturedStatement {
  /// Takes in another recording of the same statement.
  fileprivate mutating func absorb(_ other: CapturedStatement) {
    let (sum, overflow) = count.addingReportingOverflow(other.count)
    count = overflow ? .max : sum
    learn(from: other)
  }

  /// The same, but for the count.
  fileprivate mutating func learn(from other: CapturedStatement) {
    for sample in other.samples where samples.count < Self.maximalSamples && !samples.contains(sample) {
      samples.append(sample)
    }
    name = name ?? other.name
    role = role ?? other.role
    searchPath = searchPath ?? other.searchPath
  }
}

extension SampleValue {
  fileprivate var withoutValue: SampleValue {
    switch self {
    case .null, .redacted: self
    case .text(let text): .redacted(bytes: text.utf8.count)
    }
  }
}
