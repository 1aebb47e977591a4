import Foundation
import Kernel
import Testing

@testable import Rollouts

@Suite("Rollout: the way back") struct RolloutRollbackTests {
  typealias Facts = RolloutFacts

  private func delivered(_ letters: [String], policy: Rollout.Policy = Facts.policy()) -> RolloutStory {
    var story = RolloutStory(policy)
    for (index, letter) in letters.enumerated() { story.deliver(letter, Int64(index + 1)) }
    return story
  }
  private func request(_ to: String? = nil, from: Deployment? = nil) -> Rollout.Input {
    .rollBack(
      Rollout.RollBackRequest(to: to.map(Facts.digest), from: from?.id, reason: "orders are lost", actor: "ada"))
  }

  @Test("bad: traffic first, then the report, then the clean-up", arguments: [0, 1, 2])
  func bad(step: Int) {
    var story = delivered(["a"])
    story.place("b", 2)
    story.route()
    for _ in 0..<step {
      story.pass(.seconds(10))
      story.judge(Facts.good)
      story.route()
    }
    #expect(story.judge(Facts.bad(.latency)) == ["evidenceNoted", "condemned"])
    #expect(story.shares == "a=100 b=0")
    let old = Facts.deployment("a", 1)
    let new = Facts.deployment("b", 2)
    #expect(story.keys == ["route/\(old.id)=100,\(new.id)=0", "run/\(old.id)"])
    #expect(story.effects.allSatisfy { $0.lane == .protect && $0.retry == .persistent })
    #expect(story.judge(Facts.good) == [], "bad is final")
    #expect(story.route() == ["routed", "restored"])
    #expect(story.keys.contains("aftermath/2"))
    #expect(story.collect() == ["reported"])
    #expect(story.phase == "idle")
    #expect(!story.keys.contains("retire/\(new.id)"), "the router still names it")
    #expect(story.keys.contains("announce/harbor/production/2/rolled-back/0"))
    guard case .reported(let report)? = story.events.last else { return }
    story.route()
    #expect(story.keys.contains("retire/\(new.id)"))
    #expect(report.to == old)
    #expect(report.cause == .performance)
    #expect(report.requestsHurt == 47)
    #expect(report.evidence == Facts.aftermath.evidence)
    #expect(story.replayed == story.state)
  }

  @Test("bad before the router confirmed anything: the old confirmation does not count")
  func badWhileStepping() {
    var story = delivered(["a"])
    story.place("b", 2)
    #expect(story.judge(Facts.bad()) == ["evidenceNoted", "condemned"])
    #expect(story.phase == "restoring")
    #expect(story.route() == ["routed", "restored"])
  }

  @Test("a first deployment that is bad is taken out of traffic, and says so")
  func firstBad() {
    var story = RolloutStory()
    story.place("a", 1)
    story.route()
    story.judge(Facts.bad())
    #expect(story.shares == "a=0")
    #expect(story.route() == ["routed", "restored"])
    story.collect()
    guard case .announce(let announcement, target: 0)? = story.effects.last else {
      Issue.record("no announcement")
      return
    }
    #expect(announcement.headline.contains("taken out of traffic: there is no known-good version yet"))
    #expect(story.shares == "a=0", "until it is stopped")
    story.retireAll()
    #expect(story.shares == "")
    story.deliver("b", 2)
    #expect(story.shares == "b=100")
  }

  /// How a canary that never got traffic is condemned: nothing to restore, nothing to collect.
  static let failures: [(String, String)] = [
    ("failed readiness", "was not ready within 1 min"), ("crash loop", "ended 3 times in a row"),
    ("out of memory", "ran out of memory"), ("other bytes", "other bytes than were built"),
  ]
  @Test("infrastructure", arguments: failures)
  func infrastructure(_ rule: String, _ words: String) {
    var story = delivered(["a"])
    story.offer("b", 2)
    story.seal(2)
    let canary = Facts.deployment("b", 2).id
    let ends = ["condemned", "restored", "reported"]
    switch rule {
    case "failed readiness":
      #expect(story.give(.woke(EffectKey("wake/start/2/0"))) == [], "too early")
      story.pass(.seconds(60))
      #expect(story.give(.woke(EffectKey("wake/start/2/0"))) == ends)
    case "other bytes": #expect(story.ready(measured: Facts.digest("9")) == ends)
    default:
      let end: InstanceEnd = rule == "crash loop" ? .exited(code: 1) : .outOfMemory
      for inRow in 1...2 {
        #expect(
          story.give(.instanceEnded(canary, instance: 0, end: end, inRow: inRow, at: story.now)) == ["instanceEnded"])
      }
      #expect(
        story.give(.instanceEnded(canary, instance: 0, end: end, inRow: 3, at: story.now)) == ["instanceEnded"] + ends)
    }
    #expect(story.state.condemned.map(\.cause) == [.infrastructure])
    guard case .condemned(_, let found, let sentence, restoredAt: _)? = story.state.history.first?.outcome else {
      Issue.record("not in the history")
      return
    }
    #expect(found == rule)
    #expect(sentence.contains(words))
    #expect(story.give(.ready(canary, digest: Facts.digest("b"), endpoints: 2)) == [], "late")
  }

  @Test("a start limit that passed while Plimsoll was down is given once more")
  func sleptThrough() {
    var story = delivered(["a"])
    story.offer("b", 2)
    story.seal(2)
    story.pass(.seconds(66))
    #expect(story.give(.woke(EffectKey("wake/start/2/0"))) == ["startExtended"])
    #expect(story.give(.woke(EffectKey("wake/start/2/0"))) == [], "late")
    story.pass(.seconds(60))
    #expect(story.give(.woke(EffectKey("wake/start/2/1"))) == ["condemned", "restored", "reported"])
  }

  @Test("a crash loop in the final watch brings the old version back")
  func lateCrash() {
    var story = delivered(["a"], policy: Facts.policy(steps: [100]))
    story.place("b", 2)
    story.route()
    let canary = Facts.deployment("b", 2).id
    story.give(.instanceEnded(canary, instance: 1, end: .signalled(number: 11), inRow: 3, at: story.now))
    #expect(story.phase == "restoring")
    #expect(story.shares == "a=100 b=0")
  }

  @Test("ends of the serving version are noted at multiples of the crash limit only")
  func servingCrash() {
    var story = delivered(["a"])
    let serving = Facts.deployment("a", 1).id
    let noted = (1...9).filter {
      !story.give(.instanceEnded(serving, instance: 0, end: .exited(code: 1), inRow: $0, at: story.now)).isEmpty
    }
    #expect(noted == [3, 6, 9])
    #expect(story.keys.contains("run/\(serving)"))
  }

  @Test("a canary that dies now and then begins its watch anew, and is condemned when the ends add up")
  func flapping() {
    var story = delivered(["a"])
    story.place("b", 2)
    story.route()
    let canary = Facts.deployment("b", 2).id
    // Two instances and a crash limit of 3: the fourth end is one too many, whatever ran stably between.
    for end in 1...3 {
      story.pass(.seconds(9))
      #expect(!story.judge(Facts.good).contains("stepPassed"), "9 s after an end")
      #expect(
        story.give(.instanceEnded(canary, instance: end % 2, end: .exited(code: 70), inRow: 1, at: story.now))
          == ["instanceEnded"])
      #expect(story.phase == "watching 0")
    }
    story.pass(.seconds(9))
    #expect(
      story.give(.instanceEnded(canary, instance: 0, end: .exited(code: 70), inRow: 1, at: story.now))
        == ["instanceEnded", "condemned"])
    #expect(story.state.condemned.first?.sentence.contains("ended 4 times at this step") == true)
    #expect(story.shares == "a=100 b=0")
  }

  @Test("ends that the old version's instances share do not count, and more of the new one's do")
  func sharedEnds() {
    var story = delivered(["a"])
    story.place("b", 2)
    story.route()
    let (old, canary) = (Facts.deployment("a", 1).id, Facts.deployment("b", 2).id)
    func end(_ deployment: DeploymentID, inRow: Int = 1) -> [String] {
      story.give(.instanceEnded(deployment, instance: 0, end: .signalled(number: 9), inRow: inRow, at: story.now))
    }
    // A machine restarts both, three times; two instances and a crash limit of 3 allow three ends of the canary's own.
    for inRow in 1...3 {
      #expect(end(old, inRow: inRow) == ["instanceEnded"])
      #expect(end(canary, inRow: inRow) == ["instanceEnded"])
    }
    for _ in 1...3 { #expect(end(canary) == ["instanceEnded"]) }
    #expect(end(canary) == ["instanceEnded", "condemned"])
    #expect(story.state.condemned.first?.sentence.contains("and the old version's 3 times") == true)
  }

  @Test("a crash loop is not excused by the old version's ends of hours ago, nor for ever by those of now")
  func excuseLapses() {
    func looping(_ deployment: DeploymentID, _ inRow: Int, _ story: inout RolloutStory) -> [String] {
      story.give(.instanceEnded(deployment, instance: 0, end: .exited(code: 1), inRow: inRow, at: story.now))
    }
    let (old, canary) = (Facts.deployment("a", 1).id, Facts.deployment("b", 2).id)
    var late = delivered(["a"])
    late.place("b", 2)
    late.route()
    #expect(late.state.live?.oldEndpoints == 2, "as many as were ready when it was new")
    for inRow in 1...9 { #expect(looping(old, inRow, &late) == ["instanceEnded"]) }
    late.pass(.minutes(120))
    let ends = (1...3).map { looping(canary, $0, &late) }
    #expect(ends.last == ["instanceEnded", "condemned"])
    let sentence = late.state.condemned.first?.sentence ?? "it was not condemned"
    #expect(sentence.contains("ended 3 times in a row") && !sentence.contains("the old version"), "\(sentence)")

    // Starting, only ends in a row count.
    var both = delivered(["a"])
    both.offer("b", 2)
    both.seal(2)
    var condemnedAt: Int?
    for inRow in 1...20 where condemnedAt == nil {
      _ = looping(old, inRow, &both)
      if looping(canary, inRow, &both).contains("condemned") { condemnedAt = inRow }
      both.pass(.seconds(2))
    }
    #expect(condemnedAt == 15)
    #expect(both.state.condemned.first?.sentence.contains("and one of the old version's 12 times") == true)
  }

  @Test("after a single end a canary passes once it ran as long as its step asks for")
  func singleEnd() {
    var story = delivered(["a"])
    story.place("b", 2)
    story.route()
    story.pass(.seconds(8))
    story.give(
      .instanceEnded(Facts.deployment("b", 2).id, instance: 0, end: .outOfMemory, inRow: 1, at: story.now))
    story.pass(.seconds(9))
    story.judge(Facts.good)
    #expect(story.phase == "watching 0")
    story.pass(.seconds(1))
    story.judge(Facts.good)
    #expect(story.phase == "stepping 1")
  }

  @Test("a person rolls back a running rollout at once")
  func operatorDuring() {
    var story = delivered(["a"])
    story.place("b", 2)
    story.route()
    #expect(story.refusal(of: request("c"))?.kind == .notNow, "it can only return to a")
    #expect(story.give(request("a")) == ["condemned"])
    #expect(story.state.condemned.map(\.cause) == [.operator])
    #expect(story.state.condemned.first?.sentence == "ada rolled it back: orders are lost")
    #expect(story.refusal(of: request())?.kind == .notNow, "already on its way")
  }

  @Test("a person rolls back to the version before, which serves before the other one is condemned")
  func operatorIdle() {
    var story = delivered(["a", "b"])
    #expect(story.give(request()) == ["started"])
    #expect(story.shares == "b=100")
    #expect(story.ready() == ["placed", "condemned", "stepEntered"])
    #expect(story.shares == "a=100 b=0")
    #expect(story.refusal(of: request())?.kind == .notNow, "asked twice: the target must not be condemned")
    #expect(story.route() == ["routed", "stepPassed", "completed", "restored", "reported"])
    #expect(story.state.knownGood.map(\.deployment) == [Facts.deployment("a", 1)])
    #expect(story.state.condemned.map(\.digest) == [Facts.digest("b")])
    #expect(story.state.retiring == [Facts.deployment("b", 2)])
    #expect(story.refusal(of: request())?.sentence.contains("no older known-good version") == true)
    #expect(story.refusal(of: request("b"))?.sentence.contains("condemned") == true)
    #expect(story.offer("b", 2) == ["refusedCondemned"])
  }

  @Test("a rollback asked for twice goes back once, when it names what it leaves")
  func askedTwice() {
    var story = delivered(["a", "b", "c"])
    let left = Facts.deployment("c", 3)
    #expect(story.state.leaving == left)
    story.give(request(from: left))
    story.ready()
    story.route()
    #expect(story.shares == "b=100")
    let refusal = story.refusal(of: request(from: left))
    #expect(refusal?.kind == .notNow)
    let serving = Facts.deployment("b", 2)
    let words = "\(serving.commit.short) (\(serving.id)) serves harbor in production, since rollback 4, not \(left.id)."
    #expect(refusal?.sentence.contains(words) == true)
    #expect(story.refusal(of: request("a", from: left))?.kind == .notNow, "also with a target")
    story.retireAll()
    #expect(story.give(request(from: serving)) == ["started"], "a second step back that is meant")
  }

  @Test("a rollback names the rollout that runs, not what serves beside it")
  func askedTwiceDuring() {
    var story = delivered(["a", "b"])
    let serving = Facts.deployment("b", 2)
    let canary = Facts.deployment("c", 3)
    story.place("c", 3)
    story.route()
    #expect(story.state.leaving == canary)
    #expect(story.refusal(of: request(from: serving))?.sentence.contains("rollout 3 to \(canary.commit.short)") == true)
    #expect(story.give(request(from: canary)) == ["condemned"])
    story.route()
    story.collect()
    #expect(story.phase == "idle")
    let refusal = story.refusal(of: request(from: canary))
    #expect(refusal?.kind == .notNow)
    #expect(refusal?.sentence.contains("since rollout 3 was rolled back") == true)
  }

  @Test("the same bytes with another configuration are another version to leave")
  func leavingConfiguration() {
    var story = delivered(["a", "b"])
    story.offer("b", 3)
    story.seal(3, configuration: Facts.digest("d"))
    story.ready()
    story.measure()
    story.finish()
    let renewed = Facts.deployment("b", 3, configuration: Facts.digest("d"))
    #expect(story.state.leaving == renewed)
    #expect(story.refusal(of: request(from: Facts.deployment("b", 2)))?.kind == .notNow)
    #expect(story.refusal(of: request(from: renewed)) == nil)
  }

  @Test("a request without 'from' is read as it always was")
  func requestOnTheWire() throws {
    let old = #"{"actor":"ada","reason":"orders are lost","to":"\#(Facts.digest("a").rawValue)"}"#
    let request = try JSONDecoder().decode(Rollout.RollBackRequest.self, from: Data(old.utf8))
    #expect(
      request == Rollout.RollBackRequest(to: Facts.digest("a"), reason: "orders are lost", actor: "ada"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    #expect(String(decoding: try encoder.encode(request), as: UTF8.self) == old)
  }

  @Test("a named target, the one passed over, and what may be named")
  func named() {
    var story = delivered(["a", "b", "c"])
    let unknown = story.refusal(of: request("9"))
    #expect(unknown?.kind == .unknown)
    #expect(unknown?.sentence.contains(Facts.digest("a").rawValue) == true)
    #expect(story.refusal(of: request("c"))?.kind == .notNow, "it serves already")
    story.give(request("a"))
    story.ready()
    story.route()
    #expect(story.state.knownGood.map(\.deployment.digest) == [Facts.digest("a"), Facts.digest("b")])
    #expect(story.refusal(of: request())?.kind == .notNow, "b is newer: back must not mean forward")
    story.retireAll()
    story.give(request("b"))
    story.ready()
    story.route()
    #expect(story.shares == "b=100")
  }

  @Test("a target that does not start leaves the serving version in place")
  func targetFails() {
    var story = delivered(["a", "b"])
    story.give(request())
    story.pass(.seconds(60))
    story.give(.woke(EffectKey("wake/start/3/0")))
    #expect(story.shares == "b=100")
    #expect(story.state.condemned.map(\.digest) == [Facts.digest("a")])
    #expect(story.state.retiring.map(\.digest) == [Facts.digest("a")])
  }

  @Test("a target that crashes after the version it replaced was condemned: the next kept one takes over, cold")
  func targetCrashesLate() {
    var story = delivered(["a", "b", "c"])
    story.give(request())
    story.ready()
    let target = Facts.deployment("b", 2).id
    story.give(.instanceEnded(target, instance: 0, end: .exited(code: 1), inRow: 3, at: story.now))
    #expect(story.shares == "a=100 b=0 c=0")
    #expect(story.keys.contains("run/\(Facts.deployment("a", 1).id)"))
    story.route()
    story.collect()
    #expect(story.shares == "a=100")
    #expect(story.state.retiring.map(\.digest) == [Facts.digest("b"), Facts.digest("c")])
  }

  @Test("the one that takes over is no longer retired")
  func targetStillStopping() {
    var story = delivered(["a", "b"])
    story.place("c", 3)
    story.finish()
    #expect(story.state.retiring.map(\.digest) == [Facts.digest("b")])
    story.give(request("a"))
    story.ready()
    let target = Facts.deployment("a", 1).id
    story.give(.instanceEnded(target, instance: 0, end: .exited(code: 1), inRow: 3, at: story.now))
    #expect(story.shares == "a=0 b=100 c=0")
    #expect(story.state.retiring.isEmpty)
  }

  @Test("a rollback asked while an offer is sealed goes first")
  func whileSealing() {
    var story = delivered(["a", "b"])
    story.offer("c", 3)
    #expect(story.give(request()) == ["started"])
    #expect(story.state.pending == Facts.offer("c", 3))
    story.ready()
    story.route()
    #expect(story.phase == "sealing")
  }

  @Test("a rollback's reason is one line", arguments: ["", "two\nlines", String(repeating: "x", count: 301)])
  func reasons(_ reason: String) {
    let story = delivered(["a", "b"])
    let input = Rollout.Input.rollBack(Rollout.RollBackRequest(to: nil, reason: reason, actor: "ada"))
    #expect(story.refusal(of: input)?.kind == .malformed)
  }

  @Test("verdicts of another rollout, or of an ended one, change nothing")
  func foreignVerdicts() {
    var story = delivered(["a"])
    #expect(story.judge(Facts.bad(), rollout: 1) == [])
    story.place("b", 2)
    story.route()
    #expect(story.judge(Facts.bad(), rollout: 1) == [])
    #expect(story.judge(Facts.bad(), rollout: 3) == [])
    #expect(story.give(.aftermath(2, Facts.aftermath)) == [])
  }

  @Test("a later offer waits for the end of the rollback")
  func pending() {
    var story = delivered(["a"])
    story.place("b", 2)
    story.route()
    story.offer("c", 3)
    story.judge(Facts.bad())
    story.route()
    #expect(story.phase == "reporting")
    #expect(story.collect() == ["reported"])
    #expect(story.phase == "sealing")
  }
}

@Suite("Rollout: a world that keeps failing") struct RolloutTroubleTests {
  typealias Facts = RolloutFacts

  @Test("sealing is shown and tried again")
  func sealing() {
    var story = RolloutStory()
    story.offer("a", 1)
    #expect(story.give(.exhausted(EffectKey("seal/1"), why: "disk full")) == ["troubled"])
    #expect(story.give(.exhausted(EffectKey("seal/1"), why: "disk full")) == [], "said once")
    #expect(story.keys == ["seal/1"])
    #expect(Rollout.waitReason(story.state)?.contains("disk full") == true)
    story.seal(1)
    #expect(story.state.trouble == nil)
  }

  @Test("without a baseline the other rules judge")
  func baseline() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.offer("b", 2)
    story.seal(2)
    story.ready()
    #expect(
      story.give(.exhausted(EffectKey("baseline/2"), why: "no history"))
        == ["troubled", "baselineMeasured", "stepEntered"])
    #expect(story.state.live?.baseline == Baseline.none)
  }

  @Test("a report comes without the evidence when it cannot be collected")
  func aftermath() {
    var story = RolloutStory()
    story.deliver("a", 1)
    story.place("b", 2)
    story.route()
    story.judge(Facts.bad())
    story.route()
    #expect(story.give(.exhausted(EffectKey("aftermath/2"), why: "no log")) == ["troubled", "reported"])
    guard case .reported(let report)? = story.events.last else { return }
    #expect(report.evidence == nil)
    #expect(report.requestsHurt == 43, "what had been counted at the decision")
    #expect(report.announcement.facts.contains { $0.value == "at least 43" })
  }

  @Test("announcements end, heard or not, each target by itself")
  func announcements() {
    var story = RolloutStory(Facts.policy(announceTargets: 2))
    story.deliver("a", 1)
    story.offer("b", 2)
    story.seal(2)
    story.ready(measured: Facts.digest("9"))
    let id = "harbor/production/2/rolled-back"
    #expect(story.give(.announced(id: id, target: 1)) == ["announced"])
    #expect(story.give(.announced(id: id, target: 1)) == [])
    #expect(story.keys.filter { $0.hasPrefix("announce/") } == ["announce/\(id)/0"])
    #expect(story.give(.exhausted(EffectKey("announce/\(id)/0"), why: "404")) == ["announcementAbandoned"])
    #expect(story.state.announcements.isEmpty)
  }

  @Test("more announcements than the limit: the oldest is abandoned, as an event")
  func tooMany() {
    var story = RolloutStory()
    story.deliver("a", 1)
    for ordinal in 2...(Int64(Rollout.announcementLimit) + 2) {
      story.offer("b", ordinal, override: true)
      story.seal(ordinal)
      story.ready(measured: Facts.digest("9"))
    }
    #expect(story.state.announcements.count == Rollout.announcementLimit)
    #expect(story.events.filter { $0.name == "announcementAbandoned" }.count == 1)
    #expect(story.state.history.count == Rollout.historyLimit)
  }

  @Test("the serving version's folder was changed: said until it is right again, nothing moves")
  func changedFolder() {
    var story = RolloutStory()
    story.deliver("a", 1)
    let serving = Facts.deployment("a", 1).id
    #expect(story.give(.ready(serving, digest: Facts.digest("9"), endpoints: 2)) == ["troubled"])
    #expect(Rollout.waitReason(story.state)?.contains("someone changed it") == true)
    #expect(story.give(.ready(serving, digest: Facts.digest("a"), endpoints: 2)) == ["troubleEnded"])
    #expect(Rollout.waitReason(story.state) == nil)
    #expect(story.give(.ready(serving, digest: Facts.digest("a"), endpoints: 2)) == [], "once")
    #expect(story.shares == "a=100")
    #expect(story.replayed == story.state)
  }
}
