/// What one version of an application sends to one database.
package struct StatementSet: Codable, Equatable, Sendable {
  /// A digest, or a label such as `v41` where no digest is known.
  package var version: String
  /// Sorted by fingerprint, then by text; no two alike in both.
  package var statements: [CapturedStatement]

  package init(version: String, statements: [CapturedStatement]) {
    self.version = version
    var merged: [Key: CapturedStatement] = [:]
    for statement in statements {
      let key = Key(fingerprint: statement.fingerprint, types: statement.parameterTypes)
      if var known = merged[key] {
        known.absorb(statement)
        merged[key] = known
      } else {
        merged[key] = statement
      }
    }
    self.statements = merged.values.sorted { ($0.fingerprint, $0.text) < ($1.fingerprint, $1.text) }
  }

  /// Statements alike but for constants and of the same parameter types are one.
  private struct Key: Hashable {
    var fingerprint: String
    var types: [UInt32]
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
    for sample in other.samples where samples.count < Self.maximalSamples && !samples.contains(sample) {
      samples.append(sample)
    }
    name = name ?? other.name
    role = role ?? other.role
    searchPath = searchPath ?? other.searchPath
  }
}
