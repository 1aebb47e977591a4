import API
import ControlPlane
import Foundation
import Kernel
import Migrations
import Testing

@testable import Server

/// Taking what a sidecar recorded, over the real machine.
@Suite struct StatementRouteTests {
  private static let orders = Harbor.parsed(DatabaseName(rawValue: "orders"))
  private static let digest = Harbor.digest("artifact of \(Harbor.commit("first"))")
  private static let path = "/v1/statements/harbor/\(digest.rawValue)"
  private static let jsonl = authorized.map { $0.0 == "Content-Type" ? ($0.0, "application/jsonl") : $0 }

  private static func policy(_ environment: EnvironmentName) -> DatabaseSchema.Policy {
    DatabaseSchema.Policy(
      place: SchemaPlace(environment, orders), repository: Harbor.repository, trunk: Harbor.trunk, path: "db",
      services: [.init(service: Harbor.service, repository: Harbor.repository, statements: nil)])
  }

  /// The harbor with a database in two environments.
  private func withDatabase(_ body: @Sendable (Wire, ScriptedBackend) async throws -> Void) async throws {
    var harbor = try Harbor.rich()
    let policies = [Self.policy(Harbor.production), Self.policy(Harbor.staging)]
    harbor.topology = Topology(
      queues: harbor.topology.queues, services: harbor.topology.services, databases: policies)
    for policy in policies { try harbor.tell(.schema(policy.place), .schema(.configure(policy))) }
    try await withServer(harbor, body)
  }

  private static func recording(many count: Int) throws -> String {
    try recording((0..<count).map { "f\($0)" }, version: "v41")
  }

  private static func recording(
    _ fingerprints: String..., version: String = "v41", policy: RecordingPolicy = .types, sample: SampleValue? = nil
  ) throws -> String {
    try recording(fingerprints, version: version, policy: policy, sample: sample)
  }

  private static func recording(
    _ fingerprints: [String], version: String, policy: RecordingPolicy = .types, sample: SampleValue? = nil
  ) throws -> String {
    let recording = Recording(
      heading: Recording.Heading(version: version, policy: policy),
      statements: fingerprints.map {
        RecordedStatement(
          fingerprint: $0, text: "SELECT \($0) FROM bookings", transport: .extended,
          samples: sample.map { [[$0]] } ?? [], count: 3)
      })
    return try recording.lines.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
      .joined(separator: "\n")
  }

  private func check(
    _ wire: Wire, _ body: String, at path: String = Self.path, headers: [(String, String)] = Self.jsonl,
    answers status: Int = 200, saying words: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let answer = try await wire.send("POST", path, headers: headers, body: body)
    #expect(answer.status == status, "\(answer.body)", sourceLocation: sourceLocation)
    #expect(answer.body.contains(words), "\(answer.body)", sourceLocation: sourceLocation)
  }

  private func held(_ backend: ScriptedBackend, _ environment: EnvironmentName) async throws -> StatementSet? {
    guard case .schema(let state)? = await backend.state(of: .schema(SchemaPlace(environment, Self.orders))),
      let blob = state.upload(of: Harbor.service, Self.digest)
    else { return nil }
    return await backend.kept[blob]
  }

  @Test func whatIsSentReachesEveryDatabaseOfTheService() async throws {
    try await withDatabase { wire, backend in
      try await check(wire, Self.recording("a"), saying: "to production/orders: it is judged by all of it.")
      for environment in [Harbor.production, Harbor.staging] {
        #expect(try await held(backend, environment)?.statements.map(\.fingerprint) == ["a"])
      }
      try await check(wire, Self.recording("a"), saying: #""decided":[]"#)
      try await check(wire, Self.recording("b", "a"), saying: "staging/orders")
      let joined = try await held(backend, Harbor.production)
      #expect(joined?.statements.map(\.fingerprint) == ["a", "b"] && joined?.version == Self.digest.rawValue)
      // Nobody restarts from the beginning because a part comes twice.
      try await check(wire, Self.recording("b"), saying: #""decided":[]"#)
      let short = "/v1/statements/harbor/\(Self.digest.hex.prefix(12))"
      try await check(wire, Self.recording("c"), at: short, saying: "staging/orders")
    }
  }

  @Test func twoSendersLoseNothing() async throws {
    try await withDatabase { wire, backend in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<6 {
          group.addTask { try await check(wire, Self.recording("s\(number)"), saying: "decided") }
        }
        try await group.waitForAll()
      }
      #expect(
        try await held(backend, Harbor.staging)?.statements.map(\.fingerprint) == (0..<6).map { "s\($0)" })
    }
  }

  @Test func valuesAreNeverKept() async throws {
    try await withDatabase { wire, backend in
      try await check(
        wire, Self.recording("a", policy: .keep), answers: 400, saying: "record with --policy types")
      try await check(wire, Self.recording("a", sample: .text("secret")), saying: "decided")
      #expect(try await held(backend, Harbor.staging)?.statements.first?.samples == [[.redacted(bytes: 6)]])
    }
  }

  @Test func whatCannotBeTakenIsRefusedInPlainWords() async throws {
    try await withDatabase { wire, backend in
      let whole = try Self.recording("a", "b")
      try await check(wire, whole, at: "/v1/statements/harbour/abcd", answers: 404, saying: "did you mean harbor?")
      try await check(
        wire, whole, at: "/v1/statements/harbor/sha256:\(String(repeating: "0", count: 64))", answers: 404,
        saying: "No artifact of harbor begins with")
      try await check(
        wire, Self.recording("a", version: Harbor.digest("other").rawValue), answers: 400,
        saying: "name the digest that it is of")
      try await check(wire, whole, headers: authorized, answers: 415, saying: "application/jsonl")
      try await check(
        wire, whole, headers: [("Content-Type", "application/jsonl")], answers: 401, saying: "token")
      let cut = whole.split(separator: "\n").dropLast().joined(separator: "\n")
      try await check(wire, cut, answers: 400, saying: "the recording has lost lines")
      try await check(wire, String(whole.dropLast(4)), answers: 400, saying: "the file was cut off or changed")
      try await check(wire, "", answers: 400, saying: "the recording is empty")
      try await check(
        wire, String(repeating: "x", count: ChangingRoutes.recordingLimit + 1), answers: 413,
        saying: "look what makes so many statements differ")
      let many = try Self.recording(many: StatementSet.maximalStatements + 1)
      #expect(try await held(backend, Harbor.staging) == nil)
      try await check(wire, many, answers: 413, saying: "different statements of one version")
      for environment in [Harbor.production, Harbor.staging] {
        let known = try await held(backend, environment)
        #expect(known?.statements.isEmpty == true && known?.leftOut == StatementSet.maximalStatements + 1)
      }
    }
  }

  @Test func aSenderThatDiesHalfWayChangesNothing() async throws {
    try await withDatabase { wire, backend in
      let whole = try Self.recording("a")
      // More is announced than comes, and what came is a whole recording.
      let half = Self.jsonl + [("Content-Length", "\(whole.utf8.count + 100)")]
      await #expect(throws: Wire.Broken.self) { try await wire.sendHalf(Self.path, headers: half, body: whole) }
      #expect(try await held(backend, Harbor.staging) == nil)
      try await check(wire, whole, saying: "decided")
      #expect(try await held(backend, Harbor.staging)?.statements.count == 1)
    }
  }

  @Test func aServiceWithoutADatabaseHasNothingToTell() async throws {
    try await withServer { wire, _ in
      try await check(wire, Self.recording("a"), answers: 409, saying: "harbor uses no database")
    }
  }
}
