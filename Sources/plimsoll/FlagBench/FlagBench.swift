import Flags
import Foundation

/// What evaluating costs, ours and rivals' in turns in one run: 10,000 flags, of which a third is static, a third has a
/// list of countries, a third shares out by halves behind that list.
///
/// Rivals are called through the C interface of their native libraries, as their clients do it, and read the context as
/// JSON each time. So ours is measured twice: with a context that is ready, and with one read from JSON each time.
/// Times are CPU time of this thread, so that neighbours count little.
struct FlagBench {
  static let flags = 10_000
  /// Issue "flags", "It must reach".
  static let staticNanoseconds = 80.0
  static let sharedNanoseconds = 400.0
  static let loadMs = 80.0
  static let residentMB = 15.0
  static let changeMs = 1.0
  static let leastRatio = 5.0

  enum Kind: Int, CaseIterable, Encodable {
    case fixed, listed, shared

    var name: String {
      switch self {
      case .fixed: "static"
      case .listed: "targeting"
      case .shared: "targeting with fractional"
      }
    }

    func encode(to encoder: any Encoder) throws { try name.encode(to: encoder) }

    /// Of the flag at a position.
    init(of flag: Int) { self = Self.allCases[flag % Self.allCases.count] }
  }

  /// One kind of flag in one engine.
  struct Row: Encodable {
    let kind: Kind
    let engine: String
    /// Median of the rounds.
    let nanoseconds: Double
    /// Median over the rounds of the engine's time by ours with the context read each time; nil for ours.
    let ratio: Double?
    /// The same by ours with a ready context.
    let ratioWithReadyContext: Double?
  }

  struct Load: Encodable {
    let engine: String
    let milliseconds: Double
    /// What resident memory grew by.
    let residentMB: Double
  }

  struct Report: Encodable {
    var flags = FlagBench.flags
    let rounds: Int
    let loadBefore: Double
    var loadAfter = 0.0
    var loads: [Load] = []
    /// One flag of ours exchanged for another; median.
    var changeMs = 0.0
    /// A segment of 10,000 subjects exchanged among as many flags; median.
    var segmentChangeMs = 0.0
    var rows: [Row] = []
    /// Rivals that are not here, with the reason.
    var absent: [String] = []
  }

  static let ready = "ours, context ready"
  static let reading = "ours, context read each time"
  static let contextJSON =
    #"{"targetingKey":"user-4711","country":"SE","email":"a@b.se","plan":"gold","version":"1.2.3"}"#

  let rounds: Int
  /// Evaluations of every flag within a round, so that one takes some milliseconds.
  private static let sweeps = 5

  func run(rivals: [any RivalEngine], absent: [String], progress: (String) -> Void) throws -> Report {
    var report = Report(rounds: rounds, loadBefore: LoadAverage.now)
    report.absent = absent
    progress("loading \(Self.flags) flags")
    let text = Self.definitions()
    // The first to be loaded stays: later ones would take what earlier ones gave back.
    Self.giveBackFreeMemory()
    let before = Self.residentNow()
    let began = Self.cpuSeconds()
    let flags = try FlagSet(json: text)
    var loads = [(Self.cpuSeconds() - began) * 1e3]
    let grown = Self.residentNow() - before
    for _ in 0..<rounds { loads.append(Self.milliseconds { _ = try? FlagSet(json: text) }) }
    report.loads.append(Load(engine: "ours", milliseconds: Self.median(loads), residentMB: grown))
    report.changeMs = try changeMs(of: flags)
    report.segmentChangeMs = try segmentChangeMs()
    for rival in rivals {
      progress("\(rival.name): loading \(Self.flags) flags")
      Self.giveBackFreeMemory()
      let before = Self.residentNow()
      let taken = try rival.load()
      report.loads.append(Load(engine: rival.name, milliseconds: taken, residentMB: Self.residentNow() - before))
    }
    for kind in Kind.allCases { report.rows += try rows(of: kind, flags, rivals, progress) }
    report.loadAfter = LoadAverage.now
    return report
  }

  private func rows(
    of kind: Kind, _ flags: FlagSet, _ rivals: [any RivalEngine], _ progress: (String) -> Void
  ) throws -> [Row] {
    let positions = (0..<Self.flags).filter { Kind(of: $0) == kind }
    let keys = positions.map(Self.key)
    let context = try EvaluationContext(json: Self.contextJSON)
    let bytes = Array(Self.contextJSON.utf8)
    var readContext = EvaluationContext()
    var ready: [Double] = []
    var reading: [Double] = []
    var theirs = [[Double]](repeating: [], count: rivals.count)
    for round in 0..<rounds {
      progress("\(kind.name), round \(round + 1) of \(rounds)")
      ready.append(
        try Self.nanoseconds(positions.count) {
          for key in keys { try Self.check(flags.evaluate(key, for: context, at: 0)) }
        })
      reading.append(
        try Self.nanoseconds(positions.count) {
          for key in keys {
            try bytes.withUnsafeBufferPointer { try readContext.read(json: $0) }
            try Self.check(flags.evaluate(key, for: readContext, at: 0))
          }
        })
      for (number, rival) in rivals.enumerated() {
        theirs[number].append(
          try Self.nanoseconds(positions.count) { for flag in positions { try rival.evaluate(flag) } })
      }
    }
    func ratio(_ times: [Double], by ours: [Double]) -> Double { Self.median(zip(times, ours).map { $0 / $1 }) }
    return [
      Row(kind: kind, engine: Self.ready, nanoseconds: Self.median(ready), ratio: nil, ratioWithReadyContext: nil),
      Row(kind: kind, engine: Self.reading, nanoseconds: Self.median(reading), ratio: nil, ratioWithReadyContext: nil),
    ]
      + zip(rivals, theirs).map { rival, times in
        Row(
          kind: kind, engine: rival.name, nanoseconds: Self.median(times), ratio: ratio(times, by: reading),
          ratioWithReadyContext: ratio(times, by: ready))
      }
  }

  private func changeMs(of flags: FlagSet) throws -> Double {
    var changed = flags
    var times: [Double] = []
    for round in 0..<max(rounds, 9) {
      // The set before is kept alive by nobody else from the second round on, as in a server.
      let key = Self.key(7 * round)
      times.append(
        try Self.milliseconds {
          changed = try changed.replacing(
            key, with: #"{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}"#)
        })
    }
    guard changed.count == Self.flags else { throw FlagBenchFault(sentence: "a change lost a flag") }
    return Self.median(times)
  }

  private static func check(_ evaluation: Evaluation) throws {
    if evaluation.error != nil { throw FlagBenchFault(sentence: "a flag of ours ended in an error") }
  }

  // MARK: Definitions

  static func key(_ flag: Int) -> String { "service-flag-\(flag)" }

  private func segmentChangeMs() throws -> Double {
    let subjects = (0..<Self.flags).map { "\"user-\($0)\"" }.joined(separator: ",")
    var flags = try FlagSet(json: Self.definitions(native: ",\"expiry\":\"9999-12-31\""))
    let times = try (0..<max(rounds, 9)).map { round in
      let segment = "{\"items\":[\(subjects),\"round-\(round)\"]}"
      return try Self.milliseconds { flags = try flags.replacing(segment: "beta", with: segment) }
    }
    return Self.median(times)
  }

  /// 1.6 MB of flagd's JSON; with fields of every flag that it does not have, a native set.
  private static func definitions(native fields: String = "") -> String {
    let rules = [
      "", #","targeting":{"if":[{"in":[{"var":"country"},["SE","DE","NO"]]},"on","off"]}"#,
      #","targeting":{"if":[{"in":[{"var":"country"},["SE","DE","NO"]]},{"fractional":[["on",50],["off",50]]},"off"]}"#,
    ]
    let entries = (0..<flags).map { flag in
      "\"\(key(flag))\":{\"state\":\"ENABLED\",\"variants\":{\"on\":true,\"off\":false},\"defaultVariant\":\"off\""
        + "\(fields)\(rules[Kind(of: flag).rawValue])}"
    }
    return "{\(fields.isEmpty ? "" : "\"plimsoll\":1,")\"flags\":{\(entries.joined(separator: ","))}}"
  }

  // MARK: Measuring

  static func cpuSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  static func milliseconds(_ body: () throws -> Void) rethrows -> Double {
    let began = cpuSeconds()
    try body()
    return (cpuSeconds() - began) * 1e3
  }

  /// Of one evaluation, when `body` makes so many.
  private static func nanoseconds(_ count: Int, _ body: () throws -> Void) rethrows -> Double {
    try milliseconds { for _ in 0..<sweeps { try body() } } * 1e6 / Double(sweeps * count)
  }

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  /// Lets the C library return what is free to the system, so that what is taken next is seen in resident memory. Not
  /// every C library can.
  private static func giveBackFreeMemory() {
    typealias Trim = @convention(c) (Int) -> Int32
    if let symbol = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(symbol, to: Trim.self)(0) }
  }

  private static func residentNow() -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    return pages * Double(sysconf(Int32(_SC_PAGESIZE))) / 1e6
  }
}

/// Why the bench could not go on.
struct FlagBenchFault: Error, CustomStringConvertible {
  let sentence: String
  var description: String { sentence }
}
