import Testing

@testable import MigrationOracle

/// One PostgreSQL server for a whole suite, gone after it.
struct ShadowTrait: SuiteTrait, TestScoping {
  @TaskLocal static var oracle: Oracle?
  @TaskLocal static var server: ShadowServer?

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let server = try await ShadowServer.start()
    do {
      try await Self.$server.withValue(server) {
        try await Self.$oracle.withValue(Oracle(server: server, readyClones: 0)) { try await function() }
      }
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }
}

extension SuiteTrait where Self == ShadowTrait {
  static var shadow: ShadowTrait { ShadowTrait() }
}
