import Drivers
import Foundation
import Kernel
import Testing

@Suite("Process execution")
struct ProcessExecutionTests {
  private let shell = ProcessExecution(
    "sh", environment: [EnvironmentVariable(name: "PATH", value: standardSearchPath)])

  @Test("both streams and the exit code arrive whole, though the tool ends at once")
  func whole() async throws {
    for _ in 1...30 {
      let done = try await shell.run(
        ["-c", "head -c 60000 /dev/zero; head -c 50000 /dev/zero >&2; exit 3"], timeLimit: .seconds(30))
      #expect(done.code == 3)
      #expect(done.output.count == 60000)
      #expect(done.errorOutput.count == 50000)
    }
  }

  @Test("input reaches the tool")
  func input() async throws {
    #expect(
      try await shell.run(["-c", "tr a-z A-Z"], input: Array("lamp".utf8), timeLimit: .seconds(30)).text == "LAMP")
  }

  @Test("a tool that hangs is an outage")
  func hangs() async throws {
    let outage = await #expect(throws: Outage.self) {
      try await shell.run(["-c", "sleep 60"], timeLimit: .seconds(0.2))
    }
    #expect(outage?.sentence.contains("0.2 s") == true)
  }

  @Test("an absent tool is an outage that says so")
  func absent() async throws {
    let tool = ProcessExecution("no-such-tool", environment: [])
    let outage = await #expect(throws: Outage.self) { try await tool.run([], timeLimit: .seconds(5)) }
    #expect(outage?.sentence.contains("installed") == true)
  }
}
