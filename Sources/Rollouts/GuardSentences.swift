import Kernel

/// Guards in words: what was seen, and against what.
enum GuardSentences {
  static func throughput(_ seen: (canary: Int, all: Int, expected: Double)) -> String {
    let share = JudgeWords.percent(seen.expected / Double(max(seen.all, 1)))
    return """
      The new version finished \(seen.canary) of \(JudgeWords.requests(seen.all)) \
      (\(JudgeWords.percent(Double(seen.canary) / Double(max(seen.all, 1))))) where its share is \(share): \
      more than \(JudgeWords.percent(ThroughputGuard.tolerance)) fewer than it should.
      """
  }

  static func memory(_ finding: MemoryFinding) -> String {
    let now = "\(bytes(finding.bytes)) and grows by \(bytes(finding.growthPerSecond)) a second"
    let old = "the old version takes \(bytes(finding.oldBytes)) at most"
    let left = Span.seconds(max(Double(finding.limit) - finding.bytes, 0) / max(finding.growthPerSecond, 1))
    return """
      Instance \(finding.instance) of the new version takes \(now) and meets its limit of \(bytes(Double(finding.limit))) in \
      about \(JudgeWords.about(left)); \(old).
      """
  }

  static func processor(_ finding: ProcessorFinding) -> String {
    """
    A request costs the new version \(milliseconds(finding.canary)) of processor time against \
    \(milliseconds(finding.control)) of the old at the same time; more than \
    \(JudgeWords.times(ProcessorGuard.factor)) is not allowed.
    """
  }

  static func check(_ track: CheckTrack) -> String {
    let often = track.badInRow == 1 ? "" : " \(track.badInRow) times in a row"
    return "The check '\(track.check.name)' failed\(often): \(track.lastBad ?? "it gave no reason")."
  }

  static func suspicion(_ track: CheckTrack) -> String {
    """
    The check '\(track.check.name)' failed \(track.badInRow) of \(track.check.fails) times: \
    \(track.lastBad ?? "it gave no reason").
    """
  }

  /// - Parameter version: "new" or "old".
  static func blindness(_ rules: [Rule], _ version: String, since: Instant, at now: Instant) -> String {
    let names = rules.map { "'\($0.rawValue)'" }.joined(separator: " and ")
    return """
      The platform has told nothing of what the \(version) version's instances use for \(max(now - since, .zero).words): \
      \(rules.count == 1 ? "the guard" : "the guards") \(names) cannot judge. Turn them off under 'guards' where it \
      never does.
      """
  }

  static func missing(_ track: CheckTrack, at now: Instant) -> String {
    let since = track.unknownSince.map { " for \(max(now - $0, .zero).words)" } ?? ""
    return """
      the check '\(track.check.name)' has said neither good nor bad\(since): \
      \(track.unknownReason ?? "it has not answered yet")
      """
  }

  /// "430 MB": decimal units, as `plimsoll.yaml` has them.
  static func bytes(_ count: Double) -> String {
    let units: [(size: Double, name: String)] = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")]
    for unit in units where count >= unit.size {
      let value = count / unit.size
      return "\(decimal(value, places: value < 10 ? 1 : 0)) \(unit.name)"
    }
    return "\(Int(max(count, 0))) B"
  }

  private static func milliseconds(_ seconds: Double) -> String {
    "\(decimal(seconds * 1000, places: seconds < 0.01 ? 2 : 0)) ms"
  }
}

extension String {
  /// Within a sentence.
  var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
