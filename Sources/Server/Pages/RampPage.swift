import API
import Foundation
import Kernel

/// `/flags/{key}/ramps/{environment}`: the evidence of the ramp there: what each stage could see, what the judge saw,
/// why it ended, which lever acted, and who was told.
struct RampPage: Sendable {
  let key: String
  let flag: String
  let environment: String
  let variant: String
  let number: Int
  let badge: Badge
  let lead: String
  let started: Moment
  let by: String
  let service: String?
  let ask: FlagPage.Ask?
  /// SVG made here, its texts escaped.
  let picture: String
  let hasPicture: Bool
  let verdict: Verdict?
  let conviction: Conviction?
  let remarks: [String]
  let hasRemarks: Bool
  let guardrails: [Guardrail]
  let stages: [Stage]
  let proof: FlagPage.Proof?
  let proved: String?
  let notes: [Note]
  let hasNotes: Bool
  let announcements: [Note]
  let hasAnnouncements: Bool
  let ledger: String

  struct Verdict: Sendable {
    let badge: Badge
    let sentence: String
    let at: Moment
  }

  struct Conviction: Sendable {
    let heading: String
    /// Nil when the page has said it already.
    let sentence: String?
    let variant: Cohort
    let control: Cohort
    let worse: String
    let coin: String
    let began: Moment?
    let decided: Moment
  }

  struct Cohort: Sendable {
    let cohort: String
    let events: String
    let trials: String
    let share: String
  }

  struct Guardrail: Sendable {
    let name: String
    let measure: String
    let promise: String
    let seen: String?
  }

  struct Stage: Sendable {
    let stage: FlagPage.Stage
    let sees: [String]
    let least: String
  }

  struct Note: Sendable {
    let at: Moment
    let sentence: String
  }

  init(_ flag: FlagView, _ place: FlagPlaceView, _ ramp: FlagRampView, _ past: RampPast, now: Instant) {
    key = flag.key
    self.flag = FlagPage.address(flag.key)
    environment = place.environment
    variant = ramp.variant
    number = ramp.number
    let phase = ramp.outcome == "running" ? place.phase : ramp.outcome
    badge = Badge(words: FlagPage.phaseWords[phase] ?? phase, tone: FlagPage.tone(phase))
    lead = ramp.ending.map { Words.sentence($0.why) } ?? place.sentence
    started = Moment(ramp.by.atMs, now: now)
    by = "\(ramp.by.actor): \(Words.closed(ramp.by.reason))"
    service = ramp.service
    ask = FlagPage.Place(place, of: flag, now: now).ask
    let end = ramp.ending.map { Instant(milliseconds: $0.atMs) } ?? now
    let tone = ramp.ending?.cause == "bad" ? "bad" : ramp.outcome == "rolledOut" ? "good" : "moving"
    let drawn = RampPicture(
      past, levels: ramp.stages.map(\.percent), variant: ramp.variant, end: max(end, past.steps.last?.at ?? end),
      tone: tone)
    picture = drawn.fragment
    hasPicture = drawn.hasSteps
    // What convicted it is told above.
    verdict = ramp.verdict.flatMap { verdict in
      guard verdict.kind != "bad" else { return nil }
      return Verdict(
        badge: Self.badge(verdict.kind), sentence: Words.sentence(verdict.sentence), at: Moment(verdict.atMs, now: now))
    }
    conviction = (ramp.ending?.conviction ?? ramp.verdict?.conviction).map {
      Conviction(
        $0, variant: ramp.variant, isFinal: ramp.ending?.cause == "bad", isTold: ramp.ending?.why == $0.sentence,
        now: now)
    }
    remarks = ramp.remarks ?? []
    hasRemarks = !remarks.isEmpty
    guardrails = ramp.guardrails.map { guardrail in
      Guardrail(
        name: guardrail.name, measure: guardrail.measure,
        promise: "A stage passes once \(Views.number(guardrail.detect))x would have been seen"
          + (guardrail.limit > 1 ? "; up to \(Views.number(guardrail.limit))x is allowed." : "."),
        seen: guardrail.seen)
    }
    stages = ramp.stages.map { stage in
      Stage(
        stage: FlagPage.Stage(stage), sees: stage.sees,
        least: "lasts at least \(Span(milliseconds: stage.leastMs).words)"
          + (stage.percent >= 100 || stage.sees.isEmpty
            ? "" : stage.holdsMs == nil ? ", then asks" : ""))
    }
    proof = place.proof.map { FlagPage.Proof($0, now: now) }
    proved = ramp.ending?.provedAtMs.map { at in
      "Nobody was left with it \(Words.decimal(Double(at - (ramp.ending?.atMs ?? at)) / 1000)) s after it was withdrawn."
    }
    notes = past.notes.reversed().map { Note(at: Moment($0.at.milliseconds, now: now), sentence: $0.sentence) }
    hasNotes = !past.notes.isEmpty
    announcements = past.announcements.map { Note(at: Moment($0.at.milliseconds, now: now), sentence: $0.sentence) }
    hasAnnouncements = !past.announcements.isEmpty
    ledger = "/ledger?stream=flag:\(Short.part(flag.key))"
  }

  private static func badge(_ kind: String) -> Badge {
    switch kind {
    case "good": Badge(words: "good", tone: "good")
    case "bad": Badge(words: "bad", tone: "bad")
    case "untrusted": Badge(words: "cannot be trusted", tone: "waiting")
    default: Badge(words: "undecided", tone: "calm")
    }
  }
}

extension RampPage.Conviction {
  init(_ view: FlagConvictionView, variant name: String, isFinal: Bool, isTold: Bool, now: Instant) {
    heading = isFinal ? "Why it was switched off" : "What would be said if the evidence were believed"
    sentence = isTold ? nil : Words.sentence(view.sentence)
    variant = RampPage.Cohort(name, view.events, view.trials)
    control = RampPage.Cohort("beside it", view.controlEvents, view.controlTrials)
    let bounds =
      switch (view.lower, view.upper) {
      case (let low?, let high?): "; 95 % bounds at all times: \(Self.times(low)) to \(Self.times(high))"
      case (let low?, nil): "; at least \(Self.times(low)) with 95 %"
      case (nil, _): ""
      }
    worse = view.ratio.map { "About \(Self.times($0)) as bad\(bounds)" } ?? "Worse, how much cannot be told\(bounds)"
    coin =
      "The coin became \(Views.grouped(Int(min(view.evidence, 1e9)))); from \(Views.grouped(Int(view.threshold.rounded()))) "
      + "on it is no chance."
    began = view.sinceMs.map { Moment($0, now: now) }
    decided = Moment(view.decidedAtMs, now: now)
  }

  private static func times(_ ratio: Double) -> String {
    "\(ratio >= 10 ? Views.number(ratio.rounded()) : Views.number((ratio * 10).rounded() / 10))x"
  }
}

extension RampPage.Cohort {
  init(_ cohort: String, _ events: Int, _ trials: Int) {
    self.cohort = cohort
    self.events = Views.grouped(events)
    self.trials = Views.grouped(trials)
    share = trials > 0 ? Words.percent(Double(events) / Double(trials)) : "–"
  }
}
