import ControlPlane
import Kernel
import Ramps

/// What a flag's events say, one sentence each.
extension Sentences {
  static func sentence(_ event: FeatureFlag.Event, of key: String) -> String {
    switch event {
    case .created(_, let revision, salt: _, let environments, let declared):
      "Flag \(key) was created by \(revision.by.actor)"
        + (declared.map { " in \($0.file)" } ?? "")
        + ", \(places(environments)): \(Words.closed(revision.by.reason))"
    case .revised(let revision, claims: _, releases: _):
      "\(revision.by.actor) "
        + (revision.restored.map { "restored revision \($0) of \(key) as \(revision.number)" }
          ?? "edited \(key), which is revision \(revision.number) now")
        + ": \(Words.closed(revision.by.reason))"
    case .declared(let place):
      place.map { "\(key) is defined by \($0.file) at \($0.commit.short)." }
        ?? "No file defines \(key) any more: people may edit it here."
    case .placed(let environment, let isOn, let override, epoch: _, let by):
      "\(by.actor) has \(key) \(isOn ? "on" : "off") in \(environment)"
        + (override.isEmpty ? "" : ", with \(override.map(\.name).joined(separator: " and ")) of its own there")
        + ": \(Words.closed(by.reason))"
    case .scheduled(let change):
      "\(change.by.actor) wants to \(Views.words(change.change)) in \(change.change.environment) at "
        + "\(Words.absolute(change.at)): \(Words.closed(change.by.reason))"
    case .unscheduled(let number, let by):
      "\(by.actor) took back the scheduled change \(number) of \(key): \(Words.closed(by.reason))"
    case .fellDue(let number, at: _): "The time of the scheduled change \(number) of \(key) has come."
    case .dueRefused(let number, let why, at: _):
      "The scheduled change \(number) of \(key) may not be made: \(Words.closed(why))"
    case .claimed(let other): "Flag \(other) has \(key) as a prerequisite now."
    case .unclaimed(let other): "Flag \(other) has \(key) as a prerequisite no more."
    case .archived(let by, releases: _): "\(by.actor) archived \(key): \(Words.closed(by.reason))"
    case .announced(let id, let target): "Receiver \(target + 1) was told of \(id)."
    case .announcementAbandoned(let id, let target, let why):
      "Receiver \(target + 1) was not told of \(id): \(Words.closed(why))"
    case .troubled(let effect, let why): "The world keeps failing at \(effect): \(Words.closed(why))"
    case .declarationRefused(let unmet):
      "\(unmet.declaration.place) at \(unmet.declaration.commit.short) declares \(key), which it may not become now: "
        + Words.closed(unmet.why)
    case .declarationMet(let folder): "\(key) is what \(folder?.name ?? "its folder") declares by now."
    case .declarationDropped(let folder): "\(folder?.name ?? "Its folder") declares \(key) no more."
    case .rampStarted, .sighted, .stageBegan, .settled, .evidenceNoted, .asked, .held, .resumed, .rampStopped,
      .rolledOut, .killed, .proofNoted, .proved:
      ramp(event, of: key)
    }
  }

  private static func ramp(_ event: FeatureFlag.Event, of key: String) -> String {
    switch event {
    case .rampStarted(let plan, let number, let by):
      "\(by.actor) ramps \(plan.variant) of \(key) in \(plan.environment) through \(Views.percents(plan.policy)), as "
        + "ramp \(number): \(Words.closed(by.reason))"
    case .sighted(let environment, let ramp, let sights):
      "What ramp \(ramp) of \(key) will see in \(environment): "
        + sights.flatMap(\.sentences).prefix(1).joined()
    case .stageBegan(let environment, let begin):
      "\(Views.number(begin.percent)) % of \(environment) get the variant of ramp \(begin.ramp) of \(key)"
        + (begin.by.map { ", because \($0.actor) went on: \(Words.closed($0.reason))" }
          ?? begin.passed.map { ", because \($0)" } ?? ".")
    case .settled(let environment, epoch: _, let settling):
      "Of \(key) in \(environment), \(Words.closed(settling.standing?.sentence ?? "nobody could tell who has it"))"
    case .evidenceNoted(let environment, epoch: _, let note): "\(key) in \(environment): \(note.verdict.sentence)"
    case .asked(let environment, ramp: _, let question):
      "A person is asked about \(key) in \(environment): \(Words.closed(question.why))"
    case .held(let environment, ramp: _, let hold):
      "The ramp of \(key) in \(environment) is held: \(Words.closed(hold.why))"
    case .resumed(let environment, ramp: _, let by, at: _):
      by.map { "\($0.actor) lets the ramp of \(key) in \(environment) go on: \(Words.closed($0.reason))" }
        ?? "The evidence of \(key) in \(environment) is believed again."
    case .rampStopped(let environment, let stop):
      "\(stop.variant) of \(key) was switched off in \(environment): \(Words.closed(stop.why))"
    case .rolledOut(let environment, ramp: _, let why, by: _, at: _):
      "\(key) is rolled out in \(environment): \(Words.closed(why))"
    case .killed(let environment, let kill, epoch: _, announceTargets: _):
      "\(kill.by.actor) killed \(key) in \(environment)"
        + (kill.attributed.map { ", because of \($0.service) \($0.digest.short)" } ?? "")
        + ": \(Words.closed(kill.by.reason))"
    case .proofNoted(let environment, epoch: _, let standing, let shownAt, at: _):
      "Of what was switched off of \(key) in \(environment), \(standing.sentence)"
        + (shownAt == nil ? "." : "; somebody was still seen with it.")
    case .proved(let environment, epoch: _, let standing, at: _):
      "Nobody is left with what was switched off of \(key) in \(environment): \(Words.closed(standing.sentence))"
    case .created, .revised, .declared, .placed, .scheduled, .unscheduled, .fellDue, .dueRefused, .claimed, .unclaimed,
      .archived, .announced, .announcementAbandoned, .troubled, .declarationRefused, .declarationMet,
      .declarationDropped:
      ""
    }
  }

  private static func places(_ environments: [FeatureFlag.Switch]) -> String {
    environments.isEmpty
      ? "off everywhere"
      : environments.map { "\($0.isOn ? "on" : "off") in \($0.environment)" }.joined(separator: ", ")
  }
}
