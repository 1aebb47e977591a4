import ArgumentParser
import Foundation
import Kernel
import Logging
import PlimsollFile
import Server

struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Run the server: queue, builds, promotion, rollouts, pages.",
    discussion: "Ctrl-C or SIGTERM stops the server only; what it deployed goes on serving and is found again.")

  static let defaultData = ".plimsoll"

  @Option(name: .shortAndLong, help: "The configuration.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String = PlimsollFile.defaultName
  @Option(name: .long, help: "The data folder (or PLIMSOLL_DATA).", completion: .directory)
  var data: String?
  @Option(name: .long, help: "HOST:PORT instead of the file's; port 0 picks a free one.")
  var listen: String?

  func run() async throws {
    let folder = data ?? ProcessInfo.processInfo.environment["PLIMSOLL_DATA"] ?? Self.defaultData
    let terminal = Terminal.standard
    try await RunningServer.run(file: file, data: folder, listen: try address()) { server in
      terminal.line("plimsoll \(Plimsoll.version) serves \(server.url)")
      if let flags = server.flags { terminal.line("flags at \(flags)") }
      terminal.line("data in \(server.dataFolder); the token for changes is in \(server.dataFolder)/token")
      for warning in server.warnings { terminal.line(terminal.paint("\(warning)", .warning)) }
    }
  }

  private func address() throws -> PlimsollFile.ListenAddress? {
    guard let listen else { return nil }
    guard let colon = listen.lastIndex(of: ":"), let port = Int(listen[listen.index(after: colon)...]),
      (0...65535).contains(port), colon > listen.startIndex
    else { throw Refusal(.malformed, "--listen wants HOST:PORT such as 127.0.0.1:7878, not '\(listen)'.") }
    return PlimsollFile.ListenAddress(host: String(listen[..<colon]), port: port)
  }
}
