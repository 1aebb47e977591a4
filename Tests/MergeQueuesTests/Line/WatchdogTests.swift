import Kernel
import Testing

@testable import MergeQueues

@Suite("The watchdog") struct WatchdogTests {
  private static func at(_ seconds: Double) -> Instant { Instant(milliseconds: 0) + .seconds(seconds) }
  private static func sight(waiting: Int = 1, moved: Double = 0) -> WatchdogSight {
    WatchdogSight(waiting: waiting, movedAt: at(moved))
  }
  private static func run(alive: Double? = nil, usual: Double? = nil) -> WatchdogSight.Run {
    WatchdogSight.Run(
      build: 1, entries: [3, 4], check: "harbor", startedAt: at(0), aliveAt: alive.map(at),
      usual: usual.map(Span.seconds))
  }

  /// Each cause alone: the sight, when it begins to be a stall, and words of the sentence.
  static let cases: [(cause: Stall.Cause, sight: WatchdogSight, begins: Double, words: String)] = {
    var missing = sight()
    missing.checks = [WatchdogSight.Check(name: "lint", entry: 12, awaitedSince: at(0))]
    var slow = sight()
    slow.checks = [
      WatchdogSight.Check(name: "lint", entry: 12, awaitedSince: at(0), startedAt: at(5), usual: .seconds(20))
    ]
    var gone = sight()
    gone.runs = [run(alive: 10)]
    var slowRun = sight()
    slowRun.runs = [run(usual: 300)]
    var push = sight()
    push.push = WatchdogSight.Push(entry: 2, firstTriedAt: at(0), refusals: 1, why: "the branch is protected")
    var plan = sight()
    plan.planWantedSince = at(0)
    return [
      (.missingCheck, missing, 45, "the check 'lint', and nobody has begun it"),
      (.slowCheck, slow, 25, "The check 'lint' of #12"),
      (.runnerGone, gone, 40, "The runner of #3 and #4"),
      (.slowCheck, slowRun, 300, "99 of 100 take less than 5 min"),
      (.pushRefused, push, 45, "refused once in"),
      (.planMissing, plan, 10, "which builds to run next"),
      (.unexplained, sight(), 45, "1 entry waits, and nothing has run"),
    ]
  }()

  @Test("names each cause at its instant and not before, within a minute of when it began", arguments: cases)
  func names(cause: Stall.Cause, sight: WatchdogSight, begins: Double, words: String) throws {
    let instant = Self.at(begins)
    #expect(Watchdog.stalls(in: sight, at: instant - Span(milliseconds: 1)).isEmpty)
    let stall = try #require(Watchdog.stalls(in: sight, at: instant).first)
    #expect(stall.cause == cause && stall.sentence.contains(words), "\(stall.sentence)")
    #expect(instant - stall.since <= .seconds(60))
    var now = Self.at(0)
    while now < instant, let next = Watchdog.nextLook(at: sight, after: now) { now = next }
    #expect(now == instant, "it is looked at again exactly then")
  }

  @Test("trouble is told at once, a third refusal too, and the longest-standing first")
  func order() {
    var sight = Self.sight(moved: 90)
    sight.troubles = [WatchdogSight.Trouble(entry: nil, why: "no route to git.example", since: Self.at(80))]
    sight.push = WatchdogSight.Push(entry: 2, firstTriedAt: Self.at(70), refusals: 3, why: "the trunk moved")
    let stalls = Watchdog.stalls(in: sight, at: Self.at(91))
    #expect(stalls.map(\.cause) == [.pushRefused, .worldFails])
    #expect(stalls[1].sentence == "The queue has been held up by the world for 11 s: no route to git.example.")
  }

  @Test("a queue that moves, is held, or is empty does not stall")
  func quiet() {
    #expect(Watchdog.stalls(in: Self.sight(waiting: 0), at: Self.at(9_000)).isEmpty)
    #expect(Watchdog.nextLook(at: Self.sight(waiting: 0), after: Self.at(0)) == nil)
    var running = Self.sight()
    running.runs = [Self.run()]
    #expect(Watchdog.stalls(in: running, at: Self.at(9_000)).isEmpty)
    #expect(Watchdog.nextLook(at: running, after: Self.at(0)) == nil)
    var pushing = Self.sight()
    pushing.push = WatchdogSight.Push(entry: 2, firstTriedAt: Self.at(0), refusals: 0, why: "")
    #expect(Watchdog.stalls(in: pushing, at: Self.at(9_000)).isEmpty)
  }
}
