import Dispatch
import Foundation
import Kernel

/// One environment's evidence: log lines and counters come in, bins go out.
final class EvidenceFeed: @unchecked Sendable {
  // Unchecked: every stored variable is touched on `queue` only; `asking` runs blocking calls and hands results back.
  /// Four looks a second find a hanging request 0.25 s after it crossed the threshold and cost HAProxy under 1 ms each.
  static let lookEvery = DispatchTimeInterval.milliseconds(250)
  /// While nobody reads bins and no line comes, only every fourth look asks HAProxy: a cut log is still seen, within two
  /// windows of `SourceWatch`, and there is nothing else to see.
  private static let quietLooks = 4
  /// Rows of `show stat` that are servers (management manual §9.3); those of frontends and backends say nothing here.
  private static let servers = 4
  /// Ten minutes of bins of 250 ms wait for a consumer that is held up; older ones are let go.
  private static let binsKept = 2_400

  private struct Subscription {
    var reader: EvidenceReader
    let bins: AsyncStream<EvidenceBin>.Continuation
    let timer: any DispatchSourceTimer
  }

  private let folder: HAProxyFolder
  private let environment: EnvironmentName
  private let flagged: (any FlaggedRequests)?
  private let queue: DispatchQueue
  private let asking: DispatchQueue
  private var sockets: LogSockets?
  private var lookTimer: (any DispatchSourceTimer)?
  private var isAsking = false
  private var looksPassed = quietLooks
  private var hasNewLines = false
  private var history: LatencyHistory
  private var tracks: [String: ServerTrack] = [:]
  private var watch = SourceWatch()
  private var processID: Int64?
  private var subscriptions: [Int: Subscription] = [:]
  private var nextSubscription = 0

  /// - Parameters:
  ///   - root: the folder of all environments' HAProxies.
  ///   - flagged: who wants to know what services say of flags.
  init(root: String, environment: EnvironmentName, flagged: (any FlaggedRequests)?) {
    folder = HAProxyFolder(root: root, environment: environment)
    self.environment = environment
    self.flagged = flagged
    queue = DispatchQueue(label: "plimsoll.evidence", qos: .userInitiated)
    asking = DispatchQueue(label: "plimsoll.evidence.ask", qos: .userInitiated)
    history = LatencyHistory(folder: folder.path)
  }

  /// Listens and looks until `stop`. A socket that cannot be bound is tried again at every look and makes the source
  /// broken meanwhile.
  func start() {
    let sockets = LogSockets(folder: folder) { [weak self] lines in
      guard let self else { return }
      queue.async { self.read(lines) }
    }
    try? sockets.bind()
    sockets.start()
    let timer = DispatchSource.makeTimerSource(queue: queue)
    timer.schedule(deadline: .now(), repeating: Self.lookEvery, leeway: .milliseconds(5))
    timer.setEventHandler { [weak self] in self?.look() }
    queue.sync {
      self.sockets = sockets
      lookTimer = timer
    }
    timer.resume()
  }

  func stop() {
    queue.sync {
      sockets?.stop()
      lookTimer?.cancel()
      for subscription in subscriptions.values {
        subscription.timer.cancel()
        subscription.bins.finish()
      }
      subscriptions = [:]
    }
  }

  func bins(service: ServiceName, slowerThan: Span, width: Span) -> AsyncStream<EvidenceBin> {
    AsyncStream(bufferingPolicy: .bufferingNewest(Self.binsKept)) { continuation in
      queue.async {
        let number = self.nextSubscription
        self.nextSubscription += 1
        let timer = DispatchSource.makeTimerSource(queue: self.queue)
        let interval = DispatchTimeInterval.milliseconds(Int(width.milliseconds))
        timer.schedule(deadline: .now() + interval, repeating: interval, leeway: .milliseconds(2))
        timer.setEventHandler { [weak self] in self?.emit(number) }
        self.subscriptions[number] = Subscription(
          reader: EvidenceReader(service: service, slowerThan: slowerThan, from: .now), bins: continuation,
          timer: timer)
        timer.resume()
        continuation.onTermination = { [weak self] _ in
          guard let self else { return }
          queue.async { self.subscriptions.removeValue(forKey: number)?.timer.cancel() }
        }
      }
    }
  }

  func totals(of deployment: DeploymentID, slowerThan: Span, window: Span) async -> RequestCounts {
    await withCheckedContinuation { continuation in
      queue.async {
        continuation.resume(
          returning: self.history.totals(
            of: deployment, thresholdMs: slowerThan.milliseconds, fromMs: (Instant.now - window).milliseconds))
      }
    }
  }

  func windows(of deployment: DeploymentID, slowerThan: Span, window: Span, width: Span) async -> [RequestCounts] {
    await withCheckedContinuation { continuation in
      queue.async {
        continuation.resume(
          returning: self.history.windows(
            of: deployment, thresholdMs: slowerThan.milliseconds, fromMs: (Instant.now - window).milliseconds,
            widthMs: width.milliseconds))
      }
    }
  }

  /// What is still open beyond the threshold is known only while someone reads bins with the same threshold.
  func harm(by deployment: DeploymentID, slowerThan: Span, since: Instant) async -> Harm {
    await withCheckedContinuation { continuation in
      queue.async {
        let past = self.history.harm(
          by: deployment, thresholdMs: slowerThan.milliseconds, fromMs: since.milliseconds)
        let hanging =
          self.subscriptions.values.map { $0.reader.hanging(of: deployment, slowerThan: slowerThan) }.max() ?? 0
        guard hanging > 0 else { return continuation.resume(returning: past) }
        let now = Instant.now
        continuation.resume(
          returning: Harm(
            counts: past.counts + RequestCounts(requests: hanging, slow: hanging, hanging: hanging),
            firstBadAt: past.firstBadAt ?? now, lastBadAt: now, clientMinutes: past.clientMinutes))
      }
    }
  }

  private func read(_ lines: [[UInt8]]) {
    let nowMs = Instant.now.milliseconds
    hasNewLines = true
    var told: [FlaggedRequest] = []
    for bytes in lines {
      guard let line = RequestLine(bytes) else { continue }
      watch.linesRead(1)
      guard let deployment = line.deployment else { continue }
      let track = tracks[line.server] ?? ServerTrack()
      for number in subscriptions.keys { subscriptions[number]?.reader.read(line, track: track) }
      tracks[line.server, default: ServerTrack()].lineRead()
      history.add(line, deployment, nowMs: nowMs)
      if flagged != nil, let request = line.flagged { told.append(request) }
    }
    if !told.isEmpty { flagged?.took(told, in: environment) }
  }

  private func emit(_ number: Int) {
    guard let bin = subscriptions[number]?.reader.bin(to: .now, source: watch.health) else { return }
    subscriptions[number]?.bins.yield(bin)
  }

  private func look() {
    history.turn(nowMs: Instant.now.milliseconds)
    looksPassed += 1
    guard !isAsking, !subscriptions.isEmpty || hasNewLines || looksPassed >= Self.quietLooks else { return }
    looksPassed = 0
    hasNewLines = false
    isAsking = true
    let endedBefore = tracks.mapValues(\.ended)
    let folder = folder
    asking.async { [weak self] in
      let answer = Result { () throws(Outage) in
        try HAProxyAdmin(path: folder.admin).ask(["show info", "show stat -1 \(Self.servers) -1"])
      }
      // Here, not on `queue`: the counters are of this instant at the latest.
      let answeredAt = Instant.now
      guard let self else { return }
      queue.async { self.looked(answer, at: answeredAt, endedBefore: endedBefore) }
    }
  }

  private func looked(_ answer: Result<String, Outage>, at: Instant, endedBefore: [String: Int]) {
    isAsking = false
    let nowMs = at.milliseconds
    let intact = sockets?.areIntact() == true
    if !intact {
      try? sockets?.bind()
      // What the cut swallowed is known to be lost; the counters are compared afresh from here.
      for server in Array(tracks.keys) { tracks[server]?.compareAfresh() }
    }
    guard case .success(let text) = answer, let process = HAProxyAdmin.value("Pid", in: text[...]) else {
      watch.unreachable("HAProxy does not answer on its admin socket")
      return
    }
    // The first process seen keeps the lines that were read before it was asked.
    if processID != process {
      if processID != nil { forgetAll() }
      processID = process
      watch.restarted()
    }
    var present: Set<String> = []
    for row in HAProxyAdmin.table(text[...]) {
      // A version's preview servers have the same names in a backend of their own, and are nobody's evidence.
      guard let backend = row["pxname"], HAProxyFolder.service(ofBackend: backend) != nil,
        let name = row["svname"], HAProxyFolder.deployment(ofServer: name) != nil,
        let total = row["stot"].flatMap({ Int($0) }), let open = row["scur"].flatMap({ Int($0) })
      else { continue }
      let server = String(name)
      present.insert(server)
      let sample = ServerSample(started: total - (row["wredis"].flatMap { Int($0) } ?? 0), open: open)
      tracks[server, default: ServerTrack()].look(sample, endedBefore: endedBefore[server] ?? 0, atMs: nowMs)
      for number in subscriptions.keys {
        subscriptions[number]?.reader.looked(server, track: tracks[server] ?? .init(), nowMs: nowMs)
      }
    }
    for server in tracks.keys where !present.contains(server) && tracks[server]?.looks.isEmpty == false {
      forget(server)
    }
    watch.looked(
      tracks: Array(tracks.values), dropped: HAProxyAdmin.value("DroppedLogs", in: text[...]) ?? 0,
      socketsIntact: intact, nowMs: nowMs)
  }

  private func forgetAll() { for server in Array(tracks.keys) { forget(server) } }

  private func forget(_ server: String) {
    tracks[server] = nil
    for number in subscriptions.keys { subscriptions[number]?.reader.forget(server) }
  }
}
