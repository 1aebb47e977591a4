import Kernel
import Rollouts
import Testing

struct JudgeVerdictTests {
  private static let clean = Baseline(requests: 6000, errors: 3, slow: 6)

  private func judge(_ baseline: Baseline = clean, hasControl: Bool = false, resuming: JudgeCheckpoint? = nil) -> Judge
  {
    Judge(
      policy: JudgePolicy(sloP99: .seconds(0.3)), baseline: baseline, canary: JudgeWorld.canary,
      control: hasControl ? JudgeWorld.control : nil, resuming: resuming)
  }

  /// The verdict after the same bin of 250 ms `times` times over.
  private func feed(
    _ judge: inout Judge, _ times: Int, fromMs: Int64 = 0, canary: RequestCounts, control: RequestCounts? = nil,
    source: SourceHealth = .sound
  ) -> Verdict {
    var verdict = judge.verdict
    for index in 0..<Int64(times) {
      let start = fromMs + index * JudgeWorld.binMs
      verdict = judge.absorb(
        JudgeWorld.bin(
          fromMs: start, toMs: start + JudgeWorld.binMs, canary: canary, control: control, source: source))
    }
    return verdict
  }

  private enum Word: Equatable {
    case good
    case bad(Rule)
    case notEnough, broken
  }
  private func word(_ verdict: Verdict) -> Word {
    switch verdict {
    case .good: .good
    case .bad(let conviction): .bad(conviction.rule)
    case .notEnoughEvidence: .notEnough
    case .sourceBroken: .broken
    }
  }

  private func check(
    _ what: String, baseline: Baseline = clean, bins: Int = 240, canary: RequestCounts, control: RequestCounts? = nil,
    source: SourceHealth = .sound, expecting expected: Word
  ) {
    var judge = judge(baseline, hasControl: control != nil)
    let verdict = feed(&judge, bins, canary: canary, control: control, source: source)
    #expect(word(verdict) == expected, "\(what): \(verdict)")
  }

  @Test func everySituationHasItsVerdict() {
    let calm = RequestCounts(requests: 10)
    check("no traffic for a minute", canary: .zero, expecting: .notEnough)
    check("a healthy minute", canary: calm, expecting: .good)
    check("two healthy seconds", bins: 8, canary: calm, expecting: .notEnough)
    check("every request fails", canary: RequestCounts(requests: 3, errors: 3), expecting: .bad(.errorRate))
    check("all answers slow", canary: RequestCounts(requests: 3, slow: 3), expecting: .bad(.latency))
    check("it only hangs", canary: RequestCounts(requests: 2, slow: 2, hanging: 2), expecting: .bad(.latency))
    check("source cut", canary: .zero, source: .broken(reason: "log cut"), expecting: .broken)
    check(
      "errors from a cut source", canary: RequestCounts(requests: 9, errors: 9), source: .broken(reason: "log cut"),
      expecting: .broken)
    check("counts below zero", canary: RequestCounts(requests: 2, errors: -1), expecting: .broken)
    check("requests counted as hanging fail later", canary: RequestCounts(errors: 1), expecting: .bad(.errorRate))
    check("first deployment, healthy", baseline: .none, canary: calm, expecting: .good)
    check(
      "first deployment, failing", baseline: .none, canary: RequestCounts(requests: 4, errors: 2),
      expecting: .bad(.ceiling))
    check(
      "first deployment, slow", baseline: .none, canary: RequestCounts(requests: 4, slow: 2),
      expecting: .bad(.latency))
    check(
      "a service that always failed 4 %", baseline: Baseline(requests: 5000, errors: 200, slow: 0),
      canary: RequestCounts(requests: 50, errors: 2), expecting: .good)
    check(
      "its error rate tenfold", baseline: Baseline(requests: 5000, errors: 200, slow: 0),
      canary: RequestCounts(requests: 50, errors: 20), expecting: .bad(.errorRate))
    check(
      "slow before and slow now", baseline: Baseline(requests: 5000, errors: 0, slow: 250),
      canary: RequestCounts(requests: 20, slow: 1), expecting: .good)
  }

  @Test func oneErrorAfterASpotlessBaselineDecidesNothing() {
    var judge = judge(Baseline(requests: 1_000_000, errors: 0, slow: 0))
    let verdict = feed(&judge, 1, canary: RequestCounts(requests: 1, errors: 1))
    #expect(word(verdict) == .notEnough)
  }

  @Test func oneBurstInOneBinNeverConvicts() {
    for size in [3, 30, 3000] {
      var judge = judge()
      _ = feed(&judge, 40, canary: RequestCounts(requests: 3))
      let burst = feed(&judge, 1, fromMs: 10_000, canary: RequestCounts(requests: size, errors: size))
      #expect(word(burst) == .notEnough, "a burst of \(size)")
      let second = feed(&judge, 4, fromMs: 10_250, canary: RequestCounts(requests: 3, errors: 3))
      #expect(word(second) == .bad(.errorRate), "a burst of \(size) that goes on")
    }
  }

  @Test func oneClientsRetriesAreOnePieceOfEvidence() {
    check(
      "one client fails again and again", canary: RequestCounts(requests: 100, errors: 4, repeats: 4),
      expecting: .good)
    check("many clients do", canary: RequestCounts(requests: 100, errors: 4), expecting: .bad(.errorRate))
    check(
      "more repeats than errors", canary: RequestCounts(requests: 100, errors: 4, repeats: 9), expecting: .good)
  }

  @Test func theToleranceIsThePolicys() {
    for (tolerance, isBad) in [(1.0, true), (1.3, true), (4, false)] {
      var policy = JudgePolicy(sloP99: .seconds(0.3), errorRatio: 5)
      policy.tolerance = tolerance
      var judge = Judge(
        policy: policy, baseline: Baseline(requests: 60_000, errors: 600, slow: 0), canary: JudgeWorld.canary,
        control: nil)
      // 3 % instead of 1 %, far from the ceiling.
      let verdict = feed(&judge, 4000, canary: RequestCounts(requests: 100, errors: 3))
      if case .bad = verdict {
        #expect(isBad, "tolerance \(tolerance)")
      } else {
        #expect(!isBad, "tolerance \(tolerance)")
      }
    }
  }

  /// The same requests told in bins of a quarter of a second and of a second. Half of all verdicts are within 1.5 s, since
  /// two wide bins are two seconds; a wide bin that holds all evidence is a burst, where narrow ones saw moments.
  @Test func theWidthOfTheBinsDecidesNothing() {
    var chance = Seeded(41)
    for rate in [0.02, 0.05, 0.3] {
      var apart: [Int64] = []
      for _ in 0..<11 {
        let fine = JudgeWorld.bins(
          seconds: 120, rps: 20, errorRate: rate, slowRate: 0.001, longest: 1, &chance)
        let wide = stride(from: 0, to: fine.count, by: 4).map { from in
          JudgeWorld.bin(
            fromMs: fine[from].from.milliseconds, toMs: fine[from + 3].to.milliseconds,
            canary: fine[from..<from + 4].reduce(.zero) { $0 + $1.counts(of: JudgeWorld.canary) })
        }
        func convictedMs(_ bins: [EvidenceBin]) -> Int64 {
          var judge = judge()
          return bins.first { judge.conviction(after: $0) != nil }?.to.milliseconds ?? .max
        }
        let (early, late) = (convictedMs(fine), convictedMs(wide))
        #expect(late >= early && late < .max, "at \(rate): \(early), \(late)")
        apart.append(late - early)
      }
      #expect(apart.sorted()[5] <= 1500, "at \(rate): \(apart)")
    }
  }

  @Test func anIncidentOfBothArmsIsNotTheRelease() {
    let bad = RequestCounts(requests: 5, errors: 2)
    check("both fail alike", canary: bad, control: RequestCounts(requests: 45, errors: 18), expecting: .notEnough)
    check("the control is clean", canary: bad, control: RequestCounts(requests: 45), expecting: .bad(.errorRate))
    check(
      "the control fails less", canary: bad, control: RequestCounts(requests: 45, errors: 1),
      expecting: .bad(.errorRate))
    let one = RequestCounts(requests: 1)
    let failing = RequestCounts(requests: 1, errors: 1)
    check("a control with little traffic fails too", bins: 20, canary: bad, control: failing, expecting: .notEnough)
    check("a control with little traffic is clean", bins: 60, canary: bad, control: one, expecting: .bad(.errorRate))
    check(
      "both are slow", canary: RequestCounts(requests: 5, slow: 2), control: RequestCounts(requests: 45, slow: 18),
      expecting: .notEnough)
  }

  @Test func anIncidentIsSaidInTheSentence() throws {
    var judge = judge(hasControl: true)
    let verdict = feed(
      &judge, 40, canary: RequestCounts(requests: 5, errors: 2), control: RequestCounts(requests: 45, errors: 18))
    guard case .notEnoughEvidence(let scarcity) = verdict else {
      Issue.record("\(verdict)")
      return
    }
    #expect(
      scarcity.sentence == """
        Requests are failing on the new version (80 of 200) and on the old (720 of 1800) alike: \
        an incident, not this deployment.
        """)
  }

  @Test func aConvictionSaysWhatWasSeenAndStays() {
    var judge = judge()
    _ = feed(&judge, 20, canary: RequestCounts(requests: 20))
    let first = feed(&judge, 20, fromMs: 5000, canary: RequestCounts(requests: 20, errors: 1))
    guard case .bad(let conviction) = first else {
      Issue.record("\(first)")
      return
    }
    #expect(conviction.firstBadAt == Instant(milliseconds: 5000))
    #expect(conviction.decidedAt - Instant(milliseconds: 5000) <= .seconds(2))
    #expect(conviction.logEvidence >= conviction.threshold)
    #expect(
      conviction.observed.errors >= 2
        && conviction.rate == Double(conviction.observed.errors)
          / Double(conviction.observed.requests)
    )
    #expect(conviction.baselineRate == 0.0005)
    #expect(conviction.sentence.hasPrefix("\(conviction.observed.errors) of \(conviction.observed.requests) requests"))
    #expect(conviction.sentence.hasSuffix("against 0.05 % before; more than 2x is not allowed."))
    let after = feed(&judge, 4000, fromMs: 10_000, canary: RequestCounts(requests: 20))
    #expect(after == first, "bad is final")
    let broken = feed(
      &judge, 1, fromMs: 2_000_000, canary: .zero, source: .broken(reason: "the log stream was cut"))
    #expect(broken == first)
  }

  @Test func repeatedAndLateBinsChangeNothing() {
    var judge = judge()
    _ = feed(&judge, 40, canary: RequestCounts(requests: 10))
    let before = judge.checkpoint
    for fromMs: Int64 in [0, 4000, 9750, 9999] {
      _ = judge.absorb(
        JudgeWorld.bin(fromMs: fromMs, toMs: fromMs + 250, canary: RequestCounts(requests: 9, errors: 9)))
    }
    _ = judge.absorb(JudgeWorld.bin(fromMs: 20_000, toMs: 20_000, canary: RequestCounts(requests: 9, errors: 9)))
    #expect(judge.checkpoint == before)
  }

  @Test func aBrokenSourceAddsNothingAndEvidenceGoesOnAfterIt() {
    var judge = judge()
    _ = feed(&judge, 40, canary: RequestCounts(requests: 10))
    let before = judge.checkpoint.tests
    let broken = feed(
      &judge, 8, fromMs: 10_000, canary: RequestCounts(requests: 10, errors: 10), source: .broken(reason: "cut"))
    #expect(broken == .sourceBroken(reason: "cut"))
    #expect(judge.checkpoint.tests == before)
    #expect(word(feed(&judge, 1, fromMs: 12_000, canary: RequestCounts(requests: 10))) == .good)
  }

  @Test func aResumedJudgeGivesTheSameVerdicts() {
    var chance = Seeded(5)
    for rate in [0.0005, 0.03] {
      let bins = JudgeWorld.bins(seconds: 90, rps: 20, errorRate: rate, slowRate: 0.002, &chance)
      var unbroken = judge()
      var restarted = judge()
      for (index, bin) in bins.enumerated() {
        let expected = unbroken.absorb(bin)
        if index % 3 == 0 { restarted = judge(.none, resuming: restarted.checkpoint) }
        #expect(restarted.absorb(bin) == expected)
      }
      #expect(restarted.checkpoint == unbroken.checkpoint)
    }
  }

  @Test func thePictureIsBoundedAndLosesNoRequest() {
    var judge = judge(hasControl: true)
    let seconds = 5000
    for second in 0..<Int64(seconds) {
      _ = judge.absorb(
        JudgeWorld.bin(
          fromMs: second * 1000, toMs: second * 1000 + 1000, canary: RequestCounts(requests: 2),
          control: RequestCounts(requests: 7)))
    }
    #expect((150...600).contains(judge.path.count))
    let drawn = judge.path.reduce(RequestCounts.zero) { $0 + $1.control }.requests
    #expect(drawn <= 7 * seconds && drawn >= 7 * (seconds - 32), "only the point in the making is missing: \(drawn)")
    #expect(judge.path.map(\.at) == judge.path.map(\.at).sorted())
    #expect(judge.path.allSatisfy { $0.evidence.map(\.rule) == [.errorRate, .latency, .ceiling] })
  }

  @Test func theMomentOfDecisionIsOnThePicture() {
    var judge = judge()
    guard case .bad(let conviction) = feed(&judge, 40, canary: RequestCounts(requests: 3, errors: 1)) else {
      Issue.record("no conviction")
      return
    }
    let point = judge.path.first { $0.at == conviction.decidedAt }
    #expect(point?.evidence.first?.logEvidence == conviction.logEvidence)
  }
}
