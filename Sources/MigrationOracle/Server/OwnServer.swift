import Foundation
import Kernel

/// A server that we started in a temporary folder, and stop.
final class OwnServer: Sendable {
  /// Longest folder for a unix socket: the address holds 107 bytes (unix(7)), the socket's name takes 14.
  static let longestFolder = 90
  /// Names our folders; the owner's process number follows.
  private static let prefix = "plimsoll-shadow-"
  /// Without durability, without listening: for checks alone. Locks: whole histories run in one transaction.
  private static let settings = [
    "listen_addresses": "''", "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off", "jit": "off", "max_connections": "100",
    "max_locks_per_transaction": "1024", "shared_buffers": "64MB", "max_wal_size": "4GB", "lc_messages": "C",
    "logging_collector": "off", "max_prepared_transactions": "10",
  ]

  let place: String
  private let folder: String
  private let tool: ServerTool

  private init(place: String, folder: String, tool: ServerTool) {
    self.place = place
    self.folder = folder
    self.tool = tool
  }

  static func start(binaries: ServerBinaries) async throws -> OwnServer {
    let tool = try ServerTool(binaries: binaries)
    await sweep(tool)
    let folder = try makeFolder(for: tool)
    let server = OwnServer(
      place: "host='\(folder)' port=\(port) user=\(superuser) dbname=postgres", folder: folder, tool: tool)
    do {
      try await tool.run(
        "initdb",
        [
          "-D", server.data, "-A", "trust", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C.UTF-8",
          "-U", superuser,
        ])
      let options = settings.sorted { $0.key < $1.key }.map { "-c \($0.key)=\($0.value)" }.joined(separator: " ")
      try await tool.run(
        "pg_ctl",
        [
          "-D", server.data, "-w", "-t", "\(ShadowServer.startSeconds)", "-l", server.log, "-o",
          "\(options) -p \(port) -k '\(folder)'", "start",
        ])
      return server
    } catch let outage as Outage {
      let words = server.lastWords
      await server.stop()
      throw Outage(
        "shadow", "the server could not be started: \(outage.sentence); make room in \(folder) or give a server's URL",
        sources: outage.sources + words)
    }
  }

  /// Not the machine's own server's, though the socket's folder keeps them apart already.
  private static let port = 5432
  /// So named because some histories grant to it.
  private static let superuser = "postgres"

  private var data: String { "\(folder)/data" }
  private var log: String { "\(folder)/log" }

  var lastWords: [String] {
    ServerTool.lastLines((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
  }

  func stop() async {
    _ = try? await tool.run("pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"])
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func makeFolder(for tool: ServerTool) throws(Outage) -> String {
    let given = NSTemporaryDirectory()
    let parent = given.utf8.count > longestFolder - 40 ? "/tmp" : given
    let joined = parent.hasSuffix("/") ? parent : parent + "/"
    var path = Array("\(joined)\(prefix)\(getpid())-XXXXXX".utf8CString)
    guard mkdtemp(&path) != nil else {
      throw Outage("disk", "no temporary folder can be made in \(parent): \(String(cString: strerror(errno)))")
    }
    let folder = path.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    if let user = tool.user { chown(folder, user.id, user.group) }
    return folder
  }

  /// Stops and removes servers whose owners are gone, such as after a kill: nobody else would.
  private static func sweep(_ tool: ServerTool) async {
    let parent = NSTemporaryDirectory()
    for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? [] where name.hasPrefix(prefix) {
      guard let owner = pid_t(name.dropFirst(prefix.count).prefix { $0.isNumber }) else { continue }
      guard kill(owner, 0) != 0, errno == ESRCH else { continue }
      let folder = parent.hasSuffix("/") ? parent + name : "\(parent)/\(name)"
      await OwnServer(place: "", folder: folder, tool: tool).stop()
    }
  }
}
