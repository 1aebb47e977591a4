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
    "max_locks_per_transaction": "1024", "shared_buffers": "64MB", "max_wal_size": "1GB", "lc_messages": "C",
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
  static let superuser = "postgres"

  private var data: String { "\(folder)/data" }
  private var log: String { "\(folder)/log" }

  var lastWords: [String] {
    ServerTool.lastLines((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")
  }

  /// An immediate stop is a matter of milliseconds; a folder without a server ends at once.
  private static let stopSeconds = 10

  func stop() async {
    _ = try? await tool.run("pg_ctl", ["-D", data, "-m", "immediate", "-w", "-t", "\(Self.stopSeconds)", "stop"])
    try? FileManager.default.removeItem(atPath: folder)
  }

  private static func makeFolder(for tool: ServerTool) throws(Outage) -> String {
    let parent = parent
    var path = Array("\(parent)\(prefix)\(getpid())-XXXXXX".utf8CString)
    guard mkdtemp(&path) != nil else {
      throw Outage("disk", "no temporary folder can be made in \(parent): \(String(cString: strerror(errno)))")
    }
    let folder = path.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    if let user = tool.user { chown(folder, user.id, user.group) }
    return folder
  }

  /// Where the folder is made; ends with a slash. In memory where there is room: a copy of a database is a thousand
  /// small files, which a disk that others write to makes now in 0.3 s and now in 5 s.
  private static var parent: String {
    guard ProcessInfo.processInfo.environment["TMPDIR"] == nil, access(memory, W_OK) == 0 else { return temporary }
    var room = statvfs()
    guard statvfs(memory, &room) == 0 else { return temporary }
    return UInt64(room.f_bavail) * UInt64(room.f_frsize) >= leastMemoryBytes ? memory : temporary
  }

  private static let memory = "/dev/shm/"
  /// A server of its own takes 60 MB, a copy of 200 tables 20 MB, its log up to `max_wal_size`.
  private static let leastMemoryBytes: UInt64 = 2 << 30

  private static var temporary: String {
    let given = NSTemporaryDirectory()
    let parent = given.utf8.count > longestFolder - 40 ? "/tmp" : given
    return parent.hasSuffix("/") ? parent : parent + "/"
  }

  /// How long one start may spend on the servers of others, in seconds: the next start goes on.
  private static let sweepSeconds = 20.0

  /// Stops and removes servers whose owners are gone, such as after a kill: nobody else would. Only folders of the
  /// user that our own would have: in a shared `/tmp` anybody can make one of this name.
  static func sweep(_ tool: ServerTool) async {
    let deadline = ContinuousClock.now + .seconds(sweepSeconds)
    let places = [temporary, memory].flatMap { parent in
      ((try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []).map { (parent, $0) }
    }
    for (parent, name) in places where name.hasPrefix(prefix) {
      guard ContinuousClock.now < deadline else { return }
      guard let owner = pid_t(name.dropFirst(prefix.count).prefix { $0.isNumber }) else { continue }
      guard kill(owner, 0) != 0, errno == ESRCH, isOurs("\(parent)\(name)", tool) else { continue }
      await OwnServer(place: "", folder: "\(parent)\(name)", tool: tool).stop()
    }
  }

  private static func isOurs(_ folder: String, _ tool: ServerTool) -> Bool {
    var facts = stat()
    guard lstat(folder, &facts) == 0, facts.st_mode & S_IFMT == S_IFDIR else { return false }
    return facts.st_uid == tool.user?.id ?? getuid()
  }
}
