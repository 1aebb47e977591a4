import Flags
import Synchronization

/// What clients of one version get, as text.
final class UnleashAnswers: Sendable {
  let version: Int
  let document: UnleashDocument

  init(_ served: ServedFlags) throws(FlagRefusal) {
    version = served.version
    document = try UnleashDocument(served.definitions, compiledTo: served.flags)
  }

  /// The answer of `/api/client/features`. All segments: a client ignores those that it has no use for.
  ///
  /// - Parameter projects: whose features are wanted; empty for all.
  func writeFeatures(of projects: Set<String>, to body: inout [UInt8]) {
    body.append(contentsOf: "{\"version\":2,".utf8)
    writeContents(of: projects, to: &body)
    body.append(UInt8(ascii: "}"))
  }

  /// Everything as one event, for a client that knows nothing yet.
  func writeHydration(to body: inout [UInt8]) {
    body.append(contentsOf: "{\"events\":[{\"eventId\":\(version),\"type\":\"hydration\",".utf8)
    writeContents(of: [], to: &body)
    body.append(contentsOf: "}]}".utf8)
  }

  private func writeContents(of projects: Set<String>, to body: inout [UInt8]) {
    body.append(contentsOf: "\"features\":[".utf8)
    var isFirst = true
    for feature in document.features where projects.isEmpty || projects.contains(feature.project) {
      if !isFirst { body.append(UInt8(ascii: ",")) }
      isFirst = false
      body.append(contentsOf: feature.text.utf8)
    }
    body.append(contentsOf: "],\"segments\":[".utf8)
    body.append(contentsOf: document.segments.map(\.text).joined(separator: ",").utf8)
    body.append(UInt8(ascii: "]"))
  }

  /// What changed since an older version, event by event; nil when nothing did that these clients see.
  func changes(since older: UnleashAnswers) -> [UInt8]? {
    let before = Dictionary(older.document.features.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var events: [String] = []
    func event(_ type: String, _ content: String) {
      events.append("{\"eventId\":\(version),\"type\":\"\(type)\",\(content)}")
    }
    let segments = Dictionary(older.document.segments.map { ($0.number, $0.text) }, uniquingKeysWith: { $1 })
    // Segments first, so that no feature refers to one that is not there yet.
    for segment in document.segments where segments[segment.number] != segment.text {
      event("segment-updated", "\"segment\":\(segment.text)")
    }
    for feature in document.features where before[feature.name]?.text != feature.text {
      event("feature-updated", "\"feature\":\(feature.text)")
    }
    let names = Set(document.features.map(\.name))
    for feature in older.document.features where !names.contains(feature.name) {
      var fields: [UInt8] = Array("\"featureName\":".utf8)
      JSONText.write(feature.name, to: &fields)
      fields.append(contentsOf: ",\"project\":".utf8)
      JSONText.write(feature.project, to: &fields)
      event("feature-removed", String(decoding: fields, as: UTF8.self))
    }
    let numbers = Set(document.segments.map(\.number))
    for segment in older.document.segments where !numbers.contains(segment.number) {
      event("segment-removed", "\"segmentId\":\(segment.number)")
    }
    return events.isEmpty ? nil : Array("{\"events\":[\(events.joined(separator: ","))]}".utf8)
  }
}

/// Answers of the newest versions, made once for all clients.
final class UnleashDocuments: Sendable {
  /// Versions kept of each environment: the newest, and the one before, from which most streams come.
  private static let kept = 2

  private let known = Mutex<[String: [UnleashAnswers]]>([:])

  func answers(of served: ServedFlags) -> Result<UnleashAnswers, FlagRefusal> {
    known.withLock { known in
      if let made = known[served.environment]?.first(where: { $0.version == served.version }) { return .success(made) }
      do throws(FlagRefusal) {
        let made = try UnleashAnswers(served)
        let all = ((known[served.environment] ?? []) + [made]).sorted { $0.version > $1.version }
        known[served.environment] = Array(all.prefix(Self.kept))
        return .success(made)
      } catch {
        return .failure(error)
      }
    }
  }
}

/// Unleash's stream: `unleash-connected` with everything, then `unleash-updated` with what changed.
final class UnleashEvents: EventDialect {
  private let documents: UnleashDocuments

  init(_ documents: UnleashDocuments) { self.documents = documents }

  /// Everything, also for a client that comes back: what it holds may be of another server.
  func opening(of served: ServedFlags, lastEventID: String?) -> [UInt8] {
    guard served.version > 0, case .success(let answers) = documents.answers(of: served) else {
      return EventText.retry()
    }
    var data: [UInt8] = []
    answers.writeHydration(to: &data)
    return EventText.retry() + Self.message("unleash-connected", id: served.version, data)
  }

  func shows(_ served: ServedFlags) -> Bool {
    guard served.version > 0, case .success = documents.answers(of: served) else { return false }
    return true
  }

  /// A version in which nothing changed that these clients see is told by a comment, whose arrival still proves that
  /// the client is not behind.
  func message(_ served: ServedFlags, after last: ServedFlags) -> [UInt8] {
    guard case .success(let answers) = documents.answers(of: served) else { return EventText.heartbeat }
    guard last.version > 0, case .success(let older) = documents.answers(of: last) else {
      var data: [UInt8] = []
      answers.writeHydration(to: &data)
      return Self.message("unleash-connected", id: served.version, data)
    }
    guard let changes = answers.changes(since: older) else { return EventText.heartbeat }
    return Self.message("unleash-updated", id: served.version, changes)
  }

  /// Imported texts keep their line breaks, so the data may have several lines; a client joins them again.
  private static func message(_ event: String, id: Int, _ data: [UInt8]) -> [UInt8] {
    var message: [UInt8] = Array("event: \(event)\nid: \(id)\n".utf8)
    for line in data.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
      message.append(contentsOf: "data: ".utf8)
      message.append(contentsOf: line)
      message.append(UInt8(ascii: "\n"))
    }
    message.append(UInt8(ascii: "\n"))
    return message
  }
}
