import Kernel
import Measures

/// `plimsoll bench rollback --json FILE`. Times are milliseconds.
struct RollbackBenchReport: Codable {
  struct Load: Codable {
    var requestsPerSecond: Double
    var canaryPercent: Int
    /// Of the usual version.
    var baselineErrorPercent: Double
    var canaryPerSecond: Double { requestsPerSecond * Double(canaryPercent) / 100 }
    /// What the client saw of the usual version.
    var measuredBaselineErrorPercent: Double?
  }

  /// One bad release. By the client's own clock and the digest that answered, with the server's report between.
  struct Round: Codable {
    var fault: String
    var rollout: Int
    var cause: String
    var sentence: String
    /// First bad response to the end of the evidence that decided.
    var detectionMs: Int64
    /// To the condemnation, durably recorded.
    var decisionMs: Int64
    /// To the router's word that the bad version gets nothing.
    var actuationMs: Int64
    /// The sum: first bad response to fully restored.
    var restoredMs: Int64
    /// From the verdict to the last request that the client sent and the bad version took; 0 when none was.
    var verdictToLastRequestMs: Int64
    /// Bad responses that the client had of it: errors, lost, slow, open for too long.
    var requestsHurt: Int
    /// Requests that the client knows to have reached it, good and bad.
    var requestsTaken: Int
    /// Of the machine, one minute's, when it began: what else it did meanwhile takes time too.
    var loadAverage: Double?
  }

  /// A bad version that served until a person took it back.
  struct Missed: Codable {
    var fault: String
    /// What the rollout said of itself then.
    var sentence: String
    var loadAverage: Double
  }

  /// All rounds of a fault. Percentiles are rounds that were measured (nearest rank): P99 of few is the longest.
  struct Row: Codable {
    var fault: String
    /// Nil where no share of requests is meant.
    var worsening: Double?
    var requestsPerSecond: Double
    /// 10x or worse at 0.1 usual bad requests/s on the canary.
    var isHeldToBar: Bool
    var rounds: Int
    var detection: Spread?
    var decision: Spread?
    var actuation: Spread?
    var restored: Spread?
    var verdictToLastRequest: Spread?
    var requestsHurtMedian: Int
    var requestsHurtMost: Int
  }

  /// What never became ready never had a share.
  struct NeverReady: Codable {
    var outcome: String
    /// From its start to its end.
    var endedAfterMs: Int64
    var requestsTaken: Int
  }

  struct Bar: Codable {
    var bar: String
    var held: Bool
    var detail: String
  }

  var load: Load
  var rounds: [Round] = []
  var missed: [Missed] = []
  var rows: [Row] = []
  var neverReady: NeverReady?
  var bars: [Bar] = []
  var requests = 0
  /// Failed, and neither the bad version's doing nor the usual rate: lost in a switch.
  var lostInSwitches = 0
  var durationMs: Int64 = 0
}

extension RollbackBenchReport {
  /// "First bad response to restored, median 10 s, P99 30 s, detection included".
  static let medianLimit = Span.seconds(10)
  static let p99Limit = Span.seconds(30)
  /// "Verdict to last bad request at most 1 s".
  static let lastRequestLimit = Span.seconds(1)

  /// Makes rows and bars of the rounds.
  mutating func conclude(_ faults: [RollbackFault]) {
    rows = faults.compactMap { fault in
      let own = rounds.filter { $0.fault == fault.name }
      return own.isEmpty ? nil : row(fault, own)
    }
    let held = rows.filter(\.isHeldToBar)
    bars = held.map { Self.restored($0.fault, $0.restored) }
    if held.count > 1 {
      let names = Set(held.map(\.fault))
      let all = rounds.filter { names.contains($0.fault) }.map { Span(milliseconds: $0.restoredMs) }
      bars.append(Self.restored("all \(all.count) at 10x or worse", Spread(all)))
    }
    if !missed.isEmpty { bars.append(noneMissed) }
    bars += [lastRequest, nothingLost]
  }

  private func row(_ fault: RollbackFault, _ own: [Round]) -> Row {
    func spread(_ part: (Round) -> Int64) -> Spread? { Spread(own.map { Span(milliseconds: part($0)) }) }
    let hurt = own.map(\.requestsHurt).sorted()
    return Row(
      fault: fault.name, worsening: fault.worsening?.factor,
      requestsPerSecond: load.requestsPerSecond * fault.trafficFold,
      isHeldToBar: fault.isHeldToBar(canaryPerSecond: load.canaryPerSecond), rounds: own.count,
      detection: spread(\.detectionMs), decision: spread(\.decisionMs), actuation: spread(\.actuationMs),
      restored: spread(\.restoredMs),
      verdictToLastRequest: spread(\.verdictToLastRequestMs), requestsHurtMedian: hurt[(hurt.count - 1) / 2],
      requestsHurtMost: hurt[hurt.count - 1])
  }

  private static func restored(_ what: String, _ spread: Spread?) -> Bar {
    let (median, p99, count) = (spread?.p50 ?? .zero, spread?.p99 ?? .zero, spread?.count ?? 0)
    return Bar(
      bar: "\(what): first bad response to restored, median at most \(Int(medianLimit.seconds)) s, "
        + "P99 at most \(Int(p99Limit.seconds)) s",
      held: median <= medianLimit && p99 <= p99Limit,
      detail: "median \(median.tenths), \(count < 100 ? "longest" : "P99") \(p99.tenths) of \(count)")
  }

  private var noneMissed: Bar {
    Bar(
      bar: "each is found within \(Int(HarborReleases.patience.seconds)) s", held: missed.isEmpty,
      detail: missed.map { "\($0.fault) was not: \($0.sentence)" }.joined(separator: "; "))
  }

  private var lastRequest: Bar {
    let longest = rounds.map(\.verdictToLastRequestMs).max()
    return Bar(
      bar: "verdict to the last request sent to the bad version, at most \(Int(Self.lastRequestLimit.seconds)) s",
      held: longest.map { $0 <= Self.lastRequestLimit.milliseconds } ?? false,
      detail: longest.map { "longest \($0) ms of \(rounds.count)" } ?? "nothing was measured")
  }

  private var nothingLost: Bar {
    Bar(
      bar: "no request of a version that was well was lost in a switch", held: lostInSwitches == 0 && requests > 0,
      detail: "\(lostInSwitches) of \(requests)")
  }
}

extension Span {
  /// `7.4 s`
  var tenths: String { "\((milliseconds + 50) / 1000).\((milliseconds + 50) % 1000 / 100) s" }
}
