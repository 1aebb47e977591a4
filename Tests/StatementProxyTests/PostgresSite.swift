import Foundation
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A real PostgreSQL in a folder of its own, with passwords by SCRAM-SHA-256 and TLS; stopped with the object.
final class PostgresSite: Sendable {
  static let user = "postgres"
  static let password = "rigging"

  let folder: String
  let port: Int

  init() async throws {
    folder = NSTemporaryDirectory() + "proxy-site-\(UUID().uuidString.prefix(8))"
    port = try #require(Loopback.freePort())
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
    try "\(Self.password)\n".write(toFile: "\(folder)/password", atomically: true, encoding: .utf8)
    try await KeyPair.server.write(to: folder, name: "server")
    try await KeyPair.other.write(to: folder, name: "other")
    if getuid() == 0 { _ = try await Client.run(["chown", "-R", "postgres", folder]) }
    let made = try await server(
      "initdb", "-D", "\(folder)/data", "-A", "scram-sha-256", "-U", Self.user, "--pwfile", "\(folder)/password",
      "--no-sync", "--locale=C", "--encoding=UTF8")
    try #require(made.code == 0, "initdb: \(made.error)")
    try await start()
  }

  func start() async throws {
    let options =
      "-p \(port) -c listen_addresses=127.0.0.1 -c unix_socket_directories=\(folder) -c fsync=off -c ssl=on "
      + "-c ssl_cert_file=\(folder)/server.crt -c ssl_key_file=\(folder)/server.key -c max_connections=40"
    let started = try await server(
      "pg_ctl", "-D", "\(folder)/data", "-l", "\(folder)/log", "-o", options, "-w", "-t", "60", "start")
    try #require(started.code == 0, "pg_ctl: \(started.error) \(started.output)")
  }

  /// As an administrator does: sessions are told and ended.
  func stop() async throws {
    _ = try await server("pg_ctl", "-D", "\(folder)/data", "-m", "fast", "-w", "stop")
  }

  deinit {
    if let text = try? String(contentsOfFile: "\(folder)/data/postmaster.pid", encoding: .utf8),
      let pid = Int32(text.split(separator: "\n").first ?? "")
    {
      kill(pid, SIGQUIT)
      // It writes into its folder until it is gone.
      for _ in 0..<500 where kill(pid, 0) == 0 { usleep(10_000) }
    }
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// The server refuses to run as root.
  private func server(_ command: String...) async throws -> Client.Answer {
    let found = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql").sorted().last
    let path = "/usr/lib/postgresql/\(try #require(found))/bin/" + command[0]
    let become = getuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
    return try await Client.run(become + [path] + command.dropFirst())
  }
}

/// Programs of a person who uses a database, run to their end.
enum Client {
  struct Answer: Sendable {
    var code: Int32
    var output: String
    var error: String
  }

  /// Foundation's own way of starting programs waits for their children too, and `pg_ctl` leaves one behind.
  static func run(
    _ command: [String], environment: [String: String] = [:], input: String = "",
    started: (pid_t) -> Void = { _ in }
  ) async throws -> Answer {
    let folder = NSTemporaryDirectory() + "client-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try input.write(toFile: "\(folder)/in", atomically: false, encoding: .utf8)
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    posix_spawn_file_actions_addopen(&files, 0, "\(folder)/in", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&files, 1, "\(folder)/out", O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&files, 2, "\(folder)/err", O_WRONLY | O_CREAT, 0o600)
    let variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"].merging(environment) { $1 }
    // The threads that tasks run on block signals, and a child inherits that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var words = command.map { strdup($0) } + [nil]
    var settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in words + settings { free(word) } }
    var pid: pid_t = 0
    let failure = posix_spawnp(&pid, command[0], &files, &attributes, &words, &settings)
    try #require(failure == 0, "\(command[0]) cannot be started: \(failure)")
    started(pid)
    let child = pid
    let code: Int32 = await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        continuation.resume(returning: status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F))
      }
    }
    func text(_ name: String) -> String { (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? "" }
    return Answer(code: code, output: text("out"), error: text("err"))
  }

  /// The environment in which libpq's programs connect to `port`.
  static func environment(_ port: Int, _ more: [String: String] = [:]) -> [String: String] {
    [
      "PGHOST": "127.0.0.1", "PGPORT": "\(port)", "PGUSER": PostgresSite.user, "PGPASSWORD": PostgresSite.password,
      "PGDATABASE": "postgres", "PGCONNECT_TIMEOUT": "60", "PGSSLMODE": "disable",
    ].merging(more) { $1 }
  }

  /// `script` by psql, unaligned and without headings.
  static func psql(
    _ script: String, _ port: Int, _ more: [String: String] = [:], started: (pid_t) -> Void = { _ in }
  ) async throws -> Answer {
    try await run(
      ["psql", "-XAtq", "-v", "ON_ERROR_STOP=0"], environment: environment(port, more), input: script, started: started)
  }
}

enum Loopback {
  /// Free until somebody else takes it.
  static func freePort() -> Int? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    return isBound ? Int(UInt16(bigEndian: address.sin_port)) : nil
  }
}

/// Two self-signed certificates with their keys.
struct KeyPair: Sendable {
  let name: String

  static let server = KeyPair(name: "localhost")
  static let other = KeyPair(name: "proxy.example")

  func write(to folder: String, name file: String) async throws {
    let made = try await Client.run([
      "openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=\(name)",
      "-out", "\(folder)/\(file).crt", "-keyout", "\(folder)/\(file).key",
    ])
    try #require(made.code == 0, "openssl: \(made.error)")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder)/\(file).key")
  }
}
