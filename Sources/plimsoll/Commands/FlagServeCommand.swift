import ArgumentParser
import FlagServing
import FlagdServing
import Foundation
import Kernel
import Logging

struct FlagServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve flags from a file of definitions.",
    discussion: """
      Speaks OFREP, Unleash's client API below /api, and with --grpc-port or --sync-port flagd's gRPC \
      (docs/flag-serving.md). The file is followed: a changed one is served at once, a faulty one is told \
      of and the version before goes on.
      With --handover a new process takes over from the one that serves, and no connection is refused in between.
      """)

  @Option(name: .long, help: "Definitions: flagd's JSON, or Plimsoll's.", completion: .file(extensions: ["json"]))
  var definitions: String
  @Option(name: .long, help: "The IP address to listen on.")
  var host = "127.0.0.1"
  @Option(name: .long, help: "0 picks a free one.")
  var port = 8016
  @Option(name: .long, help: "flagd's gRPC services, evaluation and sync; by convention 8013.")
  var grpcPort: Int?
  @Option(name: .long, help: "The same on another port, where clients look for sync; by convention 8015.")
  var syncPort: Int?
  @Option(name: .long, help: "The environment's name.")
  var environment = "default"
  @Option(name: .long, help: "A file with the token that clients must send.", completion: .file())
  var tokenFile: String?
  @Option(name: .long, help: "Where a new process asks the old one for its socket.", completion: .file())
  var handover: String?
  @Option(name: .long, help: "Threads that answer; as many as there are cores, unless you say.")
  var threads: Int?
  @Option(name: .long, help: "Seconds that requests under way get when the server stops.")
  var drain = 10

  func run() async throws {
    let terminal = Terminal.standard
    var logger = Logger(label: "plimsoll.flags")
    logger.logLevel = .notice
    try await RunningFlagServer(
      definitions: definitions, host: host, port: port, flagdPorts: [grpcPort, syncPort].compactMap { $0 },
      environment: environment, token: try token(), handover: handover, threads: threads,
      drain: .seconds(max(0, drain)), logger: logger
    ).run { facts in
      terminal.line("plimsoll \(Plimsoll.version) serves \(facts.flags) flags at http://\(host):\(facts.port)")
      for port in facts.flagdPorts { terminal.line("flagd's gRPC at \(host):\(port)") }
      if facts.tookOver { terminal.line("took over from the process before; version \(facts.version)") }
    }
  }

  private func token() throws -> String? {
    guard let tokenFile else { return nil }
    guard let text = try? String(contentsOfFile: tokenFile, encoding: .utf8),
      case let token = text.trimmingCharacters(in: .whitespacesAndNewlines), !token.isEmpty
    else { throw Refusal(.malformed, "The token file \(tokenFile) cannot be read or is empty: write a token into it.") }
    return token
  }
}
