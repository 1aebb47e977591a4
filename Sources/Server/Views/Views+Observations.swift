import API
import Kernel
import Rollouts

extension Views {
  static func observed(
    _ state: Observation.State, _ service: ServiceName, _ environment: EnvironmentName
  ) -> ObservedPlaceView {
    let watched = state.watch.map { [deployment($0)] } ?? []
    let (phase, sentence) = standing(state)
    return ObservedPlaceView(
      service: service.rawValue, environment: environment.rawValue, phase: phase, sentence: sentence,
      serving: state.serving?.rawValue, present: state.present.map(\.rawValue), score: score(state.score),
      deployments: watched + state.records.map(deployment))
  }

  private static func standing(_ state: Observation.State) -> (phase: String, sentence: String) {
    switch state.phase {
    case .unseen:
      return (
        "unseen",
        state.policy?.versions == .reported
          ? "No version was told yet: tell the one that serves with plimsoll observe deployed."
          : "No page has shown a version yet: the first to show one is what serves."
      )
    case .serving(let version, since: _): return ("serving", "\(version) serves; nothing is judged.")
    case .watching(let watch):
      let verdict = watch.note.map { Sentences.words(for: $0.verdict) } ?? "no evidence came yet."
      let told = watch.conviction.map { Sentences.words(for: .wouldHaveRolledBack($0)) } ?? "It is \(verdict)"
      return ("watching", "\(watch.deployed.version) is judged against \(watch.deployed.previous). \(told)")
    case .closed: return ("closed", "plimsoll.yaml no longer names it.")
    }
  }

  static func deployment(_ watch: Watch) -> ObservedDeploymentView {
    let deployed = watch.deployed
    let sentence =
      watch.conviction.map { Sentences.words(for: .wouldHaveRolledBack($0)) }
      ?? watch.note.map { "So far \(Sentences.words(for: $0.verdict))" } ?? "No evidence came yet."
    return ObservedDeploymentView(
      id: deployed.id, version: deployed.version.rawValue, previous: deployed.previous.rawValue,
      deployedAtMs: deployed.at.milliseconds, source: deployed.source.rawValue,
      judgement: watch.conviction == nil ? "watching" : "wouldHaveRolledBack", judgementSentence: sentence,
      wouldHaveRolledBackAtMs: watch.conviction?.decidedAt.milliseconds, rule: watch.conviction?.rule.rawValue,
      team: nil, teamSentence: nil, teamActedAtMs: nil, comparison: nil, comparisonSentence: nil, savedMs: nil,
      endsAtMs: watch.endsAt.milliseconds, correctedBy: nil)
  }

  static func deployment(_ record: Observation.Record) -> ObservedDeploymentView {
    let deployed = record.deployed
    let conviction: Conviction? = if case .wouldHaveRolledBack(let found) = record.judgement { found } else { nil }
    let saved: Span? = if case .bothWentBack(let span) = record.comparison { span } else { nil }
    let (team, actedAt) = act(record.team)
    return ObservedDeploymentView(
      id: deployed.id, version: deployed.version.rawValue, previous: deployed.previous.rawValue,
      deployedAtMs: deployed.at.milliseconds, source: deployed.source.rawValue, judgement: name(record.judgement),
      judgementSentence: Sentences.words(for: record.judgement),
      wouldHaveRolledBackAtMs: conviction?.decidedAt.milliseconds, rule: conviction?.rule.rawValue, team: team,
      teamSentence: Sentences.words(for: record.team), teamActedAtMs: actedAt?.milliseconds,
      comparison: name(record.comparison), comparisonSentence: Sentences.words(for: record.comparison),
      savedMs: saved?.milliseconds, endsAtMs: record.settledAt.milliseconds, correctedBy: record.correctedBy)
  }

  private static func name(_ judgement: Observation.Judgement) -> String {
    switch judgement {
    case .wouldHaveRolledBack: "wouldHaveRolledBack"
    case .wouldHaveKept: "wouldHaveKept"
    case .couldNotTell: "couldNotTell"
    }
  }

  private static func act(_ act: Observation.TeamAct) -> (String, Instant?) {
    switch act {
    case .kept: ("kept", nil)
    case .rolledBack(let at): ("rolledBack", at)
    case .replaced(by: _, let at): ("replaced", at)
    }
  }

  private static func name(_ comparison: Observation.Comparison) -> String {
    switch comparison {
    case .bothKept: "bothKept"
    case .bothWentBack: "bothWentBack"
    case .needless: "needless"
    case .missed: "missed"
    case .untold: "untold"
    case .undecided: "undecided"
    }
  }

  static func score(_ score: Observation.Score) -> ScoreView {
    ScoreView(
      deployments: score.deployments, bothKept: score.bothKept, bothWentBack: score.bothWentBack,
      savedMs: score.saved.milliseconds, needless: score.needless, missed: score.missed, untold: score.untold,
      undecided: score.undecided, sentence: sentence(score))
  }

  /// "Of 12 deployments, Plimsoll and the team agreed on 10 …"
  private static func sentence(_ score: Observation.Score) -> String {
    guard score.deployments > 0 else { return "No deployment has an outcome yet." }
    var parts = [
      "Of \(Words.count(score.deployments, "deployment")), Plimsoll and the team agreed on \(score.agreements)"
    ]
    if score.bothWentBack > 0 { parts.append("\(score.saved.words) would have been saved") }
    if score.needless > 0 { parts.append("\(score.needless) needless according to the team") }
    if score.missed > 0 { parts.append("\(score.missed) missed") }
    if score.untold > 0 { parts.append("\(score.untold) could not be told") }
    if score.undecided > 0 { parts.append("\(score.undecided) undecided") }
    return parts.joined(separator: "; ") + "."
  }
}
