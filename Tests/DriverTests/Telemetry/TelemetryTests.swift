import Foundation
import Kernel
import Synchronization
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// Adds up bins as they come.
private actor Evidence {
  private(set) var bins: [EvidenceBin] = []
  func add(_ bin: EvidenceBin) { bins.append(bin) }
  func total(_ deployment: DeploymentID) -> RequestCounts {
    bins.reduce(.zero) { $0 + $1.counts(of: deployment) }
  }
  var last: SourceHealth? { bins.last?.source }
}

/// Keeps what was told.
private final class ToldRequests: FlaggedRequests {
  private let told = Mutex<[FlaggedRequest]>([])
  func took(_ requests: [FlaggedRequest], in environment: EnvironmentName) {
    guard environment == production else { return }
    told.withLock { $0 += requests }
  }
  var all: [FlaggedRequest] { told.withLock { $0 } }
}

private let shop = Site.shop
private let production = Site.production
private let old = Site.old
private let new = Site.new

@Suite("Telemetry from HAProxy", .serialized)
struct HAProxyTelemetryTests {
  private func watch(_ site: Site, slowerThan: Span = .seconds(0.4))
    async throws -> (HAProxyTelemetry, Evidence, Task<Void, Never>)
  {
    let telemetry = HAProxyTelemetry(folder: site.folder.path, environments: [production])
    let bins = try await telemetry.bins(
      service: shop, environment: production, slowerThan: slowerThan, width: .seconds(0.1))
    let evidence = Evidence()
    // The streams end with the telemetry that feeds them, so the task holds it.
    let task = Task {
      for await bin in bins { await evidence.add(bin) }
      _ = telemetry
    }
    return (telemetry, evidence, task)
  }

  @Test("old and new are told apart: requests, errors, slow ones, their times, the harm done; and a restart remembers")
  func counts() async throws {
    let site = try await Site()
    let began = Instant.now
    let (telemetry, evidence, task) = try await watch(site)
    try await site.apply(50, 50, fence: 1)
    let port = try await site.port()
    await eventually("sound") { await evidence.last == .sound }
    for _ in 0..<10 { _ = ServiceFixture.get(port, "/bad") }
    for _ in 0..<4 { _ = ServiceFixture.get(port, "/sleep/0.5?secret=1") }
    for _ in 0..<26 { _ = ServiceFixture.get(port, "/") }
    await eventually("all counted") {
      await evidence.total(old) + evidence.total(new) == RequestCounts(requests: 40, errors: 10, slow: 4)
    }
    #expect(await evidence.total(new).requests == 20)
    let bins = await evidence.bins
    #expect(zip(bins, bins.dropFirst()).allSatisfy { $0.to == $1.from })
    let bad = bins.flatMap(\.arms).compactMap(\.firstBadAt)
    #expect(bad.allSatisfy { $0 > began && $0 < .now })
    let past = try await telemetry.history(of: old, slowerThan: .seconds(0.4), window: .minutes(5))
    #expect(past == (await evidence.total(old)))
    let harm = try await telemetry.harm(by: new, slowerThan: .seconds(0.4), since: began)
    #expect(harm.counts == (await evidence.total(new)))
    // One client; the test may cross a minute.
    #expect((1...2).contains(harm.clientMinutes))
    #expect(harm.firstBadAt == bins.flatMap(\.arms).filter { $0.deployment == new }.compactMap(\.firstBadAt).min())
    try await eventually("written") {
      let again = HAProxyTelemetry(folder: site.folder.path, environments: [production])
      return try await again.history(of: old, slowerThan: .seconds(0.4), window: .minutes(5)) == past
    }
    task.cancel()
  }

  @Test("what a service says of flags is told with how the request ended, and nobody outside sees it")
  func flags() async throws {
    let site = try await Site()
    let told = ToldRequests()
    let telemetry = HAProxyTelemetry(folder: site.folder.path, environments: [production], flagged: told)
    try await site.apply(0, 100, fence: 1)
    let port = try await site.port()
    let began = Instant.now
    let connection = try #require(KeptConnection(port: port))
    let targeted = "/flags/checkout=on,banner=a%20b;targeting/user-1"
    for path in [targeted, "/flags/checkout=off/ill", "/", "/flags/none/user-2"] {
      _ = connection.get(path)
      #expect(connection.head.contains("200 x") != path.hasSuffix("ill"))
      #expect(!connection.head.contains("plimsoll"), "\(connection.head)")
    }
    await eventually("both are told") { told.all.count >= 2 }
    let all = told.all
    #expect(all.map(\.unit) == ["user-1", "ill"] && all.map(\.isError) == [false, true])
    #expect(
      all.map(\.variants) == [
        [.init(flag: "checkout", name: "on"), .init(flag: "banner", name: "a b", isByTargeting: true)],
        [.init(flag: "checkout", name: "off")],
      ])
    #expect(all.allSatisfy { $0.service == shop && $0.endedAt > began - .seconds(1) && $0.duration < .seconds(5) })
    _ = telemetry
  }

  @Test("requests that hang are found while they are open, each once, under other traffic too")
  func hanging() async throws {
    let site = try await Site()
    let (_, evidence, task) = try await watch(site)
    try await site.apply(0, 100, fence: 1)
    let port = try await site.port()
    await eventually("sound") { await evidence.last == .sound }
    let traffic = Traffic(port: port, perSecond: 60)
    let hanging = (0..<3).compactMap { _ in KeptConnection(port: port, timeout: 10) }
    let sentAt = ContinuousClock.now
    for connection in hanging { connection.send("/sleep/2.5", close: true) }
    await eventually("found") { await evidence.total(new).hanging == 3 }
    let found = ContinuousClock.now - sentAt
    // Still open: the service answers after 2.5 s only.
    #expect(found < .seconds(2.5))
    for connection in hanging { #expect(connection.receive()?.status == 200) }
    let (answers, failures) = await traffic.stop()
    let all = answers.count + failures + 3
    await eventually("each counted once") { await evidence.total(new).requests == all }
    #expect(await evidence.total(new) == RequestCounts(requests: all, slow: 3, hanging: 3))
    task.cancel()
  }

  @Test("a cut log is a broken source, never evidence, and it heals; silence is sound; so is a HAProxy that came back")
  func broken() async throws {
    let site = try await Site()
    let (_, evidence, task) = try await watch(site)
    await eventually("not there yet: broken") {
      if case .broken = await evidence.last { true } else { false }
    }
    try await site.apply(100, 0, fence: 1)
    let port = try await site.port()
    await eventually("silence is sound") { await evidence.last == .sound }
    let traffic = Traffic(port: port, perSecond: 100)
    await eventually("traffic is sound") { await evidence.total(old).requests > 30 }
    #expect(await evidence.last == .sound)
    let cutAt = await evidence.bins.count
    for lane in 0..<HAProxyFolder.logLanes { unlink(site.haproxyFolder.log(lane)) }
    await eventually("cut: broken") {
      await evidence.bins.dropFirst(cutAt).contains { if case .broken = $0.source { true } else { false } }
    }
    await eventually("healed: sound", within: 20) { await evidence.last == .sound }
    _ = await traffic.stop()
    let killedAt = await evidence.bins.count
    let process = try #require(HAProxyProcess.answering(site.haproxyFolder))
    kill(process.pid, SIGKILL)
    await eventually("killed: broken") {
      await evidence.bins.dropFirst(killedAt).contains { if case .broken = $0.source { true } else { false } }
    }
    try await site.apply(100, 0, fence: 2)
    await eventually("back: sound") { await evidence.last == .sound }
    #expect(await evidence.total(old).errors == 0)
    #expect(await evidence.total(old).hanging == 0)
    task.cancel()
  }
}

@Suite("Telemetry's parts")
struct TelemetryPartsTests {
  private func line(_ text: String) -> RequestLine? { RequestLine(Array(text.utf8)) }

  @Test("a log line says who served it, how long the server's side took, and whether it failed")
  func lines() throws {
    let good = try #require(
      line("P1 1000502 502 41 30 1 200 b-shop \(new)-0-18082 -- 0 10.0.0.7 - - GET /x y\n"))
    #expect(good.deployment == new && good.service == shop && good.client == "10.0.0.7")
    #expect(good.endedMs == 1_001_004 && good.durationMs == 11 && good.startedMs == 1_000_994)
    #expect(!good.isError && good.flagged == nil)
    #expect(line("P1 1 0 0 0 0 503 b-shop <NOSRV> SC 0 ::1 GET /\n")?.deployment == nil)
    #expect(line("Server b-shop/x is going DOWN for maintenance.\n") == nil)
    #expect(line("P1 1 0 0 -1 -1 400 f-shop <NOSRV> PR 0 ::1 <BADREQ> -\n") == nil)
    #expect(line("") == nil)
  }

  private func hex(_ text: String) -> String {
    text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private func flags(_ told: String, unit: String = "") -> [String] {
    let headers = FlagHeaders(flags: told == "" ? "-" : hex(told), unit: unit == "" ? "-" : hex(unit))
    guard let headers else { return [] }
    return headers.variants.map { "\($0.flag) is \($0.name)\($0.isByTargeting ? ", targeted" : "")" }
      + (headers.unit.map { ["for \($0)"] } ?? [])
  }

  @Test("what a service says of flags, and what is none")
  func flagHeaders() {
    #expect(flags("checkout=on", unit: "user 1") == ["checkout is on", "for user 1"])
    #expect(flags(" a=1 , b = x%3Dy;targeting ;other") == ["a is 1", "b is x=y, targeted"])
    #expect(flags("a=on,,b,=c,d=") == ["a is on"])
    #expect(flags("a") == [] && flags("") == [] && flags(",;=") == [])
    #expect(FlagHeaders(flags: "6", unit: "-") == nil && FlagHeaders(flags: "zz", unit: "-") == nil)
    #expect(FlagHeaders(flags: "ff", unit: "-") == nil, "no UTF-8")
    let long = (0..<60).map { "flag-\($0)=on" }.joined(separator: ",")
    let cut = String(long.prefix(FlagHeaders.longestFlags))
    #expect(flags(cut).allSatisfy { $0.hasSuffix("is on") }, "what was cut is left out")
    #expect(flags("a=on", unit: String(repeating: "u", count: FlagHeaders.longestUnit)) == ["a is on"])
    #expect(line("P1 1 0 0 0 0 200 b-shop \(new)-0-1 -- 0 ::1 GET /\n")?.flags == nil, "a HAProxy from before")
  }

  private func check(_ what: Comment, _ status: Int, _ cause: Character, expecting: Bool) {
    #expect(RequestLine.isServerError(status: status, cause: cause) == expecting, what)
  }

  @Test func errors() {
    check("an answer", 200, "-", expecting: false)
    check("the client's mistake", 404, "-", expecting: false)
    check("an error of the service", 500, "-", expecting: true)
    check("a broken response, answered by HAProxy", 502, "P", expecting: true)
    check("a refused connection", 503, "S", expecting: true)
    check("broken off after the head", 200, "S", expecting: true)
    check("too late", 504, "s", expecting: true)
    check("the client went away", -1, "C", expecting: false)
    check("the client went to sleep", 200, "c", expecting: false)
  }

  @Test("hanging requests are counted once, and lost lines are not taken for them")
  func hanging() {
    var track = ServerTrack()
    var hanging = HangingRequests(thresholdMs: 1000, track: track)
    track.look(ServerSample(started: 0, open: 0), endedBefore: 0, atMs: 0)
    // Three start; one ends quickly and is read; two hang.
    track.look(ServerSample(started: 3, open: 2), endedBefore: 1, atMs: 500)
    track.lineRead()
    let first = hanging.lineRead(startedMs: 300, durationMs: 10)
    #expect(!first)
    let crossed1 = hanging.crossed(track, nowMs: 500)
    #expect(crossed1 == 0)
    track.look(ServerSample(started: 3, open: 2), endedBefore: 1, atMs: 1600)
    let crossed2 = hanging.crossed(track, nowMs: 1600)
    #expect(crossed2 == 2)
    let crossed3 = hanging.crossed(track, nowMs: 1700)
    #expect(crossed3 == 0)
    // One ends at last: its line was counted already.
    track.lineRead()
    let late = hanging.lineRead(startedMs: 400, durationMs: 1500)
    #expect(late)
    #expect(hanging.pending == 1)
    // A hundred more end, but their lines are lost.
    track.look(ServerSample(started: 103, open: 1), endedBefore: 2, atMs: 2000)
    track.look(ServerSample(started: 103, open: 1), endedBefore: 2, atMs: 3500)
    let crossed4 = hanging.crossed(track, nowMs: 3500)
    #expect(crossed4 == 0)
  }

  @Test("a source that loses lines is broken until lines come again with the counters in step")
  func source() {
    var watch = SourceWatch()
    var track = ServerTrack()
    var started = 0
    var seen = 0
    func look(_ atMs: Int64, logged: Bool, traffic: Int = 25, dropped: Int64 = 0) -> SourceHealth {
      let before = seen
      started += traffic
      if logged {
        seen += traffic
        for _ in 0..<traffic { track.lineRead() }
        watch.linesRead(traffic)
      }
      // A look meets the last bin's lines still on their way.
      track.look(ServerSample(started: started, open: 0), endedBefore: before, atMs: atMs)
      watch.looked(tracks: [track], dropped: dropped, socketsIntact: true, nowMs: atMs)
      return watch.health
    }
    func isBroken(_ health: SourceHealth) -> Bool { health != .sound }
    #expect(isBroken(watch.health))
    #expect((0..<20).allSatisfy { !isBroken(look($0 * 250, logged: true)) })
    let cut = (20..<36).map { isBroken(look($0 * 250, logged: false)) }
    #expect(cut.last == true)
    // No traffic and no lines: nothing is proven.
    #expect((36..<70).allSatisfy { isBroken(look($0 * 250, logged: false, traffic: 0)) })
    let healed = (70..<100).map { isBroken(look($0 * 250, logged: true)) }
    #expect(healed.last == false)
    #expect(isBroken(look(100 * 250, logged: true, dropped: 1)))
  }

  @Test("history rounds a threshold so that the past looks slower, by at most 2 %")
  func rounding() throws {
    for ms: Int64 in [0, 1, 7, 50, 333, 1500, 60_000] {
      var second = SecondOfHistory(second: 10, deployment: old)
      second.add(durationMs: ms, isError: ms == 7, endedMs: 10_250)
      let below = Int64((Double(ms) * 1.021).rounded(.up)) + 1
      #expect(second.counts(thresholdMs: below).slow == 0)
      #expect(second.counts(thresholdMs: max(0, ms - 1)).slow == 1)
      #expect(SecondOfHistory(line: second.line.dropLast()) == second)
      #expect(SecondOfHistory(line: second.line.dropLast(4)) == nil)
    }
  }

  @Test func percentile() {
    #expect(EvidenceReader.percentile99([]) == nil)
    #expect(EvidenceReader.percentile99(Array(1...100)) == 99)
    #expect(EvidenceReader.percentile99([5]) == 5)
  }
}
