import FlagEvidence
import FlagTrials
import Foundation
import Kernel
import Logging
import Ramps
import Testing

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// The unmodified OpenTelemetry SDK and its OTLP exporter over HTTP, into a ramp's seconds.
@Suite(
  "OpenTelemetry's exporter",
  .enabled(
    if: PeerPython.found?.installed("opentelemetry/exporter/otlp/proto/http/__init__.py") != nil,
    Comment(rawValue: PeerPython.absence)))
struct OTLPExporterTests {
  /// A loaded machine starts Python and flushes its exporters within it.
  private static let patience = Duration.seconds(120)

  private func export(to port: Int, compression: String) async throws -> [String: Any] {
    let python = try #require(PeerPython.found)
    let script = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .appending(path: "Peers/otel_exporter.py")
    let process = Process()
    process.executableURL = URL(filePath: python.path)
    process.arguments = [script.path, "http://127.0.0.1:\(port)", compression, "secret"]
    let output = Pipe()
    process.standardOutput = output
    let ended = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in ended.continuation.finish() }
    try process.run()
    let data = try await Task.detached { try output.fileHandleForReading.readToEnd() ?? Data() }.value
    for await _ in ended.stream {}
    #expect(process.terminationStatus == 0)
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  @Test("spans and logs are joined", arguments: ["none", "gzip"])
  func joined(compression: String) async throws {
    let hub = EvidenceHub(environments: ["prod", "staging"])
    let listener = try await EvidenceListener(
      intake: EvidenceIntake(hub: hub, usual: "prod"), port: 0, token: "secret", logger: Logger(label: "test"))
    let ramp = RampSource(
      flag: try #require(FlagKey(rawValue: "checkout")),
      environment: try #require(EnvironmentName(rawValue: "staging")), variant: "on", ramp: 1, service: nil,
      policy: RampPolicy(guardrails: [
        Guardrail("errors", .errors), Guardrail("purchase", .conversion(within: .seconds(1))),
      ]))
    let now = EvidenceHub.wallClock() - .seconds(1)
    await hub.allocated(RampAllocation(epoch: 1, version: nil, began: now, settled: now), of: ramp)
    let stream = try await hub.tellings(of: ramp)
    let sent = try await export(to: listener.port, compression: compression)
    // Turned once, at the end and in one go: a slow exporter is then no late one.
    var all: [RampTelling] = []
    var reader = stream.makeAsyncIterator()
    let clock = ContinuousClock()
    let deadline = clock.now + Self.patience
    while all.counts(1).trials.all < 200, clock.now < deadline {
      hub.turn(now: EvidenceHub.wallClock() + .seconds(5))
      all += await reader.next() ?? []
    }
    await listener.stop()
    let failed = try #require(sent["failed"] as? [String: Int])
    #expect(all.counts().trials == Cohorts(treatment: 50, control: 150))
    #expect(all.counts().events == Cohorts(treatment: failed["on"] ?? -1, control: failed["off"] ?? -1))
    #expect(all.units == Cohorts(treatment: 50, control: 150))
    #expect(all.counts(1).events == Cohorts(treatment: 5, control: 15))
    #expect(hub.tally(of: ramp.flag, in: ramp.environment)?.alarm == nil)
  }

  @Test("a wrong token sends nothing")
  func wrongToken() async throws {
    let hub = EvidenceHub(environments: ["prod"])
    let listener = try await EvidenceListener(
      intake: EvidenceIntake(hub: hub, usual: "prod"), port: 0, token: "other", logger: Logger(label: "test"))
    var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(listener.port)/v1/flags/events")))
    request.httpMethod = "POST"
    request.httpBody = Data("{}".utf8)
    let (_, refused) = try await URLSession.shared.data(for: request)
    #expect((refused as? HTTPURLResponse)?.statusCode == 401)
    request.setValue("Bearer other", forHTTPHeaderField: "Authorization")
    request.httpBody = Data("{\"type\":\"conversion\",\"unit\":\"a\"}".utf8)
    let (body, taken) = try await URLSession.shared.data(for: request)
    #expect((taken as? HTTPURLResponse)?.statusCode == 200)
    #expect(String(decoding: body, as: UTF8.self).contains("\"taken\":1"))
    await listener.stop()
  }
}
