import API
import Drivers
import FlagTrials
import Foundation
import Kernel
import Ledger
import Rollouts
import Runtime

/// A folder with a real bare repository of `Examples/harbor`, a configuration, a running `plimsoll serve` and its
/// pages: what the demo and the acceptance runs play in.
final class HarborWorld: Sendable {
  let folder: String
  let example: String
  let ports: [String: Int]
  let client: Client
  private let server: ServerProcess

  var repository: String { "\(folder)/harbor.git" }
  var work: String { "\(folder)/work" }
  var data: String { "\(folder)/data" }
  var file: String { "\(folder)/plimsoll.yaml" }
  private var databaseFile: String { "\(folder)/database.url" }
  var productionURL: String { "http://127.0.0.1:\(ports["production"] ?? 0)" }

  struct Options: Sendable {
    /// Leads to production through the others; production alone for who measures only that.
    var environments = ["integration", "staging", "production"]
    var steps = [10, 50, 100]
    var availability = "99.9%"
    /// Of production: `HARBOR_ERRORS_PER_MILLION`.
    var errorsPerMillion = 0
    var stepMinimum = "4s"
    var finalWatch = "4s"
    var webhook: String?
    /// Of `versions/`, what the trunk begins with, in order.
    var versions: [String] = []
    /// Where production keeps its bookings; for a world whose only environment is production.
    var database: HarborDatabase?
    /// Runs the harbor and has OpenFeature's client; with it the server serves flags and takes evidence.
    var flagPython: PeerPython?
  }

  static let p99 = Span(milliseconds: 250)
  /// Beyond it a request is slow.
  static let slowerThan = Span.seconds(p99.seconds * JudgePolicy.defaultLatencyFactor)

  /// Makes repository and configuration, and starts the server.
  init(example: String, folder: String, options: Options) async throws {
    self.folder = folder
    self.example = example
    guard FileManager.default.fileExists(atPath: "\(example)/plimsoll.yaml") else {
      throw Refusal(.unknown, "\(example) is not the harbor example; run from the repository's root or name --example.")
    }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var ports: [String: Int] = [:]
    for name in ["integration", "staging", "production", "server", "flags", "evidence"] {
      guard let port = freeLoopbackPort() else { throw Outage("network", "no free port on loopback") }
      ports[name] = port
    }
    self.ports = ports
    server = ServerProcess(folder: folder, port: ports["server"] ?? 0)
    client = try server.client()
    try Data("a key that no artifact holds\n".utf8).write(to: URL(filePath: "\(folder)/harbor.key"))
    if let url = options.database?.url { try Data("\(url)\n".utf8).write(to: URL(filePath: databaseFile)) }
    try await makeRepository(options.versions)
    try Data(try configuration(options).utf8).write(to: URL(filePath: file))
    try await server.start()
  }

  // MARK: The server

  func startServer() async throws { try await server.start() }
  func killServer() { server.kill(SIGKILL) }
  func stopServer() async { await server.stop() }
  /// Below it each environment's router has its sockets.
  var routerFolder: String { get throws { try Assembly.socketFolder(DataFolder(at: data)) } }
  var serverPID: Int32? { server.pid }

  /// Stops the server, every instance and every router that it left serving.
  func stopEverything() async {
    await server.stop()
    try? await DownCommand.stopEverything(DataFolder(at: data))
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  // MARK: The repository

  private func makeRepository(_ versions: [String]) async throws {
    let files = FileManager.default
    try files.createDirectory(atPath: work, withIntermediateDirectories: true)
    for name in try files.contentsOfDirectory(atPath: example) where !Self.notPartOfTheService.contains(name) {
      try files.copyItem(atPath: "\(example)/\(name)", toPath: "\(work)/\(name)")
    }
    try await git("init", "--quiet", "--initial-branch", "main", ".")
    for version in versions { try await git("apply", patch("versions", version)) }
    try await git("add", "--all")
    try await git("commit", "--quiet", "--message", "Harbor as it is")
    try await git("branch", Self.beginning)
    try await git("clone", "--quiet", "--bare", ".", repository)
    try await git("remote", "add", "origin", repository)
  }

  private static let notPartOfTheService = [
    "variants", "tests-variants", "versions", "tests-versions", "__pycache__", "dist",
  ]

  /// The commit that everyone branched from, before any change landed.
  private static let beginning = "beginning"

  /// Pushes a branch: a variant's patch on the beginning, as people branch before others land; or, with a marker, one
  /// line on the trunk of now that makes its artifact differ.
  func pushBranch(_ name: String, variants: [String], marker: String? = nil, author: String) async throws {
    try await git("fetch", "--quiet", "origin")
    try await git("checkout", "--quiet", "--force", "-B", name, marker == nil ? Self.beginning : "origin/main")
    for variant in variants { try await git("apply", "--index", patch("variants", variant)) }
    if let marker { try await mark(marker) }
    let told = variants.first.flatMap { subject(of: patch("variants", $0)) }
    try await commitAndPush(name, title: told ?? "Change the marker to \(marker ?? name)", author: author)
  }

  /// Pushes a branch that takes a landed commit back from the trunk of now. The marker makes its artifact differ from
  /// what was there before, so that it goes the whole way too.
  func pushRevert(_ name: String, of commit: String, marker: String, author: String) async throws {
    try await git("fetch", "--quiet", "origin")
    try await git("checkout", "--quiet", "--force", "-B", name, "origin/main")
    let parents = try await git("rev-list", "--parents", "--max-count=1", commit).split(separator: " ").count - 1
    if parents > 1 {
      try await git("revert", "--no-commit", "--mainline", "1", commit)
    } else {
      try await git("revert", "--no-commit", commit)
    }
    try await mark(marker)
    try await commitAndPush(name, title: "Take \(commit.prefix(10)) back", author: author)
  }

  /// Pushes a branch on the trunk of now whose files are those of the beginning with one variant's patch: everything
  /// that landed since goes.
  func pushAnew(_ name: String, variant: String, marker: String, author: String) async throws {
    try await git("fetch", "--quiet", "origin")
    try await git("checkout", "--quiet", "--force", "-B", name, "origin/main")
    try await git("read-tree", "--reset", "-u", Self.beginning)
    try await git("apply", "--index", patch("variants", variant))
    try await mark(marker)
    try await commitAndPush(name, title: subject(of: patch("variants", variant)) ?? variant, author: author)
  }

  /// Pushes a branch of this name on the trunk of now with one of `versions/`.
  func pushVersion(_ version: String, author: String) async throws {
    try await git("fetch", "--quiet", "origin")
    try await git("checkout", "--quiet", "--force", "-B", version, "origin/main")
    try await git("apply", "--index", patch("versions", version))
    try await commitAndPush(version, title: subject(of: patch("versions", version)) ?? version, author: author)
  }

  private func patch(_ kind: String, _ name: String) -> String { "\(example)/\(kind)/\(name).patch" }

  private func mark(_ marker: String) async throws {
    try Data("MARKER = \"\(marker)\"\n".utf8).write(to: URL(filePath: "\(work)/harbor/marker.py"))
    try await git("add", "--", "harbor/marker.py")
  }

  private func commitAndPush(_ name: String, title: String, author: String) async throws {
    try await git(
      "-c", "user.name=\(author)", "-c", "user.email=\(author.lowercased())@harbor.example", "commit", "--quiet",
      "--allow-empty", "--message", title)
    try await git("push", "--quiet", "--force", "origin", "HEAD:refs/heads/\(name)")
  }

  /// A patch's first line: `Subject: …`.
  private func subject(of patch: String) -> String? {
    guard let text = try? String(contentsOfFile: patch, encoding: .utf8),
      let first = text.split(separator: "\n").first, first.hasPrefix("Subject: ")
    else { return nil }
    return String(first.dropFirst("Subject: ".count))
  }

  @discardableResult
  private func git(_ arguments: String...) async throws -> String {
    let process = ProcessExecution(
      "git",
      environment: [
        EnvironmentVariable(name: "GIT_CONFIG_NOSYSTEM", value: "1"),
        EnvironmentVariable(name: "HOME", value: folder),
        EnvironmentVariable(name: "PATH", value: ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"),
      ], workingDirectory: work)
    let finished = try await process.run(
      ["-c", "user.name=Harbor", "-c", "user.email=harbor@example.org"] + arguments, timeLimit: .seconds(30))
    guard finished.code == 0 else {
      throw Outage(
        "git", "git \(arguments.joined(separator: " ")) ended with \(finished.code)", sources: [finished.words])
    }
    return finished.text
  }

  // MARK: The configuration

  private func configuration(_ options: Options) throws -> String {
    let database = try options.database.map { try lines(of: $0) } ?? DatabaseLines()
    let announce = options.webhook.map { "announce:\n  - json: \($0)\n" } ?? ""
    let checks = [
      "integration": "{ integration: ./check-integration }",
      "staging": "{ integration: ./check-integration, load: ./check-load }",
    ]
    let places: [String] = options.environments.filter { $0 != "production" }
      .map { "      \($0): { instances: 1, port: \(ports[$0] ?? 0) }" }
    let policy = [
      "steps: \(options.steps)", "step-minimum: \(options.stepMinimum)", "final-watch: \(options.finalWatch)",
    ]
    let environments: [String] = options.environments.flatMap { name -> [String] in
      let own: [String] = checks[name].map { ["checks: \($0)"] } ?? policy
      return ["  - name: \(name)", "    start-limit: 20s"] + own.map { "    \($0)" }
    }
    return """
      services:
        harbor:
          repository: \(repository)
          test: ./test
          build: \(database.build)
          output: dist
          run: ./run
          ready: /healthz
          instances: 2
          variables:
            HARBOR_NAME: Tidemark
            HARBOR_CURRENCY: EUR
            HARBOR_KEY: file:\(folder)/harbor.key
      \(database.service)\(options.flagPython.map(flagVariables) ?? "")
          slo: { p99: \(Self.p99.milliseconds)ms, availability: \(options.availability) }
          environments:
      \(places.joined(separator: "\n"))
            production:
              port: \(ports["production"] ?? 0)
              memory-limit: 200MB
              variables: { HARBOR_DISCOUNT_PERCENT: "5", HARBOR_ERRORS_PER_MILLION: "\(options.errorsPerMillion)" }
      environments:
      \(environments.joined(separator: "\n"))
      queue: { slots: 2, time-limit: 60s }
      server: { listen: "127.0.0.1:\(ports["server"] ?? 0)" }
      \(announce)\(options.flagPython == nil ? "" : flagLines)
      \(database.place)
      """
  }

  private func flagVariables(_ python: PeerPython) -> String {
    """

          HARBOR_PYTHON: "\(python.path)"
          HARBOR_FLAGS: "http://127.0.0.1:\(ports["flags"] ?? 0)"
          HARBOR_EVIDENCE: "http://127.0.0.1:\(ports["evidence"] ?? 0)"
    """
  }

  private var flagLines: String {
    """
    flags: { listen: "127.0.0.1:\(ports["flags"] ?? 0)", evidence: "127.0.0.1:\(ports["evidence"] ?? 0)" }

    """
  }

  /// What a configuration says of the database; nothing where there is none.
  private struct DatabaseLines {
    var build = "./build"
    var service = ""
    var place = ""
  }

  /// The build records what it sends through this very binary.
  private func lines(of database: HarborDatabase) throws -> DatabaseLines {
    let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return DatabaseLines(
      build: "\"DATABASE_URL='\(database.serverURL)' PLIMSOLL='\(program)' ./build\"",
      service: """
              DATABASE_URL: file:\(databaseFile)
            database: { name: bookings, statements: statements.jsonl }
        """,
      place: """
        databases:
          bookings:
            migrations: db/migrations
            environments:
              production: { url: file:\(databaseFile) }
        """)
  }

  var traffic: [RequestShape] {
    get throws {
      try JSONDecoder().decode(
        [RequestShape].self, from: try Data(contentsOf: URL(filePath: "\(example)/traffic.json")))
    }
  }
}
