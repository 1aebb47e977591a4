import Kernel

/// What people are told when a rollback that they asked for is given up, because the database would fail its target by
/// now: once for each, for whoever asked must not believe that the old version is on its way.
extension Rollout.State {
  func abandonedRollback(_ course: Course, why: String, at: Instant) -> Announcement {
    let target = course.canary
    let place = "\(target.service) in \(target.environment)"
    let serving = knownGood.first?.deployment
    return Announcement(
      id: "\(target.service)/\(target.environment)/\(course.id)/rollback-abandoned", kind: "rollback-abandoned",
      service: target.service, environment: target.environment,
      headline: "\(place): the rollback to \(target.commit.short) was given up before anything was sent there",
      reason: why,
      facts: [
        Announcement.Fact("serves on", serving.map { "\($0.commit.short) (\($0.digest.short))" } ?? "nothing"),
        Announcement.Fact("next", "the nearest older version that the database bears, at once, where there is one"),
        Announcement.Fact("to see what the database bears", "plimsoll migrate status"),
      ],
      path: "/rollouts/\(target.service)/\(target.environment)/\(course.id)", at: at)
  }
}
