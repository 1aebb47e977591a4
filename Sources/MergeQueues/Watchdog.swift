import Kernel

/// What a queue is waiting for in the world, for the watchdog: made of the state, nothing more.
package struct WatchdogSight: Equatable, Sendable {
  package var runs: [Run]
  package var checks: [Check]
  package var reviews: [Review]
  package var push: Push?
  /// Nil while it lives and can start runs.
  package var runner: Runner?
  package var troubles: [Trouble]
  /// When a plan was wanted that has not come; nil when none is wanted.
  package var planWantedSince: Instant?
  /// Entries in line that nobody holds: no freeze, no pause, no missing approval.
  package var waiting: Int
  /// When something last moved: an entry came or left, a build began or ended, the trunk moved, a hold ended.
  package var movedAt: Instant

  package init(
    runs: [Run] = [], checks: [Check] = [], reviews: [Review] = [], push: Push? = nil, runner: Runner? = nil,
    troubles: [Trouble] = [], planWantedSince: Instant? = nil, waiting: Int, movedAt: Instant
  ) {
    self.runs = runs
    self.checks = checks
    self.reviews = reviews
    self.push = push
    self.runner = runner
    self.troubles = troubles
    self.planWantedSince = planWantedSince
    self.waiting = waiting
    self.movedAt = movedAt
  }

  /// A CI run under way.
  package struct Run: Equatable, Sendable {
    package let build: Int
    /// Its entries, in order of the line.
    package let entries: [Int]
    /// The service whose test it is, as in the duration book.
    package let check: String
    package let startedAt: Instant
    /// When its runner last said that it lives; nil for a runner that never says so.
    package let aliveAt: Instant?
    /// What 99 of 100 such runs stay below; nil when that is not learned yet.
    package let usual: Span?
    package init(
      build: Int, entries: [Int], check: String, startedAt: Instant, aliveAt: Instant?, usual: Span?
    ) {
      self.build = build
      self.entries = entries
      self.check = check
      self.startedAt = startedAt
      self.aliveAt = aliveAt
      self.usual = usual
    }
  }

  /// A required check of somebody else's CI that has not passed yet.
  package struct Check: Equatable, Sendable {
    package let name: String
    package let entry: Int
    package let awaitedSince: Instant
    /// When it was first reported as pending; nil while nobody has reported it.
    package let startedAt: Instant?
    /// As for a run.
    package let usual: Span?
    package init(name: String, entry: Int, awaitedSince: Instant, startedAt: Instant? = nil, usual: Span? = nil) {
      self.name = name
      self.entry = entry
      self.awaitedSince = awaitedSince
      self.startedAt = startedAt
      self.usual = usual
    }
  }

  /// A database's word on an entry's migrations, which has not come yet.
  package struct Review: Equatable, Sendable {
    /// "production/orders".
    package let place: String
    package let entry: Int
    package let awaitedSince: Instant
    package init(place: String, entry: Int, awaitedSince: Instant) {
      self.place = place
      self.entry = entry
      self.awaitedSince = awaitedSince
    }
  }

  /// A push of a tested build that does not get through.
  package struct Push: Equatable, Sendable {
    package let entry: Int
    package let firstTriedAt: Instant
    /// In a row, because the trunk was elsewhere or the forge said no.
    package let refusals: Int
    package let why: String
    package init(entry: Int, firstTriedAt: Instant, refusals: Int, why: String) {
      self.entry = entry
      self.firstTriedAt = firstTriedAt
      self.refusals = refusals
      self.why = why
    }
  }

  /// The runner, when something is wrong with it.
  package struct Runner: Equatable, Sendable {
    package let since: Instant
    /// Nothing was heard of it since; else it lives and can start no run.
    package let isSilent: Bool
    package let why: String?
    package init(since: Instant, isSilent: Bool, why: String?) {
      self.since = since
      self.isSilent = isSilent
      self.why = why
    }
  }

  /// What the world keeps failing at.
  package struct Trouble: Equatable, Sendable {
    /// Nil when it holds up all.
    package let entry: Int?
    package let why: String
    package let since: Instant
    package init(entry: Int?, why: String, since: Instant) {
      self.entry = entry
      self.why = why
      self.since = since
    }
  }
}

/// Why a queue, or an entry, does not move, and what to do about it.
package struct Stall: Codable, Equatable, Sendable {
  package let cause: Cause
  /// The entries that it holds up, rising; empty when it holds up all.
  package let entries: [Int]
  /// When what is missing began to be missing.
  package let since: Instant
  /// One sentence: what is missing and since when it is.
  package let sentence: String
  /// One sentence: what a person can do.
  package let nextStep: String

  package enum Cause: String, Codable, CaseIterable, Sendable {
    case worldFails
    case pushRefused
    case runnerGone
    case missingCheck
    case missingReview
    case slowCheck
    case planMissing
    /// Somebody waits, and nothing above explains why nothing moves.
    case unexplained
  }
}

/// Names the cause of a stall: the queue that stands still for hours and does not say why is what users of merge queues
/// complain of most (research/merge-queue.md §3).
///
/// Everything here is told within a minute of its beginning (issue 4, "Every minute explained"), so the limits leave time
/// to be looked at and shown. A freeze, a pause or a missing approval is no stall: its holder is named where it is held.
package enum Watchdog {
  /// A check that CI has not begun: CI systems take seconds to tens of seconds to pick work up.
  package static let patience = Span.seconds(45)
  /// A runner that lives says so every 10 s; three words are missing.
  package static let silence = Span.seconds(30)
  /// A plan takes milliseconds.
  package static let planning = Span.seconds(10)
  /// A race with another pusher is lost once or twice, not more often.
  package static let refusals = 3

  /// What stands still at `now`, the longest-standing first. O(runs + checks + troubles).
  package static func stalls(in sight: WatchdogSight, at now: Instant) -> [Stall] {
    var found: [Stall] = sight.troubles.map { trouble in
      Stall(
        cause: .worldFails, entries: trouble.entry.map { [$0] } ?? [], since: trouble.since,
        sentence: "\(subject(trouble.entry.map { [$0] } ?? [])) held up by the world for "
          + "\((now - trouble.since).plainly): \(trouble.why).",
        nextStep: "It is tried again by itself; mend what the message names.")
    }
    if let push = sight.push, let since = overdue(push, at: now) {
      found.append(
        Stall(
          cause: .pushRefused, entries: [push.entry], since: since,
          sentence: "The push of #\(push.entry) was refused \(times(push.refusals)) in "
            + "\((now - push.firstTriedAt).plainly): \(push.why).",
          nextStep: "See who else pushes to the branch, and whether its protection lets Plimsoll push."))
    }
    found += sight.runs.compactMap { stall(of: $0, sight.runner, at: now) }
    if let stall = sight.runner.flatMap({ stall(of: $0, in: sight, at: now) }) { found.append(stall) }
    found += sight.checks.compactMap { stall(of: $0, at: now) }
    found += missingReviews(in: sight, at: now)
    if let since = sight.planWantedSince, now - since >= planning {
      found.append(
        Stall(
          cause: .planMissing, entries: [], since: since,
          sentence: "Nothing has said for \((now - since).plainly) which builds to run next.",
          nextStep: "Plimsoll itself is behind; look at the server's load and log."))
    }
    if found.isEmpty, isIdle(sight), now - sight.movedAt >= patience {
      let subject = sight.waiting == 1 ? "1 entry waits" : "\(sight.waiting) entries wait"
      found.append(
        Stall(
          cause: .unexplained, entries: [], since: sight.movedAt,
          sentence: "\(subject), and nothing has run or moved for \((now - sight.movedAt).plainly).",
          nextStep: "That is a fault of Plimsoll: restarting the server is safe, and the ledger shows the last events.")
      )
    }
    return found.enumerated().sorted { ($0.element.since, $0.offset) < ($1.element.since, $1.offset) }.map(\.element)
  }

  /// When to look again: the first instant after `now` at which a stall can begin; nil when none can without an event.
  package static func nextLook(at sight: WatchdogSight, after now: Instant) -> Instant? {
    var instants = sight.runs.flatMap { run in
      [run.aliveAt.map { $0 + silence }, run.usual.map { run.startedAt + $0 }]
    }
    instants += sight.checks.map { check in
      guard let startedAt = check.startedAt else { return check.awaitedSince + patience }
      return check.usual.map { startedAt + $0 }
    }
    instants += sight.reviews.map { $0.awaitedSince + patience }
    instants.append(sight.push.flatMap { $0.refusals > 0 ? $0.firstTriedAt + patience : nil })
    instants.append(sight.planWantedSince.map { $0 + planning })
    if isIdle(sight) { instants.append(sight.movedAt + patience) }
    return instants.compactMap(\.self).filter { $0 > now }.min()
  }

  private static func isIdle(_ sight: WatchdogSight) -> Bool {
    sight.waiting > 0 && sight.runs.isEmpty && sight.checks.isEmpty && sight.reviews.isEmpty && sight.push == nil
  }

  private static func overdue(_ push: WatchdogSight.Push, at now: Instant) -> Instant? {
    let isStuck = push.refusals >= refusals || (push.refusals > 0 && now - push.firstTriedAt >= patience)
    return isStuck ? push.firstTriedAt : nil
  }

  /// A runner that no run of its own speaks for.
  private static func stall(of runner: WatchdogSight.Runner, in sight: WatchdogSight, at now: Instant) -> Stall? {
    guard sight.waiting > 0 else { return nil }
    let why = runner.why.map { ": \($0)" } ?? ""
    if runner.isSilent {
      guard sight.runs.isEmpty, now - runner.since >= silence else { return nil }
      return Stall(
        cause: .runnerGone, entries: [], since: runner.since,
        sentence: "The runner has not been heard of for \((now - runner.since).plainly)\(why).",
        nextStep: "Look whether its machine is up; runs begin when it is back.")
    }
    return Stall(
      cause: .runnerGone, entries: [], since: runner.since,
      sentence: "The runner has been able to start no run for \((now - runner.since).plainly)\(why).",
      nextStep: "Mend what the message names; runs begin by themselves then.")
  }

  private static func stall(
    of run: WatchdogSight.Run, _ runner: WatchdogSight.Runner?, at now: Instant
  ) -> Stall? {
    if let aliveAt = run.aliveAt, now - aliveAt >= silence {
      let why = runner?.why.map { ": \($0)" } ?? ""
      return Stall(
        cause: .runnerGone, entries: run.entries, since: aliveAt,
        sentence: "The runner of \(list(run.entries)) has not been heard of for \((now - aliveAt).plainly)\(why).",
        nextStep: "Look whether its machine is up; the run is started again when the runner is given up.")
    }
    guard let usual = run.usual, now - run.startedAt >= usual else { return nil }
    return Stall(
      cause: .slowCheck, entries: run.entries, since: run.startedAt + usual,
      sentence: "The test of \(run.check) on \(list(run.entries)) has run for \((now - run.startedAt).plainly); "
        + "99 of 100 take less than \(usual.plainly).",
      nextStep: "Look into its log for what hangs; its time limit ends it otherwise.")
  }

  private static func stall(of check: WatchdogSight.Check, at now: Instant) -> Stall? {
    guard let startedAt = check.startedAt else {
      guard now - check.awaitedSince >= patience else { return nil }
      return Stall(
        cause: .missingCheck, entries: [check.entry], since: check.awaitedSince,
        sentence: "#\(check.entry) has waited \((now - check.awaitedSince).plainly) for the check '\(check.name)', and "
          + "nobody has begun it.",
        nextStep: "See that CI runs '\(check.name)' on what the queue pushes, and under this very name.")
    }
    guard let usual = check.usual, now - startedAt >= usual else { return nil }
    return Stall(
      cause: .slowCheck, entries: [check.entry], since: startedAt + usual,
      sentence: "The check '\(check.name)' of #\(check.entry) has run for \((now - startedAt).plainly); 99 of 100 take "
        + "less than \(usual.plainly).",
      nextStep: "Look into its log for what hangs.")
  }

  /// One for each place, whoever waits for it: a database that cannot be reached holds up all at once.
  private static func missingReviews(in sight: WatchdogSight, at now: Instant) -> [Stall] {
    var late: [(place: String, entries: [Int], since: Instant)] = []
    for review in sight.reviews where now - review.awaitedSince >= patience {
      if let index = late.firstIndex(where: { $0.place == review.place }) {
        late[index].entries.append(review.entry)
        late[index].since = min(late[index].since, review.awaitedSince)
      } else {
        late.append((review.place, [review.entry], review.awaitedSince))
      }
    }
    return late.map { place, entries, since in
      let subject = entries.count == 1 ? "#\(entries[0]) has" : "\(entries.count) entries, from #\(entries[0]) on, have"
      return Stall(
        cause: .missingReview, entries: entries.sorted(), since: since,
        sentence: "\(subject) waited \((now - since).plainly) for \(place) to review "
          + "\(entries.count == 1 ? "its" : "their") migrations.",
        nextStep: "See whether that database can be reached and its shadow starts; the review comes by itself then.")
    }
  }

  private static func list(_ entries: [Int]) -> String { MergeQueue.list(entries) }
  private static func subject(_ entries: [Int]) -> String {
    entries.isEmpty ? "The queue has been" : "\(list(entries)) has been"
  }
  private static func times(_ count: Int) -> String { count == 1 ? "once" : "\(count) times" }
}
