/// What came of what was told of a ramp, since it began. Everything that is not evidence is counted by its reason.
package struct EvidenceTally: Codable, Equatable, Sendable {
  package var exposures = 0
  package var outcomes = 0
  package var conversions = 0
  /// Outcomes that found their cohort.
  package var joined = 0
  /// Outcomes and conversions of whom no exposure is known: others' traffic, or exposures that did not come.
  package var unknownUnits = 0
  /// Outcomes that told nobody's key, for guardrails that count units.
  package var withoutUnit = 0
  /// Told after their second was closed.
  package var late = 0
  /// Stamped by a clock ahead of ours.
  package var ahead = 0
  /// Exposures of an allocation before the one that the unit has been given since.
  package var outdated = 0
  /// Outcomes of units that were shown both variants.
  package var excluded = 0
  /// Units that had to go for want of room.
  package var evicted = 0
  /// Outcomes and conversions for which there was no room.
  package var overflowed = 0
  /// How often our clock jumped.
  package var jumps = 0
  /// Units that the running epoch has been given out to, as far as their allocation is known.
  package var units = Cohorts.zero
  /// Of them: shown both variants.
  package var inBoth = 0
  package init() {}

  /// GrowthBook's rule for multiple exposures: one unit in a hundred, and at least ten.
  package static let mostInBoth = 0.01
  static let leastInBoth = 10

  /// What makes the running epoch's cohorts doubtful; nil when nothing does.
  package var alarm: String? {
    guard inBoth >= EvidenceTally.leastInBoth, Double(inBoth) > EvidenceTally.mostInBoth * Double(units.all) else {
      return nil
    }
    return """
      \(RampWords.of(inBoth, units.all)) units were shown both variants in one stage; they are left out. See that \
      everybody evaluates with the same targeting key, then begin the stage anew.
      """
  }

  /// What a person should look at, most important first.
  package var remarks: [String] {
    var remarks = alarm.map { [$0] } ?? []
    let told = outcomes + conversions
    func remark(_ count: Int, _ words: String) {
      if count > 0, Double(count) > EvidenceTally.remarkable * Double(max(told, 1)) {
        remarks.append("\(RampWords.of(count, told)) \(words)")
      }
    }
    remark(
      late, "came after their second was closed; let exporters send every second (OTEL_BSP_SCHEDULE_DELAY=1000).")
    remark(ahead, "came from a clock ahead of this one; set it right.")
    remark(withoutUnit, "name no unit; tell one, or let the guardrail count requests.")
    remark(overflowed, "found no room; sample them at the source, by unit.")
    if evicted > 0 {
      remarks.append("\(evicted) units were forgotten for want of room; their later outcomes are lost.")
    }
    if jumps > 0 { remarks.append("The clock jumped \(jumps == 1 ? "once" : "\(jumps) times").") }
    return remarks
  }

  /// A hundredth is no remark.
  private static let remarkable = 0.01
}
