import Kernel
import Rollouts

/// What the events of an observed place say.
extension Sentences {
  static func sentence(_ event: Observation.Event, in place: String) -> String {
    switch event {
    case .configured(let policy):
      "\(place) is observed: each new version is judged for \(policy.bake.words), and nothing is changed."
    case .found(let version, at: _): "\(version) serves \(place)."
    case .versionsSeen(let versions, at: _):
      "Versions in \(place) now: \(versions.map(\.rawValue).joined(separator: ", "))."
    case .deployed(let deployed):
      "Deployment \(deployed.id) of \(place): \(deployed.version) after \(deployed.previous), "
        + "\(words(for: deployed.source))."
    case .evidenceNoted(let id, let verdict, checkpoint: _, at: _): "Deployment \(id) is \(words(for: verdict))"
    case .wouldHaveRolledBack(let id, let conviction):
      "Plimsoll would have rolled back deployment \(id) at \(Words.clock(conviction.decidedAt)): \(conviction.sentence)"
    case .wentBack(let id, let to, let source, let at):
      "The team went back from deployment \(id) to \(to) at \(Words.clock(at)), \(words(for: source))."
    case .settled(let settlement):
      "Deployment \(settlement.deployment): \(words(for: settlement.judgement)) \(words(for: settlement.team))"
    case .corrected(let id, let act, let by, at: _):
      "\(by.actor) corrected deployment \(id): \(words(for: act))\(by.reason.isEmpty ? "" : " \(Words.closed(by.reason))")"
    case .unconfigured(let abandoned, at: _):
      "plimsoll.yaml no longer names \(place)"
        + (abandoned.map { "; deployment \($0) is judged no further." } ?? ".")
    case .announced(let id, let target): "Announcement \(id) reached target \(target + 1)."
    case .announcementAbandoned(let id, let target, let why):
      "Announcement \(id) did not reach target \(target + 1): \(why)."
    }
  }

  static func words(for judgement: Observation.Judgement) -> String {
    switch judgement {
    case .wouldHaveRolledBack(let conviction):
      "Plimsoll would have rolled it back at \(Words.clock(conviction.decidedAt)): \(conviction.sentence)"
    case .wouldHaveKept(let power): "Plimsoll would have kept it: \(power.sentence)"
    case .couldNotTell(let why): "Plimsoll could not tell: \(why)"
    }
  }

  static func words(for act: Observation.TeamAct) -> String {
    switch act {
    case .kept: "The team kept it."
    case .rolledBack(let at): "The team rolled it back at \(Words.clock(at))."
    case .replaced(let by, let at): "The team replaced it by \(by) at \(Words.clock(at))."
    }
  }

  static func words(for comparison: Observation.Comparison) -> String {
    switch comparison {
    case .bothKept: "agreed: both kept it"
    case .bothWentBack(let saved): "agreed: both went back, Plimsoll \(saved.words) earlier"
    case .needless: "needless, according to the team"
    case .missed: "missed: the team went back"
    case .untold: "Plimsoll could not tell"
    case .undecided: "undecided: the team went on to another version"
    }
  }

  private static func words(for source: Observation.Source) -> String {
    switch source {
    case .label: "told by its label"
    case .webhook: "told by a webhook"
    case .person: "told by a person"
    }
  }
}
