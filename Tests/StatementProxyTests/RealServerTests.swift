import Foundation
import Kernel
import Migrations
import Testing

@testable import StatementProxy

/// psql and pgbench against a real PostgreSQL, through the proxy and beside it.
@Suite("With a real server", .serialized)
struct RealServerTests {
  private static let script = """
    CREATE TABLE chart (id int PRIMARY KEY, name text NOT NULL);
    INSERT INTO chart VALUES (1, 'shoal'), (2, 'wreck');
    SELECT * FROM chart ORDER BY id;
    SELECT nosuch FROM chart;
    BEGIN;
    UPDATE chart SET name = 'reef' WHERE id = 1;
    SELECT name FROM chart WHERE id = 1;
    COMMIT;
    DO $$ BEGIN RAISE NOTICE 'heard'; END $$;
    LISTEN harbour;
    NOTIFY harbour, 'fog';
    COPY chart TO STDOUT;
    DROP TABLE chart;
    """

  @Test("a session answers as it does without the proxy, and is recorded")
  func session() async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    let direct = try await Client.psql(Self.script, site.port)
    let proxied = try await Client.psql(Self.script, proxy.port)
    #expect(proxied.output.contains("1|shoal") && proxied.output.contains("reef"))
    // Process numbers in a notification differ.
    func lines(_ text: String) -> [Substring] { text.split(separator: "\n").filter { !$0.contains("PID") } }
    #expect(lines(proxied.output) == lines(direct.output))
    #expect(lines(proxied.error) == lines(direct.error))
    #expect(proxied.code == direct.code)

    let recording = await proxy.recording { $0.text.hasPrefix("DROP TABLE") && $0.count == 1 }
    let insert = recording.statements.first { $0.text.hasPrefix("INSERT") }
    #expect(insert?.text == "INSERT INTO chart VALUES (0, '***'), (0, '***')")
    #expect(insert?.count == 1 && insert?.role == PostgresSite.user)
    let broken = recording.statements.first { $0.text.contains("nosuch") }
    #expect(broken?.count == 0 && broken?.lastFailure == "42703")
    #expect(!recording.statementSet.statements.contains { $0.text.contains("nosuch") })
    #expect(recording.transactions.map(\.statements.count) == [2])
    #expect(recording.heading.databases == ["postgres"] && recording.heading.connections == 1)
    #expect(recording.heading.leftOut.isNothing)
    #expect(recording.heading.server?.isEmpty == false)
    await proxy.proxy.stop()
  }

  @Test("a wrong password is the server's to refuse")
  func password() async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    let answer = try await Client.psql("SELECT 1", proxy.port, ["PGPASSWORD": "barnacle"])
    #expect(answer.code == 2 && answer.error.contains("password authentication failed"))
    let secret = try await Client.psql("ALTER ROLE postgres PASSWORD 'rigging'", proxy.port)
    #expect(secret.code == 0)
    let recording = await proxy.recording { $0.text.hasPrefix("ALTER ROLE") }
    #expect(recording.statements.map(\.text) == ["ALTER ROLE postgres PASSWORD '***'"])
    await proxy.proxy.stop()
  }

  @Test("pgbench by each protocol, and libpq's pipeline", arguments: ["simple", "extended", "prepared", "pipeline"])
  func benchmark(_ mode: String) async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    let made = try await Client.run(
      ["pgbench", "-i", "-q", "-s", "1"], environment: Client.environment(proxy.port))
    try #require(made.code == 0, "\(made.error)")
    let script = NSTemporaryDirectory() + "pipeline-\(UUID().uuidString).sql"
    try """
    \\set aid random(1, 1000)
    \\startpipeline
    BEGIN;
    UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;
    SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
    COMMIT;
    \\endpipeline

    """.write(toFile: script, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: script) }
    let work = mode == "pipeline" ? ["-M", "extended", "-f", script] : ["-M", mode]
    let ran = try await Client.run(
      ["pgbench", "-n", "-c", "4", "-t", "50"] + work, environment: Client.environment(proxy.port))
    #expect(ran.code == 0 && ran.output.contains("200/200"), "\(ran.error)")
    // To the tests' simple reading of SQL an amount and a negative amount are two statements.
    func updates(_ recording: Recording) -> [RecordedStatement] {
      recording.statements.filter { $0.text.hasPrefix("UPDATE pgbench_accounts") }
    }
    func shapes(_ recording: Recording) -> [TransactionShape] {
      let fingerprints = Set(updates(recording).map(\.fingerprint))
      return recording.transactions.filter { !fingerprints.isDisjoint(with: $0.statements) }
    }
    #expect(await eventually { shapes(proxy.recorder.recording()).reduce(0) { $0 + $1.count } == 200 })
    let recording = proxy.recorder.recording()
    for update in updates(recording) {
      #expect(update.transport == (mode == "simple" ? .simple : .extended))
      #expect(update.samples.isEmpty == (mode == "simple"))
    }
    #expect(updates(recording).reduce(0) { $0 + $1.count } == 200)
    #expect(shapes(recording).allSatisfy { $0.failed == 0 })
    #expect(recording.heading.leftOut.isNothing, "\(proxy.said)")
    await proxy.proxy.stop()
  }

  @Test("100,000 rows by COPY, both ways")
  func copy() async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    let rows = (0..<100_000).map { "\($0)\tname \($0 * 7 % 1013)\t\\N\n" }.joined()
    let made = try await Client.psql("CREATE TABLE rows (id int, name text, nothing text)", site.port)
    #expect(made.code == 0)
    let written = try await Client.run(
      ["psql", "-Xq", "-c", "COPY rows FROM STDIN"], environment: Client.environment(proxy.port), input: rows)
    #expect(written.code == 0, "\(written.error)")
    let read = try await Client.run(
      ["psql", "-Xq", "-c", "COPY (SELECT * FROM rows ORDER BY id) TO STDOUT"],
      environment: Client.environment(proxy.port))
    #expect(read.code == 0)
    #expect(read.output == rows, "\(read.output.count) of \(rows.count) characters")
    let recording = await proxy.recording { $0.text.hasPrefix("COPY (") }
    #expect(recording.statements.map(\.count) == [1, 1])
    await proxy.proxy.stop()
  }

  @Test("a statement is cancelled through the proxy")
  func cancel() async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    let port = site.port
    let answer = try await Client.psql("SELECT pg_sleep(600)", proxy.port) { pid in
      Task {
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
          if let seen = try? await Client.psql(sleeps, port), seen.output == "1\n" { break }
        }
        // psql answers SIGINT with a request to cancel.
        kill(pid, SIGINT)
      }
    }
    #expect(answer.error.contains("canceling statement due to user request"), "\(answer)")
    let recording = await proxy.recording { $0.failures == 1 }
    #expect(recording.statements.map(\.lastFailure) == ["57014"])
    await proxy.proxy.stop()
  }

  private func encryption(
    _ site: PostgresSite, _ pair: String?, _ upstream: ProxyEncryption.Upstream
  ) throws -> ProxyEncryption {
    try ProxyEncryption(
      clients: pair.map { .init(certificate: "\(site.folder)/\($0).crt", key: "\(site.folder)/\($0).key") },
      upstream: upstream)
  }

  @Test("TLS on either side, with channel binding where it can hold")
  func encrypted() async throws {
    let site = try await PostgresSite()
    let question = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    func check(
      _ pair: String?, _ upstream: ProxyEncryption.Upstream, _ settings: [String: String], _ expected: String,
      _ at: SourceLocation = #_sourceLocation
    ) async throws {
      let proxy = try await ProxyUnderTest(site, tls: try encryption(site, pair, upstream))
      let answer = try await Client.psql(question, proxy.port, settings)
      #expect((answer.output + answer.error).contains(expected), "\(answer)", sourceLocation: at)
      if answer.code == 0 {
        let recording = await proxy.recording { $0.text == question && $0.count == 1 }
        #expect(recording.heading.leftOut.isNothing, sourceLocation: at)
      }
      await proxy.proxy.stop()
    }
    let trust = ["PGSSLMODE": "verify-ca", "PGSSLROOTCERT": "\(site.folder)/server.crt"]
    // Towards the client only.
    try await check("server", .disable, trust, "f")
    try await check("other", .disable, ["PGSSLMODE": "require"], "f")
    // Towards the server only: the offer of channel binding is withheld from a client without TLS.
    try await check(nil, .require, [:], "t")
    try await check(nil, .verifyCA(roots: "\(site.folder)/server.crt"), [:], "t")
    try await check(nil, .verifyCA(roots: "\(site.folder)/other.crt"), [:], "TLS with 127.0.0.1")
    // Both, with the server's own key pair and with another.
    try await check("server", .require, trust.merging(["PGCHANNELBINDING": "require"]) { $1 }, "t")
    try await check("other", .require, ["PGSSLMODE": "require"], "SCRAM-SHA-256-PLUS binds the password")
    // A proxy without a key.
    try await check(nil, .disable, ["PGSSLMODE": "require"], "server does not support SSL")
  }

  @Test("files that are no key pair are refused in words")
  func keyFiles() async throws {
    let site = try await PostgresSite()
    func refusal(_ certificate: String, _ key: String) -> String? {
      do throws(Refusal) {
        _ = try ProxyEncryption(
          clients: .init(certificate: "\(site.folder)/\(certificate)", key: "\(site.folder)/\(key)"), upstream: .disable
        )
        return nil
      } catch {
        return error.sentence
      }
    }
    #expect(refusal("server.crt", "server.key") == nil)
    #expect(refusal("none.crt", "server.key")?.contains("none.crt is no PEM certificate") == true)
    #expect(refusal("password", "server.key")?.contains("password") == true)
    #expect(refusal("server.crt", "none.key")?.contains("none.key is no key") == true)
    #expect(refusal("server.crt", "other.key")?.contains("fits") == true)
  }

  @Test("a server that restarts ends its sessions cleanly; later ones work, and nothing recorded is lost")
  func restart() async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    async let sleeping = Client.psql("SELECT 'before'; SELECT pg_sleep(600)", proxy.port)
    _ = await proxy.recording { $0.text == "SELECT '***'" && $0.count == 1 }
    try await site.stop()
    let ended = try await sleeping
    #expect(ended.code == 2 && ended.error.contains("terminating connection"), "\(ended)")
    let refused = try await Client.psql("SELECT 1", proxy.port)
    #expect(refused.code == 2 && refused.error.contains("cannot be reached"), "\(refused)")
    try await site.start()
    let after = try await Client.psql("SELECT 'after', current_user", proxy.port)
    #expect(after.output == "after|postgres\n", "\(after)")
    let recording = await proxy.recording { $0.text.hasPrefix("SELECT '***', current_user") }
    #expect(Set(recording.statements.map(\.text)).isSuperset(of: ["SELECT '***'", "SELECT '***', current_user"]))
    await proxy.proxy.stop()
  }

  @Test("a client killed in the middle of a COPY leaves nothing behind")
  func killed() async throws {
    let site = try await PostgresSite()
    let proxy = try await ProxyUnderTest(site)
    let port = site.port
    let slow = "\\copy (SELECT g, repeat('x', 1000) FROM generate_series(1, 100000000) g) TO '/dev/null'"
    let answer = try await Client.psql(slow, proxy.port) { pid in
      Task {
        let runs = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%generate_series%'"
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
          if let seen = try? await Client.psql(runs, port), seen.output == "1\n" { break }
        }
        kill(pid, SIGKILL)
      }
    }
    #expect(answer.code != 0)
    var left = ""
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline, left != "0\n" {
      left = try await Client.psql(
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE 'COPY%'", port
      ).output
    }
    #expect(left == "0\n")
    #expect(try await Client.psql("SELECT 1", proxy.port).output == "1\n")
    await proxy.proxy.stop()
  }
}
