import Foundation
import Kernel
import Subprocess

/// One run of the server's own tools (`initdb`, `pg_ctl`, `pg_dump`), as a user that may run a server: PostgreSQL refuses root.
struct ServerTool: Sendable {
  /// Longest words kept of a tool, in bytes.
  static let outputLimitBytes = 1 << 20
  /// The user that Debian's and Red Hat's packages make for the server.
  static let account = "postgres"

  /// Gives up root for another program. A child that is forked beside other threads cannot do it itself: glibc tells
  /// every thread of a new identity, and waits for those that the fork did not copy.
  static let setpriv = "/usr/bin/setpriv"

  let binaries: ServerBinaries
  /// nil: the user that we are.
  let user: (id: uid_t, group: gid_t)?
  /// Beside what every tool gets.
  private let environment: [String: String]

  /// As the user that we are: for tools that only talk to servers.
  init(binaries: ServerBinaries, environment: [String: String]) {
    self.binaries = binaries
    user = nil
    self.environment = environment
  }

  init(binaries: ServerBinaries) throws(Refusal) {
    self.binaries = binaries
    environment = [:]
    guard getuid() == 0 else {
      user = nil
      return
    }
    guard let entry = getpwnam(Self.account) else {
      throw Refusal(
        .notNow, "PostgreSQL does not run as root and there is no user \(Self.account); run this as another user")
    }
    guard access(Self.setpriv, X_OK) == 0 else {
      throw Refusal(
        .notNow, "PostgreSQL does not run as root and \(Self.setpriv) is missing (util-linux); run this as another user"
      )
    }
    user = (entry.pointee.pw_uid, entry.pointee.pw_gid)
  }

  /// - Returns: what it said on both streams.
  /// - Throws: `Outage` when it cannot be started or ends with another code than 0.
  @discardableResult
  func run(_ name: String, _ arguments: [String]) async throws -> String {
    var options = PlatformOptions()
    options.processGroupID = 0
    var command = ["\(binaries.folder)/\(name)"] + arguments
    if let user {
      command = [Self.setpriv, "--reuid=\(user.id)", "--regid=\(user.group)", "--clear-groups", "--"] + command
    }
    let (status, said) = try await launch(command, options)
    guard case .exited(0) = status else {
      throw Outage("postgres", "\(name) failed", sources: Self.lastLines(said))
    }
    return said
  }

  private var variables: [Environment.Key: String] {
    var all: [Environment.Key: String] = ["PATH": "\(binaries.folder):/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"]
    for (name, value) in environment { all[Environment.Key(stringLiteral: name)] = value }
    return all
  }

  private func launch(
    _ command: [String], _ options: PlatformOptions
  ) async throws(Outage) -> (TerminationStatus, String) {
    do {
      let result = try await Subprocess.run(
        .path(.init(command[0])), arguments: Arguments(Array(command.dropFirst())),
        environment: .custom(variables),
        workingDirectory: "/", platformOptions: options, input: .none, output: .bytes(limit: Self.outputLimitBytes),
        error: .bytes(limit: Self.outputLimitBytes))
      return (result.terminationStatus, String(decoding: result.standardOutput + result.standardError, as: UTF8.self))
    } catch {
      throw Outage("postgres", "\(command[0]) could not be run; check \(binaries.folder)", sources: ["\(error)"])
    }
  }

  /// Lines kept of what a tool or a server said last.
  static let keptLines = 8

  static func lastLines(_ text: String) -> [String] {
    text.split(whereSeparator: \.isNewline).suffix(keptLines).map(String.init)
  }
}
