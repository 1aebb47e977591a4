/// A statement that a version of an application sends, as it was recorded or found in its source.
package struct CapturedStatement: Codable, Equatable, Sendable {
  /// Equal for statements that differ only in constants: the parser's fingerprint, 16 hexadecimal digits; `text-` and
  /// 16 digits of the text's own hash where the parser cannot read the text.
  package var fingerprint: String
  /// As sent, parameters as `$1`, `$2`.
  package var text: String
  /// What the source calls it, such as the name of a query or the file that holds it.
  package var name: String?
  /// Type OIDs of the parameters as the client gave them; 0, or a missing one, is left to the server.
  package var parameterTypes: [UInt32]
  /// Values that were sent, one list for each kept execution; at most `maximalSamples`.
  package var samples: [[SampleValue]]
  /// How often it was sent, at least 1; a statement found in a source counts as 1.
  package var count: Int
  package var source: StatementSource
  /// Whose rights it ran with, where that is known.
  package var role: String?
  package var searchPath: String?

  package static let maximalSamples = 8
  /// OIDs from here on a database gives for itself (`FirstNormalObjectId`, PostgreSQL's access/transam.h): below are those
  /// of what every database has.
  package static let firstOwnOID: UInt32 = 16384

  package init(
    fingerprint: String, text: String, name: String? = nil, parameterTypes: [UInt32] = [],
    samples: [[SampleValue]] = [], count: Int = 1, source: StatementSource, role: String? = nil,
    searchPath: String? = nil
  ) {
    self.fingerprint = fingerprint
    self.text = text
    self.name = name
    self.parameterTypes = parameterTypes
    self.samples = samples
    self.count = count
    self.source = source
    self.role = role
    self.searchPath = searchPath
  }
}

/// Where a statement was seen. Only `proxy` knows types and values as they were sent.
package enum StatementSource: String, Codable, Equatable, Sendable, CaseIterable {
  case proxy
  case sqlx
  case sqlc
  case statistics = "pg_stat_statements"
  case log
  case sql

  /// A source says what it will send, constants too; what passed by is only what was sent.
  var isProgram: Bool {
    switch self {
    case .sqlx, .sqlc, .sql: true
    case .proxy, .statistics, .log: false
    }
  }
}

/// A value bound to a parameter. Whether the value itself is kept is the recorder's policy; by default it is not.
package enum SampleValue: Codable, Equatable, Sendable {
  case null
  /// In the server's text format.
  case text(String)
  /// The value was not kept, only its length in bytes.
  case redacted(bytes: Int)
}
