import Foundation
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

@Suite("The ends of processes") struct ProcessEndsTests {
  /// A wait that is not woken lasts this long, and the test fails.
  private static let never = Duration.seconds(20)

  private func sleeper() throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
    process.arguments = ["300"]
    try process.run()
    return process
  }

  /// Not asked but made to: a test's children may have inherited that SIGTERM is ignored.
  private func end(_ process: Process) { kill(process.processIdentifier, SIGKILL) }

  private func waited(_ ends: ProcessEnds, atMost limit: Duration = Self.never) async -> Duration {
    await ContinuousClock().measure { await ends.wait(atMost: limit) }
  }

  @Test("wake who waits, one after the other, before as well as during the wait") func wake() async throws {
    let (first, second) = (try sleeper(), try sleeper())
    defer { for process in [first, second] where process.isRunning { end(process) } }
    let ends = ProcessEnds()
    #expect(ends.follow([first.processIdentifier, second.processIdentifier]))
    end(first)
    #expect(await waited(ends) < Self.never)
    #expect(ends.follow([second.processIdentifier]))
    async let during = waited(ends)
    end(second)
    #expect(await during < Self.never)
  }

  @Test("of others wake nobody, and a wait ends with its limit or its task") func others() async throws {
    let process = try sleeper()
    defer { if process.isRunning { end(process) } }
    let ends = ProcessEnds()
    #expect(ends.follow([process.processIdentifier]))
    #expect(ends.follow([]))
    end(process)
    process.waitUntilExit()
    let limit = Duration.milliseconds(300)
    #expect(await waited(ends, atMost: limit) >= limit)
    let waiting = Task { await self.waited(ProcessEnds()) }
    waiting.cancel()
    #expect(await waiting.value < Self.never)
  }

  @Test("that nobody can follow are said so") func unknown() async throws {
    let process = try sleeper()
    end(process)
    process.waitUntilExit()
    #expect(!ProcessEnds().follow([process.processIdentifier]))
  }
}
