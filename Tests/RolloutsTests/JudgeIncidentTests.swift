import Foundation
import Kernel
import Rollouts
import Testing

/// Incidents that hit both arms: they keep nobody waiting for ever, and shield nobody for ever.
struct JudgeIncidentTests {
  /// One stretch of time: requests a second and the share of them that fails, per arm.
  private struct Stretch {
    var seconds: Int
    var canary: (rps: Int, errorRate: Double)
    var control: (rps: Int, errorRate: Double)
  }

  private static let usual = 0.0003
  private static let shares = [(10, 90), (50, 50), (200, 800)]

  private func both(_ seconds: Int, _ share: (Int, Int), errorRate: Double) -> Stretch {
    Stretch(seconds: seconds, canary: (share.0, errorRate), control: (share.1, errorRate))
  }

  /// Bins of a second each.
  private func bins(_ stretches: [Stretch], _ chance: inout Seeded) -> [EvidenceBin] {
    var bins: [EvidenceBin] = []
    for stretch in stretches {
      for _ in 0..<stretch.seconds {
        func counts(_ arm: (rps: Int, errorRate: Double)) -> RequestCounts {
          RequestCounts(requests: arm.rps, errors: chance.events(among: arm.rps, rate: arm.errorRate))
        }
        let fromMs = Int64(bins.count) * 1000
        bins.append(
          JudgeWorld.bin(
            fromMs: fromMs, toMs: fromMs + 1000, canary: counts(stretch.canary), control: counts(stretch.control)))
      }
    }
    return bins
  }

  private func judge(resuming checkpoint: JudgeCheckpoint? = nil) -> Judge {
    Judge(
      policy: JudgePolicy(sloP99: .seconds(0.3)), baseline: Baseline(requests: 60_000, errors: 18, slow: 60),
      canary: JudgeWorld.canary, control: JudgeWorld.control, resuming: checkpoint)
  }

  /// What came of one watch; seconds are counted from its start.
  private struct Outcome {
    var good: [Int] = []
    var bad: Int?
  }

  private func outcome(_ stretches: [Stretch], seed: UInt64) -> Outcome {
    var chance = Seeded(seed)
    var judge = judge()
    var outcome = Outcome()
    for bin in bins(stretches, &chance) {
      let second = Int(bin.to.milliseconds / 1000)
      switch judge.absorb(bin) {
      case .good: outcome.good.append(second)
      case .bad: if outcome.bad == nil { outcome.bad = second }
      case .notEnoughEvidence, .sourceBroken: continue
      }
    }
    return outcome
  }

  @Test(arguments: [0.01, 0.4])
  func afterAnIncidentAGoodCanaryIsCalledGoodAgainAndStaysSo(incidentRate: Double) {
    for share in Self.shares {
      var late = 0
      for seed in 1...5 as ClosedRange<UInt64> {
        let story = [
          both(60, share, errorRate: incidentRate), both(600, share, errorRate: Self.usual),
        ]
        let outcome = outcome(story, seed: seed)
        guard outcome.bad == nil else { continue }
        let first = outcome.good.first { $0 > 60 } ?? .max
        if first > 60 + 120 { late += 1 }
        let after = outcome.good.count { $0 > 60 + 120 }
        #expect(after >= 240, "\(share), seed \(seed): good in \(after) of the last 480 seconds")
      }
      #expect(late <= 1, "\(share): \(late) of 5 not good two minutes after")
    }
  }

  @Test(arguments: [0.05, 0.4])
  func anIncidentHardlyEverConvictsWhoeverItHits(incidentRate: Double) {
    for share in Self.shares {
      let convicted = (1...16 as ClosedRange<UInt64>).count {
        outcome([both(300, share, errorRate: incidentRate)], seed: $0).bad != nil
      }
      #expect(convicted <= 2, "\(share): \(convicted) of 16")
    }
  }

  /// The first share has 10 requests/s on the canary: fifteen bad ones in half a minute.
  @Test func aCanaryThatFailsAloneAfterAnIncidentIsConvicted() {
    for share in Self.shares {
      for seed in 1...5 as ClosedRange<UInt64> {
        for pause in [0, 90] {
          let story = [
            both(60, share, errorRate: 0.4), both(pause, share, errorRate: Self.usual),
            Stretch(seconds: 120, canary: (share.0, 0.05), control: (share.1, Self.usual)),
          ]
          let bad = outcome(story, seed: seed).bad ?? .max
          #expect(bad <= 60 + pause + 60, "\(share), seed \(seed), after \(pause) s: \(bad)")
        }
      }
    }
  }

  /// A holdback of 5 % of 40 requests/s has two a second.
  @Test func aSmallControlIsGivenTimeToShowAnIncidentAndNoMore() {
    let share = (38, 2)
    let calm = both(120, share, errorRate: Self.usual)
    let convicted = (1...40 as ClosedRange<UInt64>).count {
      outcome([calm, both(120, share, errorRate: 0.2)], seed: $0).bad != nil
    }
    #expect(convicted <= 4, "\(convicted) of 40 incidents")
    for seed in 1...10 as ClosedRange<UInt64> {
      let alone = Stretch(seconds: 120, canary: (share.0, 0.05), control: (share.1, 0))
      let bad = outcome([calm, alone], seed: seed).bad ?? .max
      #expect(bad <= 120 + 30, "seed \(seed): \(bad)")
    }
  }

  /// Both were calm for long: the control's usual errors of then say nothing of now.
  @Test func calmTimeDoesNotHideThatTheControlHasNoPartInIt() {
    for seed in 1...5 as ClosedRange<UInt64> {
      let story = [
        both(400, (10, 90), errorRate: Self.usual),
        Stretch(seconds: 300, canary: (95, 0.003), control: (5, 0)),
      ]
      let bad = outcome(story, seed: seed).bad ?? .max
      #expect(bad < .max, "seed \(seed)")
    }
  }

  @Test func withoutAControlLeftAFailingCanaryIsConvictedToo() {
    for seed in 1...5 as ClosedRange<UInt64> {
      let story = [
        both(60, (50, 50), errorRate: 0.4), both(90, (50, 50), errorRate: Self.usual),
        Stretch(seconds: 120, canary: (100, 0.05), control: (0, 0)),
      ]
      let bad = outcome(story, seed: seed).bad ?? .max
      #expect(bad <= 150 + 60, "seed \(seed): \(bad)")
    }
  }

  @Test func anIncidentLateInALongWatchPassesToo() {
    for seed in 1...2 as ClosedRange<UInt64> {
      let hours = 2 * 3600
      let story = [
        both(hours, (20, 80), errorRate: Self.usual), both(60, (20, 80), errorRate: 1),
        both(2400, (20, 80), errorRate: Self.usual),
      ]
      let outcome = outcome(story, seed: seed)
      guard outcome.bad == nil else { continue }
      let first = outcome.good.first { $0 > hours + 60 } ?? .max
      #expect(first <= hours + 60 + 1800, "seed \(seed): \(first)")
    }
  }

  @Test func goodAfterAnIncidentHasItsOwnPower() {
    for seed in 1...4 as ClosedRange<UInt64> {
      var chance = Seeded(seed)
      var judge = judge()
      let story = [both(60, (10, 90), errorRate: 0.4), both(300, (10, 90), errorRate: Self.usual)]
      var waits: [String] = []
      for bin in bins(story, &chance) {
        switch judge.absorb(bin) {
        case .good(let power):
          #expect(power.requests >= power.needed)
          #expect(power.detectableRatio.map { $0 <= judge.policy.mustDetectRatio * 1.1 } ?? false)
          if bin.from >= Instant(milliseconds: 60_000) {
            #expect(power.sentence.contains("since both versions had bad requests"), "\(power.sentence)")
          }
        case .notEnoughEvidence(let scarcity): waits.append(scarcity.sentence)
        case .bad, .sourceBroken: continue
        }
      }
      #expect(waits.contains { $0.hasSuffix("alike: an incident, not this deployment.") })
    }
  }

  @Test func aJudgeResumedAmidAnIncidentGivesTheSameVerdicts() {
    var chance = Seeded(3)
    let story = [both(60, (50, 50), errorRate: 0.4), both(180, (50, 50), errorRate: Self.usual)]
    var unbroken = judge()
    var restarted = judge()
    for (index, bin) in bins(story, &chance).enumerated() {
      let expected = unbroken.absorb(bin)
      if index % 7 == 0 { restarted = judge(resuming: restarted.checkpoint) }
      #expect(restarted.absorb(bin) == expected)
    }
    #expect(restarted.checkpoint == unbroken.checkpoint)
  }

  /// With all that a checkpoint can hold: a control, and a history whose rate fluctuates by itself.
  @Test func aJudgeResumedFromTheWireGivesTheSameVerdicts() throws {
    let history = (0..<60).map { RequestCounts(requests: 1000, errors: $0 % 6 == 0 ? 60 : 0, slow: 1) }
    func judge(resuming checkpoint: JudgeCheckpoint? = nil) -> Judge {
      Judge(
        policy: JudgePolicy(sloP99: .seconds(0.3)), baseline: Baseline(windows: history), canary: JudgeWorld.canary,
        control: JudgeWorld.control, resuming: checkpoint)
    }
    var chance = Seeded(43)
    var unbroken = judge()
    var restarted = judge()
    for (index, bin) in bins([both(120, (50, 50), errorRate: 0.02)], &chance).enumerated() {
      let expected = unbroken.absorb(bin)
      if index % 7 == 0 {
        let wire = try JSONEncoder().encode(restarted.checkpoint)
        restarted = judge(resuming: try JSONDecoder().decode(JudgeCheckpoint.self, from: wire))
      }
      #expect(restarted.absorb(bin) == expected)
    }
    let last = unbroken.checkpoint
    #expect(restarted.checkpoint == last)
    #expect(last.mix != nil && !last.whole.beside.isEmpty)
    #expect(last.tests.first?.whole.courses?.isEmpty == false, "the windows are told apart")
  }
}
