import API
import ArgumentParser
import Foundation
import Kernel
import Migrations
import StatementProxy

struct DBCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "db", abstract: "Record which statements a version sends to its database.",
    subcommands: [DBRecordCommand.self, DBUploadCommand.self])
}

struct DBRecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: "Record statements through a PostgreSQL proxy, around a command or as a sidecar.",
    discussion: """
      'plimsoll db record -o v41.jsonl -- npm test' starts a proxy on a free port of 127.0.0.1, runs the command with \
      PGHOST, PGPORT and DATABASE_URL leading to it, and ends with the command's exit code.
      'plimsoll db record --listen 127.0.0.1:6432 --upstream db:5432 -o v41.jsonl' records until Ctrl-C or SIGTERM.
      With --upload it tells a server what it has, each minute and at its end; PLIMSOLL_TOKEN holds the server's token.
      No statement is altered. Values are kept as their lengths unless --policy keep (docs/statements.md).
      """)

  @Option(
    name: [.customShort("o"), .customLong("output")], help: "The recording, JSON lines; replaced as it grows.",
    completion: .file(extensions: ["jsonl"]))
  var output: String
  @Option(
    name: .customLong("label"),
    help: ArgumentHelp(
      "The version that is recorded: its digest, or a label such as v41; the output's name when left out.",
      valueName: "version"))
  var label: String?
  @Option(name: .long, help: "The server: HOST:PORT, a socket's folder or a URL; else DATABASE_URL, PGHOST and PGPORT.")
  var upstream: String?
  @Option(name: .long, help: "HOST:PORT for clients; port 0 picks a free one.")
  var listen: String?
  @Option(name: .long, help: ArgumentHelp("What is kept of values: types or keep.", valueName: "policy"))
  var policy: String = RecordingPolicy.types.rawValue
  @Option(name: .long, help: "TLS to the server: disable, require, verify-ca or verify-full; else as sslmode says.")
  var upstreamTLS: String?
  @Option(
    name: .long, help: "PEM file of the roots that the server's certificate must lead to.",
    completion: .file(extensions: ["pem", "crt"]))
  var upstreamRoots: String?
  @Option(
    name: .long, help: "PEM certificate chain for clients; the server's own where it offers channel binding.",
    completion: .file(extensions: ["pem", "crt"]))
  var certificate: String?
  @Option(name: .long, help: "Its PEM key.", completion: .file(extensions: ["pem", "key"]))
  var key: String?
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "Another variable of the command that holds a database's URL. May be repeated.", valueName: "name"))
  var urlVariable: [String] = []
  @Option(
    name: .long,
    help: ArgumentHelp(
      "The Plimsoll server that is told of it, for example http://127.0.0.1:7878.", valueName: "server"))
  var upload: String?
  @Option(name: .long, help: "With --upload: whose statements they are.")
  var service: String?
  @Option(name: .long, help: "With --upload: the artifact that sends them, or its first digits.")
  var digest: String?
  @Argument(parsing: .postTerminator, help: "The command, behind '--'; a sidecar has none.")
  var command: [String] = []

  static let usualListen = ProxyPlace.address(host: "127.0.0.1", port: 0)

  func run() async throws {
    let environment = ProcessInfo.processInfo.environment
    let server = try DatabaseTarget(given: upstream, environment: environment, tls: upstreamTLS, roots: upstreamRoots)
    let session = try RecordingSession(
      listen: try listening(), server: server,
      tls: try ProxyEncryption(clients: try keyPair(), upstream: server.encryption),
      recorder: StatementRecorder(version: version, policy: try recordingPolicy(), reading: .parser),
      output: output, upload: try statementUpload())
    guard !command.isEmpty else {
      guard listen != nil else {
        throw Refusal(
          .malformed, "Nothing to record: write '-- COMMAND' to run one, or --listen HOST:PORT for a sidecar.")
      }
      return try await session.sidecar()
    }
    let code = try await session.around(command, environment: environment, urlVariables: urlVariable)
    if code != 0 { throw ExitCode(code) }
  }

  private func listening() throws(Refusal) -> ProxyPlace {
    guard let listen else { return Self.usualListen }
    let place = try ProxyPlace(listen)
    guard case .address = place else {
      throw Refusal(.malformed, "--listen wants HOST:PORT such as 127.0.0.1:6432, not '\(listen)'.")
    }
    return place
  }

  private func statementUpload() throws -> StatementUpload? {
    guard let upload else {
      guard service == nil, digest == nil else {
        throw Refusal(.malformed, "--service and --digest belong to --upload: name the server too.")
      }
      return nil
    }
    guard let service, let digest else {
      throw Refusal(.malformed, "--upload needs --service NAME and --digest DIGEST: whose statements are they?")
    }
    guard try recordingPolicy() == .types else { throw Recording.holdsValues }
    return StatementUpload(client: try Client(server: upload, data: nil), service: service, digest: digest)
  }

  private var version: String {
    label ?? digest ?? URL(fileURLWithPath: output).deletingPathExtension().lastPathComponent
  }

  private func recordingPolicy() throws(Refusal) -> RecordingPolicy {
    guard let known = RecordingPolicy(rawValue: policy) else {
      throw Refusal(.malformed, "--policy is types or keep, not '\(policy)'.")
    }
    return known
  }

  private func keyPair() throws(Refusal) -> ProxyEncryption.KeyPair? {
    switch (certificate, key) {
    case (let certificate?, let key?): return .init(certificate: certificate, key: key)
    case (nil, nil): return nil
    case (_?, nil), (nil, _?):
      throw Refusal(.malformed, "--certificate and --key go together; name both files.")
    }
  }
}

struct DBUploadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upload", abstract: "Tell the server what a version was recorded to send to its database.",
    discussion: """
      The gate judges the version by it from then on, together with what its artifact holds. Sending it twice changes \
      nothing. Values are never sent: a recording that keeps them is refused.
      """)

  @Option(name: .long, help: "Whose statements they are.")
  var service: String
  @Option(name: .long, help: "The artifact that sends them, or its first digits.")
  var digest: String
  @Argument(
    help: "Recordings of 'plimsoll db record', a .sqlx folder, sqlc's code, pg_stat_statements as CSV, .sql files.",
    completion: .file())
  var files: [String]
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let recordings = try files.map { try Recording(importing: $0) }
    let upload = StatementUpload(client: try options.client(), service: service, digest: digest)
    var all = Receipt(decided: [], positions: [])
    for recording in recordings {
      let receipt = try await upload.send(recording)
      all.decided += receipt.decided
      all.positions += receipt.positions
    }
    try options.show(all)
    if all.decided.isEmpty, !options.json {
      Terminal.standard.line("The server knew all of it already; nothing changed.")
    }
  }
}
