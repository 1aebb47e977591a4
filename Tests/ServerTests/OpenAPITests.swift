import API
import Foundation
import Hummingbird
import Logging
import Testing

@testable import Server

/// The hand-kept description against the router and against real answers.
@Suite struct OpenAPITests {
  /// Just enough of YAML for this one document, whose shape its own layout fixes: paths at two spaces, methods at four,
  /// schemas at four, their `required` at six.
  private struct Document {
    var operations: Set<String> = []
    var required: [String: [String]] = [:]

    init() {
      var section = ""
      var path = ""
      var schema = ""
      for line in OpenAPI.document.split(separator: "\n") {
        let depth = line.prefix { $0 == " " }.count
        let words = line.trimmingCharacters(in: .whitespaces)
        if depth == 0 { section = words }
        if section == "components:", depth == 2 { section = words == "schemas:" ? words : section }
        if section == "paths:", depth == 2 { path = String(words.dropLast()) }
        if section == "paths:", depth == 4 { operations.insert("\(words.dropLast().uppercased()) /v1\(path)") }
        if section == "schemas:", depth == 4 { schema = String(words.dropLast()) }
        if section == "schemas:", depth == 6, words.hasPrefix("required: [") {
          required[schema] = words.dropFirst("required: [".count).dropLast().split(separator: ", ").map(String.init)
        }
      }
    }
  }

  @Test func everyRouteIsDescribedAndEveryDescriptionIsARoute() throws {
    let backend = ScriptedBackend(Harbor())
    let traffic = Traffic()
    let reader = Reader(backend: backend, now: WebServer.wallClock)
    let router = makeRouter(
      backend: backend, token: "t", host: "127.0.0.1", reader: reader,
      pages: Pages(reader: reader, library: try TemplateLibrary.load()), traffic: traffic, heartbeat: .seconds(15),
      logger: Logger(label: "test"))
    let routes = router.routes.filter { $0.method != .head && "\($0.path)".hasPrefix("/v1") }.map { route in
      let path = "\(route.path)".split(separator: "/").map { part in
        // `:name` and `{name}` are the router's two ways to print a capture.
        part.hasPrefix(":") ? "{\(part.dropFirst())}" : String(part)
      }.joined(separator: "/")
      return "\(route.method.rawValue) /\(path)"
    }
    #expect(Set(routes).symmetricDifference(Document().operations).sorted() == [])
    #expect(routes.count > 20)
  }

  @Test func answersCarryWhatTheirSchemasRequire() async throws {
    let required = Document().required
    try await withServer { wire, _ in
      func check(_ path: String, _ schema: String, at keys: [String] = [], status: Int = 200) async throws {
        let answer = try await wire.send("GET", path)
        #expect(answer.status == status, "\(path)")
        var object: Any = try answer.json()
        for key in keys {
          object = try #require((object as? [String: Any])?[key], "\(path) has no \(key)")
          if let list = object as? [Any] { object = try #require(list.first, "\(path) has an empty \(key)") }
        }
        let found = try #require(object as? [String: Any])
        let names = try #require(required[schema])
        #expect(names.filter { found[$0] == nil } == [], "\(path) as \(schema)")
      }
      let digest = Harbor.digest("artifact of \(Harbor.commit("first"))")
      try await check("/v1/overview", "Overview")
      try await check("/v1/overview", "EnvironmentView", at: ["services", "environments"])
      try await check("/v1/services/harbor/production", "EnvironmentView")
      try await check("/v1/services/harbor/production", "RolloutView", at: ["rollout"])
      try await check("/v1/services/harbor/production", "CondemnedView", at: ["condemned"])
      try await check("/v1/services/harbor/production", "ShareView", at: ["shares"])
      try await check("/v1/queues", "EntryView", at: ["queues", "entries"])
      try await check("/v1/queues/harbor", "QueueView")
      try await check("/v1/queues/harbor", "QueueBuildView", at: ["builds"])
      try await check("/v1/queues/harbor", "WaitView", at: ["entries", "waits"])
      try await check("/v1/queues/harbor", "ForecastView", at: ["entries", "forecast"])
      try await check("/v1/queues/harbor", "FinishedView", at: ["finished"])
      try await check("/v1/queues/harbor/waits?days=7", "QueueWaitsView")
      try await check("/v1/queues/harbor/waits", "WaitGroupView", at: ["groups"])
      try await check("/v1/changes/harbor/5", "EntryView", at: ["standing"])
      try await check("/v1/changes/harbor/1", "ChangeView")
      try await check("/v1/changes/harbor/1", "HappeningView", at: ["history"])
      try await check("/v1/promotions", "PromotionView", at: ["promotions"])
      try await check("/v1/promotions/harbor/\(Harbor.commit("first").short)", "StageView", at: ["stages"])
      try await check("/v1/artifacts", "ArtifactView", at: ["artifacts"])
      try await check("/v1/artifacts/\(digest.hex.prefix(10))", "PlaceView", at: ["places"])
      try await check("/v1/rollouts/harbor/production", "RolloutView", at: ["rollouts"])
      try await check("/v1/rollouts/harbor/production/3", "RollbackReportView", at: ["report"])
      try await check("/v1/rollouts/harbor/production/3/evidence", "TestView", at: ["points", "tests"])
      try await check("/v1/measures?days=7", "MeasureView", at: ["measures"])
      try await check("/v1/events", "EventView", at: ["events"])
      try await check("/v1/health", "HealthView")
      try await check("/v1/changes/harbor/77", "Failure", status: 404)
    }
  }
}
