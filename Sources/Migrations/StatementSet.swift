/// What one version of an application sends to one database.
package struct StatementSet: Codable, Equatable, Sendable {
  /// A digest, or a label such as `v41` where no digest is known.
  package var version: String
  /// Sorted by fingerprint, text, parameter types, role and search path. Texts of one form are one statement; of texts
  /// that differ in constants alone `maximalTexts` are told apart.
  package var statements: [CapturedStatement]
  /// How many statements passed the recorder and are not in it, at least: a set that lacks some is never all that the
  /// version sends. Not written when it is 0.
  package var leftOut: Int

  /// Texts that differ only in constants. More than these, and the constants are data, not part of the program; unless
  /// the texts are of a program's source.
  package static let maximalTexts = 8
  /// The most that is kept of one version: what a recorder keeps at most. A large Rails application has about 3,000.
  package static let maximalStatements = 20_000
  /// Of texts and samples together, about: what a recorder keeps at most.
  package static let maximalBytes = 64 << 20

  package init(version: String, statements: [CapturedStatement], leftOut: Int = 0) {
    self.version = version
    self.leftOut = leftOut
    var merged: [CapturedStatement] = []
    var places = Places()
    for statement in statements {
      let keys = Keys(statement)
      if let place = places.place(of: keys) {
        merged[place].absorb(statement)
      } else {
        places.add(keys, at: merged.count)
        merged.append(statement)
      }
    }
    self.statements = merged.sorted { $0.order < $1.order }
  }

  /// What tells a statement from another.
  private struct Keys {
    struct Key: Hashable {
      var form: StatementForm
      var role: String?
      var searchPath: String?
    }

    /// Equal for one and the same.
    let same: Key
    /// Equal for those that differ only in constants.
    let alike: Key
    let isProgram: Bool

    init(_ statement: CapturedStatement) {
      func key(_ constants: StatementForm.Constants) -> Key {
        Key(
          form: StatementForm(statement.text, types: statement.parameterTypes, constants: constants),
          role: statement.role, searchPath: statement.searchPath)
      }
      same = key(.told)
      alike = key(.open)
      isProgram = statement.source.isProgram
    }
  }

  /// Which of a set's statements another one is.
  private struct Places {
    private var same: [Keys.Key: Int] = [:]
    /// Those that differ only in constants: the place of the first, and how many.
    private var alike: [Keys.Key: (first: Int, count: Int)] = [:]

    init() {}

    init(_ statements: [CapturedStatement]) {
      for (place, statement) in statements.enumerated() { add(Keys(statement), at: place) }
    }

    /// nil where it is none of them.
    func place(of keys: Keys) -> Int? {
      if let place = same[keys.same] { return place }
      guard !keys.isProgram, let alike = alike[keys.alike], alike.count >= StatementSet.maximalTexts else { return nil }
      return alike.first
    }

    mutating func add(_ keys: Keys, at place: Int) {
      same[keys.same] = place
      alike[keys.alike, default: (place, 0)].count += 1
    }
  }

  /// With what another recording of the same version knows. Of two counts the larger stays, for a recording is sent
  /// again as it grows: joining twice is joining once.
  ///
  /// - Returns: nil when the other brings nothing but counts and samples.
  package func joined(by other: StatementSet) -> StatementSet? {
    guard other.news(over: self) != nil else { return nil }
    var joined = self
    joined.leftOut = max(leftOut, other.leftOut)
    var places = Places(statements)
    for statement in other.statements {
      let keys = Keys(statement)
      guard let place = places.place(of: keys) else {
        places.add(keys, at: joined.statements.count)
        joined.statements.append(statement)
        continue
      }
      joined.statements[place].count = max(joined.statements[place].count, statement.count)
      joined.statements[place].learn(from: statement)
    }
    joined.statements.sort { $0.order < $1.order }
    return joined
  }

  /// What this set knows that another does not: statements that it lacks, and those of which more is known here than
  /// counts and samples. That something was left out is news; how much is not, for it grows with every recording.
  package func news(over held: StatementSet) -> StatementSet? {
    let places = Places(held.statements)
    let news = statements.filter { statement in
      guard let place = places.place(of: Keys(statement)) else { return true }
      let known = held.statements[place]
      // Every other call has values of other lengths: they ride along.
      var learnt = known
      learnt.learn(from: statement)
      learnt.samples = known.samples
      return learnt != known
    }
    let isLess = leftOut > 0 && held.leftOut == 0
    if news.isEmpty, !isLess { return nil }
    return StatementSet(version: version, statements: news, leftOut: leftOut)
  }

  /// Of texts and samples, about.
  package var bytes: Int {
    statements.reduce(0) { $0 + $1.text.utf8.count + $1.samples.reduce(0) { $0 + Self.sampleBytes * $1.count } }
  }
  /// Of a value that was left out, as JSON.
  private static let sampleBytes = 16

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

extension StatementSet {
  private enum Field: String, CodingKey { case version, statements, leftOut }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Field.self)
    version = try container.decode(String.self, forKey: .version)
    statements = try container.decode([CapturedStatement].self, forKey: .statements)
    leftOut = try container.decodeIfPresent(Int.self, forKey: .leftOut) ?? 0
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Field.self)
    try container.encode(version, forKey: .version)
    try container.encode(statements, forKey: .statements)
    if leftOut > 0 { try container.encode(leftOut, forKey: .leftOut) }
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
  }

  fileprivate var order: (String, String, String, String, String) {
    (fingerprint, text, parameterTypes.map(String.init).joined(separator: ","), role ?? "", searchPath ?? "")
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
