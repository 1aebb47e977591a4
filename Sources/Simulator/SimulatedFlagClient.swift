import Kernel

/// What a client makes of one flag: read from the text that it was given, and from nothing else.
struct SimulatedCopy: Equatable {
  struct Share: Equatable {
    let variant: String
    let buckets: Range<Int>
  }
  let text: String
  let isOn: Bool
  let shares: [Share]
  /// As whoever serves it knows it.
  let epoch: Int

  init(_ text: String, epoch: Int) {
    self.text = text
    self.epoch = epoch
    isOn = text.hasPrefix(#"{"state":"ENABLED""#)
    shares = text.split(separator: #"{"variant":""#).dropFirst().compactMap { piece in
      let numbers = piece.split(maxSplits: 3) { !$0.isNumber }.prefix(2).compactMap { Int($0) }
      guard let variant = piece.split(separator: "\"").first, numbers.count == 2 else { return nil }
      return Share(variant: String(variant), buckets: numbers[0]..<numbers[1])
    }
  }

  /// Buckets of 100,000 that get the variant.
  func size(of variant: String) -> Int {
    isOn ? shares.reduce(0) { $0 + ($1.variant == variant ? $1.buckets.count : 0) } : 0
  }
  func ranges(of variant: String) -> [Range<Int>] { shares.filter { $0.variant == variant }.map(\.buckets) }

  /// Whether somebody is given the variant; nil: whether it is on at all.
  func gives(_ variant: String?) -> Bool { variant.map { size(of: $0) > 0 } ?? isOn }
}

/// All flags of an environment as of a version.
struct SimulatedSnapshot {
  /// The ledger's position; -1 for nothing yet.
  let version: Int64
  let copies: [FlagKey: SimulatedCopy]
  static let none = SimulatedSnapshot(version: -1, copies: [:])
}

/// A process with users, which evaluates the copy that it has, and tells whom it gave what.
final class SimulatedFlagClient {
  let name: String
  let environment: EnvironmentName
  /// Seconds between two questions; nil for one that holds a stream.
  let pollSeconds: Double?
  /// What it evaluates.
  private(set) var has = SimulatedSnapshot.none
  private var hasSince = Agenda.beginning
  /// What it evaluated before, oldest first.
  private var past: [(copies: [FlagKey: SimulatedCopy], until: Instant)] = []
  /// The newest version on its machine, which it takes up a moment later.
  var reached: Int64 = -1
  /// Which life of the server it is connected to; 0 for none.
  var life = 0
  /// Since when nothing goes to it or comes from it.
  private(set) var cutSince: Instant?
  /// When it was cut off last, and until when.
  private var lastCut: (from: Instant, to: Instant)?
  /// Its stream lives, and nothing comes through.
  var isDeaf = false
  /// Its process has ended.
  private(set) var isGone = false
  /// Who was away is left alone for a while: whoever is away for longer than a server remembers is lost to it, in life
  /// too.
  var restedSince = Agenda.beginning

  private static let pastKept = 8
  /// What was evaluated is told so much later: what a browser's batch of exposures waits at most, a fifth of
  /// `FeatureFlag.proofQuiet`.
  private static let batch = Span.seconds(2)

  init(_ name: String, in environment: EnvironmentName, pollSeconds: Double?) {
    self.name = name
    self.environment = environment
    self.pollSeconds = pollSeconds
  }

  var isReachable: Bool { cutSince == nil && !isGone }

  func take(_ snapshot: SimulatedSnapshot, at now: Instant) {
    guard !isGone, snapshot.version > has.version else { return }
    replace(snapshot, at: now)
  }

  private func replace(_ snapshot: SimulatedSnapshot, at now: Instant) {
    past.append((has.copies, now))
    if past.count > Self.pastKept { past.removeFirst() }
    has = snapshot
    hasSince = now
  }

  func end(at now: Instant) {
    replace(.none, at: now)
    reached = -1
    life = 0
    isGone = true
  }

  func begin() { isGone = false }

  func cut(at now: Instant) { cutSince = now }

  func mend(at now: Instant) {
    if let from = cutSince { lastCut = (from, now) }
    cutSince = nil
  }

  /// Whether it still evaluates it.
  func gives(_ variant: String?, of key: FlagKey) -> Bool { has.copies[key]?.gives(variant) ?? false }

  /// When it last told that somebody was given it; nil when it never did. What it evaluates while it is cut off nobody
  /// ever hears of.
  func told(_ variant: String?, of key: FlagKey, by now: Instant) -> Instant? {
    var heard = min(cutSince ?? now, now - Self.batch)
    if let lastCut, heard < lastCut.to { heard = min(heard, lastCut.from) }
    if gives(variant, of: key), hasSince <= heard { return heard }
    return past.last { $0.copies[key]?.gives(variant) ?? false && $0.until <= heard }?.until
  }
}
