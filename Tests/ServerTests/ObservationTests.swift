import ControlPlane
import Foundation
import Kernel
import Rollouts
import Testing

@testable import Server

/// A place that is only observed, over the real machine.
@Suite struct ObservationTests {
  private static let place = StreamID.observation(
    Harbor.parsed(ServiceName(rawValue: "shop")), Harbor.parsed(EnvironmentName(rawValue: "production")))

  private func observe(_ backend: ScriptedBackend) async throws {
    let policy = Observation.Policy(
      service: Harbor.parsed(ServiceName(rawValue: "shop")),
      environment: Harbor.parsed(EnvironmentName(rawValue: "production")), versions: .reported,
      judge: JudgePolicy(sloP99: .seconds(0.2)), announceTargets: 0)
    try await backend.tell(Self.place, .observation(.configure(policy)))
  }

  private func tell(
    _ wire: Wire, _ body: String, at path: String = "deployments", answers status: Int = 200, saying words: String,
    headers: [(String, String)] = authorized, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let answer = try await wire.send(
      "POST", "/v1/observations/shop/production/\(path)", headers: headers, body: body)
    #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
    #expect(answer.body.contains(words), "\(answer.body)", sourceLocation: sourceLocation)
  }

  @Test func deploymentsAreToldByAWebhookAndTheTeamGoesBack() async throws {
    try await withServer { wire, backend in
      try await observe(backend)
      try await tell(wire, #"{"version":"1.4.1"}"#, saying: "1.4.1 serves shop in production")
      try await tell(wire, #"{"version":"1.4.2"}"#, saying: "told by a webhook")
      // Pipelines repeat themselves.
      try await tell(wire, #"{"version":"1.4.2"}"#, saying: #""decided":[]"#)
      try await tell(wire, #"{"version":"1.4.1","byHand":true}"#, saying: "The team went back")
      let answer = try await wire.send("GET", "/v1/observations")
      let view = try #require(try answer.json() as? [String: Any])
      #expect((view["score"] as? [String: Any])?["untold"] as? Int == 1)
      try await tell(wire, #"{"did":"kept","reason":"a rehearsal"}"#, at: "team", saying: "corrected deployment 1")
      for path in ["/observations", "/observations/shop/production/1"] {
        let page = try await wire.send("GET", path)
        #expect(page.status == 200 && page.body.contains("could not tell"), "\(path): \(page.body)")
      }
    }
  }

  @Test func whatCannotBeIsRefusedInWords() async throws {
    try await withServer { wire, backend in
      try await observe(backend)
      let open = [("Content-Type", "application/json")]
      try await tell(wire, #"{"version":"1"}"#, answers: 401, saying: "unauthorized", headers: open)
      try await tell(wire, #"{"version":""}"#, answers: 400, saying: "'version'")
      try await tell(wire, #"{"version":"1","atMs":1}"#, answers: 400, saying: "not remembered")
      try await tell(wire, #"{"did":"kept"}"#, at: "team", answers: 409, saying: "nothing to correct")
      try await tell(wire, #"{"did":"nothing"}"#, at: "team", answers: 400, saying: "give kept or rolledBack")
      for (path, words) in [
        ("/v1/observations/shap/production", "did you mean shop?"),
        ("/v1/observations/shop/staging", "there is production"),
        ("/v1/observations/shop/production/7", "none was seen"),
        ("/v1/observations/shop/production/x", "is no deployment"),
      ] {
        let answer = try await wire.send("GET", path)
        #expect(answer.status >= 400 && answer.body.contains(words), "\(path): \(answer.body)")
      }
    }
  }

  @Test func withoutAnyPlaceThePageSaysHowToBegin() async throws {
    try await withServer { wire, _ in
      let page = try await wire.send("GET", "/observations")
      #expect(page.status == 200 && page.body.contains("plimsoll.yaml"), "\(page.body)")
    }
  }
}
