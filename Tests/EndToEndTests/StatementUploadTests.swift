import Foundation
import Kernel
import MigrationOracle
import Migrations
import Synchronization
import Testing

@testable import StatementProxy
@testable import plimsoll

/// Keeps what is posted, a file each, and takes nothing while there is a file `away`.
private let server = """
  import http.server, os, sys, time
  folder = sys.argv[1]
  class Handler(http.server.BaseHTTPRequestHandler):
      protocol_version = 'HTTP/1.1'
      def do_POST(self):
          body = self.rfile.read(int(self.headers['Content-Length']))
          away = os.path.exists(folder + '/away')
          while os.path.exists(folder + '/hangs'): time.sleep(0.1)
          if not away:
              name = '%s/%04d' % (folder, len(os.listdir(folder)))
              head = '%s\\n%s\\n%s\\n' % (self.path, self.headers['Content-Type'], self.headers['Authorization'])
              with open(name + '.part', 'wb') as file: file.write(head.encode() + body)
              os.rename(name + '.part', name)
          answer = b'{"kind":"unavailable","sentence":"It is away."}' if away else b'{"decided":["Known."],"positions":[7]}'
          self.send_response(503 if away else 200)
          self.send_header('Content-Length', str(len(answer)))
          self.end_headers()
          self.wfile.write(answer)
      def log_message(self, *a): pass
  server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  server.daemon_threads = True
  print(server.server_port, flush=True)
  server.serve_forever()
  """

/// What a recorder hands to a Plimsoll server.
@Suite("Statements on their way", .serialized) struct StatementUploadTests {
  private func withServer(_ body: (_ address: String, _ folder: String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "uploads-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", server, folder]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    // Started from a task it has SIGTERM blocked, and waiting for it would block one.
    defer { kill(process.processIdentifier, SIGKILL) }
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let port = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
    try await body("http://127.0.0.1:\(port)", folder)
  }

  private func upload(_ address: String) -> StatementUpload {
    StatementUpload(client: Client(base: address, token: "secret"), service: "harbor", digest: "abcdef")
  }

  private func recording(_ count: Int, bytes: Int = 10) -> Recording {
    Recording(
      heading: Recording.Heading(version: "v41", policy: .types),
      statements: (0..<count).map {
        RecordedStatement(
          fingerprint: "f\($0)", text: "SELECT '\(String(repeating: "x", count: bytes))'", transport: .extended,
          count: 1)
      },
      transactions: [TransactionShape(statements: ["f0"], count: 1)])
  }

  private func read(_ data: Data) throws -> Recording {
    let decoder = JSONDecoder()
    return try Recording(reading: String(decoding: data, as: UTF8.self), at: "body") {
      try decoder.decode(RecordingLine.self, from: Data($0.utf8))
    }
  }

  /// What came, in order: its first line, and the recording behind the three lines of its head.
  private func arrived(in folder: String) throws -> [(head: [String], recording: Recording)] {
    try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.allSatisfy(\.isNumber) }.sorted().map {
      let text = try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8)
      let lines = text.split(separator: "\n", maxSplits: 3).map(String.init)
      return (Array(lines.prefix(3)), try read(Data(lines[3].utf8)))
    }
  }

  private func eventually(_ what: Comment, _ holds: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try await !holds() {
      guard ContinuousClock.now < deadline else {
        Issue.record(what)
        return
      }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  @Test("a recording goes whole: of a half nobody could tell that it is one", arguments: [0, 1, 30, 3_000])
  func whole(_ count: Int) throws {
    let recording = recording(count, bytes: 200)
    let arrived = try read(StatementUpload.body(of: recording))
    #expect(arrived.statements == recording.statements && arrived.statements.count == count)
    #expect(arrived.heading == recording.heading && arrived.transactions.isEmpty)
  }

  @Test("values stay here") func values() async throws {
    try await withServer { address, folder in
      let kept = Recording(heading: Recording.Heading(version: "v41", policy: .keep))
      await #expect(throws: Refusal.self) { try await upload(address).send(kept) }
      let log = "\(folder)/log.csv"
      try "2026-11-23 10:00:00 UTC,app,orders,1,,1,1,SELECT,,,,LOG,00000,x,,,,,,SELECT 'secret',,,\n"
        .write(toFile: log, atomically: true, encoding: .utf8)
      let refusal = #expect(throws: Refusal.self) { try Recording(importing: log) }
      #expect(refusal != nil)
      try "SELECT note FROM orders WHERE id = $1;".write(toFile: "\(folder)/q.sql", atomically: true, encoding: .utf8)
      let imported = try Recording(importing: "\(folder)/q.sql")
      #expect(imported.statementSet.statements.map(\.text) == ["SELECT note FROM orders WHERE id = $1"])
      #expect(try arrived(in: folder).isEmpty)
    }
  }

  @Test("what an imported file has and cannot be sent is counted") func unreadable() async throws {
    try await withServer { _, folder in
      try "SELECT note FROM orders;\nSELEC nothing;\n".write(
        toFile: "\(folder)/q.sql", atomically: true, encoding: .utf8)
      let imported = try Recording(importing: "\(folder)/q.sql")
      #expect(imported.statements.map(\.text) == ["SELECT note FROM orders"])
      #expect(imported.statementSet.leftOut == 1)
    }
  }

  @Test("statements that PostgreSQL's fingerprint takes for one are all recorded") func alike() {
    let recorder = StatementRecorder(version: "abcdef", policy: .types, reading: .parser)
    let session = recorder.session(SessionSettings.Values(role: "ann", searchPath: nil))
    let texts = (1...12).map { count in "SELECT f(\((1...count).map { "$\($0)" }.joined(separator: ", ")))" }
    for text in texts {
      let found = Array(text.utf8).withUnsafeBytes { recorder.statements($0, .extended, types: [], session: session) }
      for slot in found.compactMap(\.slot) { recorder.executed(slot, sample: nil) }
    }
    let recording = recorder.recording()
    #expect(Set(recording.statements.map(\.text)) == Set(texts))
    #expect(Set(recording.statements.map(\.fingerprint)).count < texts.count)
    #expect(recording.statementSet.statements.count == texts.count)
  }

  @Test("that everything was left out is told too") func nothingButLosses() async throws {
    try await withServer { address, folder in
      let recorder = StatementRecorder(version: "abcdef", policy: .types, reading: .parser)
      recorder.count(\.unfollowedConnections)
      let rounds = UploadRounds(recorder, upload(address), refresh: .seconds(600), notice: { _ in })
      rounds.start(every: .seconds(600))
      #expect(await rounds.stop() == nil)
      let told = try arrived(in: folder)
      #expect(told.map { $0.recording.statementSet.leftOut } == [1])
    }
  }

  /// A sidecar before a real server, through which `psql` sends `sql`.
  private func withSidecar(
    _ address: String, every interval: Duration, refresh: Duration = UploadRounds.refresh,
    _ body: (UploadRounds, _ send: (String) async throws -> Void, _ notices: () -> [String]) async throws -> Void
  ) async throws {
    let database = try await ShadowServer.start()
    let socket = try #require(database.address(of: nil).place.firstMatch(of: /host='([^']*)'/)?.output.1)
    let target = try DatabaseTarget(given: String(socket), environment: [:], tls: nil, roots: nil)
    let recorder = StatementRecorder(version: "abcdef", policy: .types, reading: .parser)
    let told = Notices()
    let proxy = StatementProxy(
      listen: DBRecordCommand.usualListen, upstream: target.place, tls: .none, recorder: recorder, notice: told.take)
    let rounds = UploadRounds(recorder, upload(address), refresh: refresh, notice: told.take)
    do {
      let port = try await proxy.start()
      rounds.start(every: interval)
      try await body(
        rounds,
        { sql in
          let psql = Process()
          psql.executableURL = URL(filePath: "/usr/bin/env")
          psql.arguments = ["psql", "-h", "127.0.0.1", "-p", "\(port)", "-U", "postgres", "-qAtc", sql, "postgres"]
          psql.standardOutput = FileHandle.nullDevice
          try psql.run()
          try await eventually("psql ends") { !psql.isRunning }
          #expect(psql.terminationStatus == 0)
        }, { told.all })
    } catch {
      await proxy.stop()
      await database.stop()
      throw error
    }
    await proxy.stop()
    await database.stop()
  }

  @Test("a sidecar tells what it has while it records, and nothing twice") func whileItRecords() async throws {
    try await withServer { address, folder in
      try await withSidecar(address, every: .milliseconds(50)) { rounds, send, notices in
        try await send("SELECT relname FROM pg_class WHERE relpages > 7")
        try await eventually("it was told") { try !arrived(in: folder).isEmpty }
        let first = try #require(try arrived(in: folder).first)
        #expect(first.head == ["/v1/statements/harbor/abcdef", "application/jsonl", "Bearer secret"])
        #expect(first.recording.statements.map(\.text) == ["SELECT relname FROM pg_class WHERE relpages > $1"])
        let known = try arrived(in: folder).count
        try await send("SELECT relname FROM pg_class WHERE relpages > 9")
        #expect(await rounds.stop() == nil)
        #expect(try arrived(in: folder).count == known, "a count is no news")
        #expect(notices().contains("Known."))
      }
    }
  }

  @Test("a server that is away is told later, and at the end what was kept") func away() async throws {
    try await withServer { address, folder in
      try "".write(toFile: "\(folder)/away", atomically: true, encoding: .utf8)
      try await withSidecar(address, every: .milliseconds(50)) { rounds, send, notices in
        try await send("SELECT relname FROM pg_class")
        try await eventually("it is said") { notices().contains { $0.contains("is kept: It is away.") } }
        try await send("SELECT count(*) FROM pg_index")
        try FileManager.default.removeItem(atPath: "\(folder)/away")
        #expect(await rounds.stop() == nil)
        #expect(try arrived(in: folder).last?.recording.statements.count == 2)
        #expect(notices().count { $0.contains("is kept") } == 1, "once, not at each round")
        #expect(notices().contains { $0.contains("has what was recorded now") })
      }
    }
  }

  @Test("at the end of one that is never there, that is said") func never() async throws {
    try await withSidecar("http://127.0.0.1:9", every: .seconds(600)) { rounds, send, _ in
      try await send("SELECT relname FROM pg_class")
      let why = await rounds.stop(within: .seconds(3))
      #expect(why?.contains("cannot be reached") == true, "\(why ?? "")")
    }
  }

  @Test("what a server may have lost is sent again after a while") func again() async throws {
    try await withServer { address, folder in
      try await withSidecar(address, every: .milliseconds(50), refresh: .milliseconds(200)) { rounds, send, _ in
        try await send("SELECT relname FROM pg_class")
        try await eventually("it was told three times") { try arrived(in: folder).count >= 3 }
        let sets = try arrived(in: folder).map(\.recording.statementSet)
        #expect(sets.allSatisfy { $0 == sets[0] } && sets[0].statements.count == 1)
        #expect(await rounds.stop() == nil)
      }
    }
  }

  @Test("a server that takes it and never answers holds nobody up at the end") func hangs() async throws {
    try await withServer { address, folder in
      try "".write(toFile: "\(folder)/hangs", atomically: true, encoding: .utf8)
      try await withSidecar(address, every: .seconds(600)) { rounds, send, _ in
        try await send("SELECT relname FROM pg_class")
        let began = ContinuousClock.now
        let why = await rounds.stop(within: .seconds(1))
        #expect(why?.contains("did not answer within") == true, "\(why ?? "")")
        // The client alone would wait for a minute.
        #expect(ContinuousClock.now - began < .seconds(40))
      }
      try FileManager.default.removeItem(atPath: "\(folder)/hangs")
    }
  }

  @Test("a disk that takes nothing any more keeps nothing from the server, and is said") func fullDisk() async throws {
    try await withServer { address, folder in
      let database = try await ShadowServer.start()
      let socket = try #require(database.address(of: nil).place.firstMatch(of: /host='([^']*)'/)?.output.1)
      let target = try DatabaseTarget(given: String(socket), environment: [:], tls: nil, roots: nil)
      let disk = "\(folder)-disk"
      try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
      let session = try RecordingSession(
        listen: .address(host: "127.0.0.1", port: 0), server: target, tls: .none,
        recorder: StatementRecorder(version: "abcdef", policy: .types, reading: .parser),
        output: "\(disk)/v41.jsonl", upload: upload(address))
      // Without its folder the file cannot be written.
      let command = "rm -r \(disk) && psql -U postgres -qAtc 'SELECT relname FROM pg_class' postgres > /dev/null"
      let outage = await #expect(throws: Outage.self) {
        try await session.around(
          ["sh", "-c", command], environment: ProcessInfo.processInfo.environment, urlVariables: [])
      }
      let words = outage?.sentence ?? ""
      #expect(words.contains("but all of it was sent to the server"), "\(words)")
      #expect(try arrived(in: folder).last?.recording.statements.map(\.text) == ["SELECT relname FROM pg_class"])
      await database.stop()
    }
  }
}

private final class Notices: Sendable {
  private let told = Mutex<[String]>([])
  var all: [String] { told.withLock { $0 } }
  @Sendable func take(_ notice: String) { told.withLock { $0.append(notice) } }
}
