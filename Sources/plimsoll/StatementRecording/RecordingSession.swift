import Foundation
import Kernel
import Migrations
import StatementProxy

/// A proxy that runs and writes its recording, around a command or until it is told to stop.
struct RecordingSession: Sendable {
  private let server: DatabaseTarget
  /// Where a command on this machine reaches the proxy.
  private let host: String
  private let isEncrypted: Bool
  private let recorder: StatementRecorder
  private let proxy: StatementProxy
  private let writer: RecordingWriter
  private let output: String
  /// Nil where nothing is sent.
  private let uploads: UploadRounds?
  private let upload: StatementUpload?

  init(
    listen: ProxyPlace, server: DatabaseTarget, tls: ProxyEncryption, recorder: StatementRecorder, output: String,
    upload: StatementUpload? = nil
  ) throws {
    self.server = server
    self.recorder = recorder
    self.output = output
    self.upload = upload
    uploads = upload.map { UploadRounds(recorder, $0, notice: Self.notice) }
    isEncrypted = tls.isOffered
    switch listen {
    case .address(let named, _) where !["0.0.0.0", "::", "*"].contains(named): host = named
    case .address, .socket: host = "127.0.0.1"
    }
    proxy = StatementProxy(listen: listen, upstream: server.place, tls: tls, recorder: recorder, notice: Self.notice)
    writer = RecordingWriter(recorder, to: RecordingFile(at: output), notice: Self.notice)
  }

  /// Standard output belongs to the command.
  private static let notice: @Sendable (String) -> Void = { sentence in
    try? FileHandle.standardError.write(contentsOf: Data("plimsoll: \(sentence)\n".utf8))
  }

  /// - Returns: the command's exit code; 128 and its number for a signal.
  func around(_ command: [String], environment: [String: String], urlVariables: [String]) async throws -> Int32 {
    let port = try await start()
    let code: Int32
    do {
      let changed = try server.environment(
        environment, host: host, port: port, encrypted: isEncrypted, urlVariables: urlVariables)
      code = try await ForegroundCommand(command, environment: changed).run()
    } catch {
      try await stop()
      throw error
    }
    do {
      try await stop()
    } catch {
      // What failed first is what the caller must hear of.
      guard code != 0 else { throw error }
      Self.notice("\(error)")
    }
    return code
  }

  func sidecar() async throws {
    let port = try await start()
    Self.notice("records statements for \(server.place) on port \(port) into \(output); Ctrl-C ends it.")
    await Interruption.wait()
    try await stop()
  }

  private func start() async throws -> Int {
    try writer.start()
    let port = try await proxy.start()
    uploads?.start()
    return port
  }

  private func stop() async throws {
    await proxy.stop()
    var unwritten: Outage?
    do throws(Outage) { try await writer.stop() } catch { unwritten = error }
    let recording = recorder.recording()
    let failed = recording.statements.count { $0.captured == nil }
    if unwritten == nil {
      Self.notice(
        "recorded \(recording.statements.count - failed) statements of \(recording.heading.connections) connections into "
          + "\(output)" + (failed > 0 ? "; \(failed) more never succeeded and are no evidence." : "."))
    }
    if recording.heading.connections == 0 {
      Self.notice(
        "nothing connected to the proxy: does the command take its server from PGHOST, PGPORT or DATABASE_URL?")
    }
    if !recording.heading.leftOut.isNothing {
      Self.notice("some of what passed is not in it; leftOut in the first line of \(output) says what and how much.")
    }
    // A disk that is full keeps nothing from the server.
    let unsent = await uploads?.stop()
    if let unwritten {
      guard upload != nil else { throw unwritten }
      throw Outage(
        "plimsoll",
        unsent.map {
          "what was recorded last is lost: \(output) could not be written, and not everything was sent: \($0)"
        }
          ?? "\(output) could not be written, but all of it was sent to the server: mend the disk",
        sources: [unwritten.sentence])
    }
    if let upload, let unsent {
      throw Outage(
        "plimsoll",
        "not everything was sent: \(unsent) It is all in \(output): plimsoll db upload --service \(upload.service) "
          + "--digest \(upload.digest) \(output)")
    }
  }
}
