import API
import Drivers
import Foundation
import Kernel
import Runtime

/// A small repository, a `plimsoll.yaml` with one queue, and a `plimsoll serve` that may be killed and started again.
/// Nothing is delivered from here: what lands is not built.
final class QueueWorld: Sendable {
  struct Options: Sendable {
    /// How long CI takes, beside the moment in which it names its tree.
    var ciSeconds: Double
    var slots: Int
    /// More of `queue:`, such as `mode: batch`.
    var keys: [String] = []
    /// The server's binary.
    var program = "/proc/self/exe"
  }

  let folder: String
  let repository: QueueRepository
  let client: Client
  private let server: ServerProcess
  private let program: String

  private var data: String { "\(folder)/data" }
  private var book: String { "\(folder)/ci-book" }
  /// The name of the queue's repository.
  static let name = "small"
  /// How often the server is asked while something is waited for.
  static let look = Duration.milliseconds(50)

  /// Makes all of it, and starts the server.
  init(folder: String, options: Options) async throws {
    self.folder = folder
    program = options.program
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    repository = QueueRepository(folder: folder)
    try await repository.make()
    guard let port = freeLoopbackPort() else { throw Outage("network", "no free port on loopback") }
    server = ServerProcess(folder: folder, port: port, program: options.program)
    client = try server.client()
    try Data(ci(options).utf8).write(to: URL(filePath: "\(folder)/ci"))
    try Data(configuration(options, port: port).utf8).write(to: URL(filePath: "\(folder)/plimsoll.yaml"))
    try await server.start()
  }

  // MARK: The server

  func startServer() async throws { try await server.start() }
  func stopServer() async { await server.stop() }
  func killServer() async { await server.killAndWait() }

  /// Kills every command that a dead server left, as a restart of the machine would.
  func killCommands() {
    for pid in Self.processes(markedBelow: "\(data)/runs/") { kill(pid, SIGKILL) }
  }

  private static func processes(markedBelow folder: String) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap(Int32.init).filter { pid in
      let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
      return bytes.split(separator: 0).contains {
        String(decoding: $0, as: UTF8.self).hasPrefix("PLIMSOLL_RUN=\(folder)")
      }
    }
  }

  /// Nil when the ledger is what was written, else what is wrong.
  func ledgerFault() async throws -> String? {
    let verifier = ProcessExecution(program, environment: [], workingDirectory: folder)
    let said = try await verifier.run(["ledger", "verify", "--data", data], timeLimit: .seconds(120))
    return said.code == 0 ? nil : said.text
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  // MARK: The queue

  func queue() async throws -> QueueView { try await client.get("/v1/queues/\(Self.name)") }

  func submit(_ branch: String) async throws -> Int {
    let receipt: Receipt = try await client.post("/v1/changes", SubmitRequest(branch: branch))
    guard let entry = receipt.entry else { throw Outage("plimsoll", "\(branch) was taken without a number") }
    return entry
  }

  func report(_ check: CheckRequest, of entry: Int) async throws {
    let _: Receipt = try await client.post("/v1/changes/\(Self.name)/\(entry)/checks", check)
  }

  /// Waits for its end, which must be on the trunk.
  func landed(_ entry: Int, within limit: Span) async throws -> FinishedView {
    let deadline = Instant.now + limit
    while Instant.now < deadline {
      if let finished = try await queue().finished.first(where: { $0.entry == entry }) {
        guard finished.outcome == "landed" else {
          throw Refusal(.notNow, "\(finished.branch) did not land: \(finished.sentence)")
        }
        return finished
      }
      try await Task.sleep(for: Self.look)
    }
    throw Outage("queue", "#\(entry) did not land within \(Int(limit.seconds)) s")
  }

  // MARK: CI

  /// What CI wrote down so far, oldest first.
  func checkedTrees() throws -> [QueueAudit.CheckedTree] {
    guard FileManager.default.fileExists(atPath: book) else { return [] }
    return try String(contentsOfFile: book, encoding: .utf8).split(separator: "\n").map { line in
      guard let checked = QueueAudit.CheckedTree(line: line) else {
        throw Outage("ci", "CI's book has a line that cannot be read: \(line)")
      }
      return checked
    }
  }

  /// It names the tree by what lies in its checkout, so that what the server says of it is not asked. A line this short
  /// is appended whole.
  private func ci(_ options: Options) -> String {
    """
    #!/bin/sh
    began=$(date +%s%3N)
    export GIT_CONFIG_NOSYSTEM=1 GIT_DIR="$TMPDIR/tree" GIT_WORK_TREE="$PWD"
    git init --quiet && git add --all --force . && tree=$(git write-tree) || exit 9
    echo "began $tree $began" >> '\(book)'
    end() { echo "$1 $tree $(date +%s%3N)" >> '\(book)'; }
    sleep \(options.ciSeconds)
    if grep -qsx bad changes/*; then end failed; echo a bad change; exit 1; fi
    for one in pairs/*-one; do
      if [ -e "$one" ] && [ -e "${one%-one}-two" ]; then end failed; echo two that break together; exit 1; fi
    done
    end passed

    """
  }

  private func configuration(_ options: Options, port: Int) -> String {
    let keys = (["slots: \(options.slots)", "time-limit: 5m"] + options.keys).map { "  \($0)" }
    return """
      services:
        \(Self.name):
          repository: \(repository.bare)
          test: sh \(folder)/ci
          build: "echo nothing is delivered from here; exit 1"
          output: dist
          run: "exit 1"
          slo: { p99: 250ms }
      environments:
        - { name: production, judged: false }
      queue:
      \(keys.joined(separator: "\n"))
      server: { listen: "127.0.0.1:\(port)" }

      """
  }
}
