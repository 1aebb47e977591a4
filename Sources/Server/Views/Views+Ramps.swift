import API
import ControlPlane
import Foundation
import Kernel
import Ramps

/// Ramps and withdrawals, as the API shows them.
extension Views {
  /// The ramp that is under way, or how the last one ended.
  static func ramp(_ placement: FeatureFlag.Placement) -> FlagRampView? {
    switch placement.phase {
    case .still: nil
    case .sighting(let course), .placing(let course), .watching(let course), .asking(let course, _),
      .holding(let course, _):
      ramp(course, placement.phase, ending: nil)
    case .stopping(let ending), .stopped(let ending), .rolledOut(let ending):
      ramp(ending.course, placement.phase, ending: ending)
    }
  }

  private static func ramp(
    _ course: FeatureFlag.Course, _ phase: FeatureFlag.Phase, ending: FeatureFlag.Ending?
  ) -> FlagRampView {
    let outcome =
      switch phase {
      case .stopping: "stopping"
      case .stopped: "stopped"
      case .rolledOut: "rolledOut"
      case .still, .sighting, .placing, .watching, .asking, .holding: "running"
      }
    let isBegun = if case .sighting = phase { false } else { true }
    var question: String?
    var held: String?
    if case .asking(_, let asked) = phase { question = asked.why }
    if case .holding(_, let hold) = phase { held = hold.why }
    return FlagRampView(
      number: course.number, environment: course.plan.environment.rawValue, variant: course.plan.variant,
      outcome: outcome, stage: course.stage,
      percent: outcome == "running" || outcome == "rolledOut" ? (isBegun ? course.percent : 0) : 0,
      stages: stages(course.plan.policy, course.sights) { index in
        if outcome == "rolledOut" || index < course.stage { return "passed" }
        if outcome != "running" { return index == course.stage ? "stopped" : "notReached" }
        return index == course.stage && isBegun ? "now" : "next"
      }, guardrails: guardrails(course), service: course.plan.service?.rawValue, by: signed(course.startedBy),
      stageBeganAtMs: course.stageBegan.milliseconds, settledAtMs: course.settled?.at.milliseconds,
      verdict: course.note.map(verdict), question: question, hold: held, ending: ending.map(self.ending))
  }

  static func stages(
    _ policy: RampPolicy, _ sights: [FeatureFlag.StageForecast], standing: (Int) -> String
  ) -> [FlagStageView] {
    policy.stages.enumerated().map { index, stage in
      let sight = sights.indices.contains(index) ? sights[index] : nil
      return FlagStageView(
        percent: stage.percent, leastMs: stage.least.milliseconds, sees: sight?.sentences ?? [],
        holdsMs: sight?.holds?.milliseconds, standing: standing(index))
    }
  }

  private static func guardrails(_ course: FeatureFlag.Course) -> [FlagGuardrailView] {
    let seen = course.note.map { RampJudge(course.plan.policy, resuming: $0.record).seen } ?? []
    return course.plan.policy.guardrails.enumerated().map { index, guardrail in
      let measure =
        switch guardrail.measure {
        case .errors: "requests that failed"
        case .latency(let limit): "requests slower than \(limit.words)"
        case .conversion(let window): "units that converted within \(window.words)"
        }
      return FlagGuardrailView(
        name: guardrail.name, measure: measure, limit: guardrail.limit, detect: guardrail.detect,
        seen: seen.indices.contains(index) ? Words.sentence(seen[index]) : nil)
    }
  }

  static func verdict(_ note: FeatureFlag.Note) -> FlagVerdictView {
    let (kind, found): (String, RampConviction?) =
      switch note.verdict {
      case .good: ("good", nil)
      case .bad(let conviction): ("bad", conviction)
      case .undecided: ("undecided", nil)
      case .untrusted(let mistrust): ("untrusted", mistrust.suspicion)
      }
    return FlagVerdictView(
      kind: kind, sentence: note.verdict.sentence, atMs: note.at.milliseconds, conviction: found.map(conviction))
  }

  static func conviction(_ found: RampConviction) -> FlagConvictionView {
    FlagConvictionView(
      guardrail: found.name, percent: found.percent, trials: found.trials.treatment, events: found.events.treatment,
      controlTrials: found.trials.control, controlEvents: found.events.control, ratio: found.ratio, lower: found.lower,
      upper: found.upper, evidence: exp(min(found.logEvidence, mostEvidence)), threshold: exp(found.threshold),
      sinceMs: found.since?.milliseconds, decidedAtMs: found.decidedAt.milliseconds, sentence: found.sentence)
  }

  /// e to the 300 is still a number in JSON.
  private static let mostEvidence = 300.0

  private static func ending(_ ending: FeatureFlag.Ending) -> FlagEndingView {
    let (cause, actor, found): (String, String?, RampConviction?) =
      switch ending.cause {
      case .bad(let conviction): ("bad", nil, conviction)
      case .person(let actor): ("person", actor, nil)
      case .everybody(let actor): ("everybody", actor, nil)
      }
    return FlagEndingView(
      cause: cause, actor: actor, why: ending.why, atMs: ending.at.milliseconds,
      provedAtMs: ending.provedAt?.milliseconds, conviction: found.map(conviction))
  }

  // MARK: Who has heard

  /// - Parameter at: when it was so; nil when that is not known.
  static func proof(
    _ proof: FeatureFlag.Proof, in environment: EnvironmentName, at: Instant?
  ) -> FlagProofView {
    standing(
      proof.standing, in: environment, epoch: proof.epoch, variant: proof.variant, since: proof.since, at: at,
      shownAt: proof.shownAt, isProved: false, withdrawn: true)
  }

  /// - Parameters:
  ///   - withdrawn: whether something was taken away, and not given out.
  ///   - isProved: nobody was seen with it for long enough, either.
  static func standing(
    _ standing: FlagStanding?, in environment: EnvironmentName, epoch: Int, variant: String?, since: Instant?,
    at: Instant?, shownAt: Instant?, isProved: Bool, withdrawn: Bool
  ) -> FlagProofView {
    FlagProofView(
      environment: environment.rawValue, epoch: epoch,
      sentence: words(standing, since, at, shownAt, variant: variant, isProved: isProved, withdrawn: withdrawn),
      variant: variant, sinceMs: since?.milliseconds, complete: standing?.isComplete ?? false,
      all: standing?.all ?? 0, have: standing?.have ?? 0, delivered: standing?.delivered ?? 0,
      refetched: standing?.refetched ?? 0, evaluated: standing?.evaluated ?? 0,
      lacking: (standing?.lacking ?? []).map { FlagClientView(client: $0.client, seenAtMs: $0.seenAt.milliseconds) },
      shownAtMs: shownAt?.milliseconds)
  }

  /// "Off everywhere: 998 of 1,000 clients after 0.4 s; these two not: 10.0.0.7 and 10.0.0.9."
  private static func words(
    _ standing: FlagStanding?, _ since: Instant?, _ at: Instant?, _ shownAt: Instant?, variant: String?,
    isProved: Bool, withdrawn: Bool
  ) -> String {
    let what = withdrawn ? (variant.map { "Without \($0)" } ?? "Off") : "In force"
    guard let standing else { return "\(what): nobody has been asked yet." }
    guard standing.all > 0 else { return "\(what): no client holds flags here." }
    let time =
      if let since, let at, at >= since { " after \(String(format: "%.1f", (at - since).seconds)) s" } else { "" }
    let everywhere = standing.isComplete ? "\(what) everywhere" : what
    var sentence = "\(everywhere): \(grouped(standing.have)) of \(grouped(standing.all)) clients\(time)"
    if standing.lackingCount > 0 {
      let names = standing.lacking.prefix(5).map(\.client)
      let rest = standing.lackingCount - names.count
      let more = rest > 0 ? " and \(grouped(rest)) more" : ""
      sentence +=
        standing.lackingCount == 1
        ? "; this one not: \(names.first ?? "one that has no name")"
        : "; these \(grouped(standing.lackingCount)) not: \(names.joined(separator: ", "))\(more)"
    }
    if !isProved, withdrawn, standing.isComplete {
      sentence += shownAt == nil ? "; nobody was seen with it since" : "; somebody was still seen with it"
    }
    return sentence + "."
  }

  /// "1,000".
  static func grouped(_ number: Int) -> String {
    let digits = String(number)
    var text = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }
}
