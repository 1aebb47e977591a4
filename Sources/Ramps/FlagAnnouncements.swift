import Kernel

/// What people are told of a flag: that a ramp was stopped, and that somebody switched the flag off in an emergency.
extension FeatureFlag.State {
  mutating func announce(_ stop: FeatureFlag.RampStop, in environment: EnvironmentName) {
    guard let key, case .bad(let conviction) = stop.cause,
      let course = ending(in: environment)?.course, course.plan.announceTargets > 0
    else { return }
    var facts = [
      Announcement.Fact("variant", "\(stop.variant), at \(RampWords.number(conviction.percent)) %"),
      Announcement.Fact("started by", course.startedBy.actor),
    ]
    if let since = conviction.since {
      facts.append(Announcement.Fact("seen for", RampWords.about(stop.at - since)))
    }
    add(
      Announcement(
        id: "flag/\(key)/\(environment)/ramp-\(stop.ramp)", kind: "ramp", service: stop.service,
        environment: environment, headline: "\(stop.variant) of flag \(key) was switched off in \(environment)",
        reason: stop.why, facts: facts, path: "/flags/\(key)", at: stop.at), course.plan.announceTargets)
  }

  mutating func announce(_ kill: FeatureFlag.Kill, in environment: EnvironmentName, _ targets: Int) {
    guard let key, targets > 0 else { return }
    let blamed = kill.attributed.map { [Announcement.Fact("because of", "\($0.service) \($0.digest.short)")] } ?? []
    add(
      Announcement(
        id: "flag/\(key)/\(environment)/kill-\(kill.by.at.milliseconds)", kind: "kill",
        service: kill.attributed?.service ?? definition?.service, environment: environment,
        headline: "\(kill.by.actor) switched flag \(key) off in \(environment)", reason: kill.by.reason,
        facts: blamed, path: "/flags/\(key)", at: kill.by.at), targets)
  }

  private mutating func add(_ announcement: Announcement, _ targets: Int) {
    guard !announcements.contains(where: { $0.id == announcement.id }) else { return }
    announcements.append(FeatureFlag.Announced(announcement: announcement, targets: Array(0..<targets)))
  }

  private func ending(in environment: EnvironmentName) -> FeatureFlag.Ending? {
    switch placement(in: environment)?.phase {
    case .stopping(let ending), .stopped(let ending): ending
    case .still, .sighting, .placing, .watching, .asking, .holding, .rolledOut, nil: nil
    }
  }
}
