import Kernel

/// A line of a recording's file. The first is the heading, the last the end; each is an object with one key.
package enum RecordingLine: Equatable, Sendable {
  case heading(Recording.Heading)
  case statement(RecordedStatement)
  case transaction(TransactionShape)
  case end(End)

  /// How many lines of each kind came before: a file without it was cut off.
  package struct End: Codable, Equatable, Sendable {
    package var statements: Int
    package var transactions: Int

    package init(statements: Int, transactions: Int) {
      self.statements = statements
      self.transactions = transactions
    }
  }
}

extension Recording {
  /// In the order in which a file holds them.
  package var lines: [RecordingLine] {
    [.heading(heading)] + statements.map(RecordingLine.statement) + transactions.map(RecordingLine.transaction)
      + [.end(.init(statements: statements.count, transactions: transactions.count))]
  }

  /// Reads a file's text. `decode` turns one line of JSON into a `RecordingLine`: this target knows no JSON.
  /// - Throws: `Refusal` that names `path`, the line and what is wrong with it; also for a file that ends too early.
  package init(
    reading text: String, at path: String, decode: (String) throws -> RecordingLine
  ) throws(Refusal) {
    func refusal(_ line: Int, _ cause: String) -> Refusal { Refusal(.malformed, "\(path):\(line): \(cause)") }
    var heading: Heading?
    var statements: [RecordedStatement] = []
    var transactions: [TransactionShape] = []
    var end: RecordingLine.End?
    var number = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy(\.isWhitespace) { continue }
      if end != nil { throw refusal(number, "the recording has ended before this line; keep one recording in a file.") }
      let decoded: RecordingLine
      do {
        decoded = try decode(String(line))
      } catch {
        let cause =
          heading == nil
          ? "this is no recording of 'plimsoll db record'; name such a file."
          : "this line cannot be read, so the file was cut off or changed; record again (\(error))."
        throw refusal(number, cause)
      }
      switch (decoded, heading) {
      case (.heading(let read), nil):
        guard read.format == Heading.format else {
          throw refusal(
            number,
            "the recording has format \(read.format) and this plimsoll reads \(Heading.format); use the "
              + "plimsoll that wrote it, or record again.")
        }
        heading = read
      case (.heading, _): throw refusal(number, "a second heading; keep one recording in a file.")
      case (_, nil): throw refusal(number, "the heading is missing; the first line says format and version.")
      case (.statement(let statement), _): statements.append(statement)
      case (.transaction(let transaction), _): transactions.append(transaction)
      case (.end(let read), _): end = read
      }
    }
    guard let heading else { throw refusal(max(number, 1), "the recording is empty; record again.") }
    guard let end, end.statements == statements.count, end.transactions == transactions.count else {
      throw refusal(
        number,
        "the recording has lost lines: \(statements.count) statements are left"
          + (end.map { " of \($0.statements)" } ?? "") + "; record again.")
    }
    self.init(heading: heading, statements: statements, transactions: transactions)
  }
}

extension RecordingLine: Codable {
  private enum Key: String, CodingKey {
    case recording
    case statement
    case transaction
    case end
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    if let heading = try container.decodeIfPresent(Recording.Heading.self, forKey: .recording) {
      self = .heading(heading)
    } else if let statement = try container.decodeIfPresent(RecordedStatement.self, forKey: .statement) {
      self = .statement(statement)
    } else if let transaction = try container.decodeIfPresent(TransactionShape.self, forKey: .transaction) {
      self = .transaction(transaction)
    } else {
      self = .end(try container.decode(End.self, forKey: .end))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .heading(let heading): try container.encode(heading, forKey: .recording)
    case .statement(let statement): try container.encode(statement, forKey: .statement)
    case .transaction(let transaction): try container.encode(transaction, forKey: .transaction)
    case .end(let end): try container.encode(end, forKey: .end)
    }
  }
}

extension RecordedStatement: Codable {
  private enum Key: String, CodingKey {
    case fingerprint, text, transport, parameterTypes, samples, count, prepared, failures, lastFailure, role, searchPath
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Key.self)
    func number(_ key: Key) throws -> Int { try container.decodedCount(forKey: key) }
    self.init(
      fingerprint: try container.decode(String.self, forKey: .fingerprint),
      text: try container.decode(String.self, forKey: .text),
      transport: try container.decode(Transport.self, forKey: .transport),
      parameterTypes: try container.decodeIfPresent([UInt32].self, forKey: .parameterTypes) ?? [],
      samples: (try container.decodeIfPresent([[WrittenSample]].self, forKey: .samples) ?? []).map { $0.map(\.value) },
      count: try number(.count), prepared: try number(.prepared), failures: try number(.failures),
      lastFailure: try container.decodeIfPresent(String.self, forKey: .lastFailure),
      role: try container.decodeIfPresent(String.self, forKey: .role),
      searchPath: try container.decodeIfPresent(String.self, forKey: .searchPath))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(fingerprint, forKey: .fingerprint)
    try container.encode(text, forKey: .text)
    try container.encode(transport, forKey: .transport)
    if !parameterTypes.isEmpty { try container.encode(parameterTypes, forKey: .parameterTypes) }
    if !samples.isEmpty { try container.encode(samples.map { $0.map(WrittenSample.init) }, forKey: .samples) }
    try container.encode(count, forKey: .count)
    if prepared > 0 { try container.encode(prepared, forKey: .prepared) }
    if failures > 0 { try container.encode(failures, forKey: .failures) }
    try container.encodeIfPresent(lastFailure, forKey: .lastFailure)
    try container.encodeIfPresent(role, forKey: .role)
    try container.encodeIfPresent(searchPath, forKey: .searchPath)
  }
}

/// A sample as a file holds it: `null`, a text, or `{"bytes": n}` for a value that was not kept.
private struct WrittenSample: Codable {
  var value: SampleValue

  private struct Length: Codable { var bytes: Int }
  /// What PostgreSQL takes as one value: a gigabyte.
  private static let longest = 1 << 30

  init(_ value: SampleValue) { self.value = value }

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      value = .null
    } else if let text = try? container.decode(String.self) {
      value = .text(text)
    } else {
      let bytes = try container.decode(Length.self).bytes
      guard (0...Self.longest).contains(bytes) else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "a value of \(bytes) bytes, and none has more than \(Self.longest)")
      }
      value = .redacted(bytes: bytes)
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch value {
    case .null: try container.encodeNil()
    case .text(let text): try container.encode(text)
    case .redacted(let bytes): try container.encode(Length(bytes: bytes))
    }
  }
}

extension KeyedDecodingContainer {
  /// A count of a recording: 0 where it is not written. Sums of what is taken stay far from an integer's end.
  func decodedCount(forKey key: Key) throws -> Int {
    let count = try decodeIfPresent(Int.self, forKey: key) ?? 0
    guard (0...mostCounted).contains(count) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(key.stringValue) is \(count), and counts go from 0 to \(mostCounted)")
    }
    return count
  }

  private var mostCounted: Int { 1 << 50 }
}
