import Kernel
import Testing

@testable import MergeQueues

/// Lines are `[id: those ahead that it can affect]`, builds `members` with how they ended.
struct ConclusionsTests {
  private static func situation(
    _ after: [[Int]], _ builds: [Situation.KnownBuild], _ proof: SchedulingRules.Proof,
    _ agreement: SchedulingRules.Agreement = .every, isOptimistic: Bool = false, flake: Double = 0,
    conflict: Double = 0.03
  ) -> Situation {
    Situation(
      items: after.enumerated().map { id, after in
        Situation.Item(
          id: id, after: after, passProbability: 0.95, medianDuration: 600, logDeviation: 0.3,
          submittedAt: Instant(milliseconds: 0))
      },
      builds: builds, slots: 4, rates: FailureRates(change: 0.05, flake: flake, conflict: conflict),
      rules: SchedulingRules(
        mode: .speculate, batchLimit: 1, threshold: 0.1, bypassDepth: 3, isOptimistic: isOptimistic,
        ejectionConfidence: 0.98, proof: proof, agreement: agreement),
      now: Instant(milliseconds: 0))
  }

  private static func green(_ members: Int...) -> Situation.KnownBuild {
    Situation.KnownBuild(members: members, state: .passed)
  }
  private static func red(_ members: Int..., runs: Int = 1) -> Situation.KnownBuild {
    Situation.KnownBuild(members: members, state: .failed, redRuns: runs)
  }

  private static func words(_ conclusions: [Conclusion]) -> [String] {
    conclusions.map {
      switch $0 {
      case .land(let members): "land \(members.map(String.init).joined(separator: " "))"
      case .eject(let item, _, _, _): "eject \(item)"
      }
    }
  }

  private func check(
    _ what: Comment, _ situation: Situation, expecting: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(Self.words(Conclusions.of(situation)) == expecting, what, sourceLocation: sourceLocation)
  }

  private static let chain = [[], [0], [0, 1]]

  @Test("Builds that test everything: the longest closed green lands, what is red alone is ejected")
  func trees() {
    func check(
      _ what: Comment, _ builds: [Situation.KnownBuild], isOptimistic: Bool = false, flake: Double = 0,
      expecting: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let situation = Self.situation(Self.chain, builds, .tree, isOptimistic: isOptimistic, flake: flake)
      self.check(what, situation, expecting: expecting, sourceLocation: sourceLocation)
    }
    check("nothing is known", [], expecting: [])
    check("the head", [Self.green(0)], expecting: ["land 0"])
    check("a later green lands all in it", [Self.green(0), Self.green(0, 1)], expecting: ["land 0 1"])
    check("not without those ahead", [Self.green(1)], expecting: [])
    check("red alone", [Self.red(0)], expecting: ["eject 0"])
    check("red with others is nobody's yet", [Self.red(0, 1)], expecting: [])
    check("nobody passes whom it was red with", [Self.red(0, 1), Self.green(1)], expecting: [])
    check(
      "once that was red alone it holds up nobody", [Self.red(0, 1), Self.green(1), Self.red(0)], expecting: ["land 1"])
    check("nor when red with others", [Self.red(0, 1, 2), Self.green(2), Self.red(0, 1)], expecting: ["land 2"])
    check(
      "nor when red with who is ahead and good", [Self.red(0, 1), Self.green(0), Self.green(0, 2)],
      expecting: ["land 0 2"])
    check("a red that may be a flake", [Self.red(0)], flake: 0.05, expecting: [])
    check("three reds are not", [Self.red(0, runs: 3)], flake: 0.05, expecting: ["eject 0"])
    check("a green that holds a red waits", [Self.red(0), Self.green(0, 1)], flake: 0.05, expecting: [])
    check(
      "and lands it where that counts", [Self.red(0), Self.green(0, 1)], isOptimistic: true, flake: 0.05,
      expecting: ["land 0 1"])
  }

  @Test("Builds that test their tip: landed in order, or when every choice of those ahead was green")
  func everyChoice() {
    func check(
      _ what: Comment, _ builds: [Situation.KnownBuild], expecting: [String],
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let situation = Self.situation([[], [0]], builds, .tip)
      self.check(what, situation, expecting: expecting, sourceLocation: sourceLocation)
    }
    check("in order", [Self.green(0, 1), Self.green(0)], expecting: ["land 0"])
    check("not before the one ahead", [Self.green(0, 1)], expecting: [])
    check("nor with only the other", [Self.green(1)], expecting: [])
    check("passes over when both agree", [Self.green(1), Self.green(0, 1)], expecting: ["land 1"])
    check("ejected when both agree", [Self.red(1), Self.red(0, 1)], expecting: ["eject 1"])
    check("waits when they do not", [Self.green(1), Self.red(0, 1)], expecting: [])
  }

  @Test("Builds that test their tip: landed between a green with no more and one with no less")
  func extremes() {
    func known(
      _ members: Int..., state: Situation.KnownBuild.State, lacks: Bool = false, holds: Bool = false
    ) -> Situation.KnownBuild {
      Situation.KnownBuild(
        members: members, state: state, redRuns: state == .failed ? 1 : 0, isOnTrunk: !lacks && !holds,
        lacksLanded: lacks, holdsEjected: holds)
    }
    func check(
      _ what: Comment, _ builds: [Situation.KnownBuild], expecting: [String],
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let situation = Self.situation(Self.chain, builds, .tip, .extremes)
      self.check(what, situation, expecting: expecting, sourceLocation: sourceLocation)
    }
    check("both", [Self.green(2), Self.green(0, 1, 2)], expecting: ["land 2"])
    check("one in between is too little", [Self.green(2), Self.green(0, 2)], expecting: [])
    check(
      "alone on an older trunk", [known(2, state: .passed, lacks: true), Self.green(0, 1, 2)], expecting: ["land 2"])
    check(
      "with somebody who is gone", [Self.green(2), known(0, 1, 2, state: .passed, holds: true)], expecting: ["land 2"])
    check(
      "neither has it all", [known(2, state: .passed, lacks: true), known(0, 1, 2, state: .passed, lacks: true)],
      expecting: [])
    check(
      "alone with somebody who is gone", [known(2, state: .passed, holds: true), Self.green(0, 1, 2)], expecting: [])
    check("what fails alone fails", [known(2, state: .failed, lacks: true)], expecting: ["eject 2"])
    check("perhaps not its fault", [known(2, state: .failed, holds: true)], expecting: [])
  }

  /// Bad items and pairs that conflict.
  private struct Truth {
    var bad: Int
    var pairs: Int

    static let count = 4
    static func pair(_ one: Int, _ other: Int) -> Int { min(one, other) * count + max(one, other) }
    static let all: [Int] = (0..<count).flatMap { one in ((one + 1)..<count).map { pair(one, $0) } }

    func passes(_ members: [Int], _ proof: SchedulingRules.Proof) -> Bool {
      guard let tip = members.last else { return true }
      let tested = proof == .tree ? members : [tip]
      if tested.contains(where: { bad >> $0 & 1 == 1 }) { return false }
      for one in members {
        for other in members where one < other && (proof == .tree || other == tip) {
          if pairs >> Truth.pair(one, other) & 1 == 1 { return false }
        }
      }
      return true
    }

    static let everything: [Truth] = (0..<(1 << count)).flatMap { bad in
      (0..<(1 << all.count)).map { choice in
        var pairs = 0
        for (index, pair) in all.enumerated() where choice >> index & 1 == 1 { pairs |= 1 << pair }
        return Truth(bad: bad, pairs: pairs)
      }
    }
  }

  @Test(
    "Lands nothing that some truth behind the builds forbids, ejects nothing that some truth makes good",
    arguments: [
      (SchedulingRules.Proof.tree, SchedulingRules.Agreement.every), (.tip, .every), (.tip, .extremes),
    ])
  func sound(proof: SchedulingRules.Proof, agreement: SchedulingRules.Agreement) {
    var state: UInt64 = 7
    func draw(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var concluded = 0
    for _ in 0..<400 {
      let after = (0..<Truth.count).map { item in
        proof == .tree ? Array(0..<item) : (0..<item).filter { _ in draw(3) > 0 }
      }
      var truth = Truth(bad: 1 << draw(8) & 15, pairs: 0)
      for pair in Truth.all where draw(5) == 0 { truth.pairs |= 1 << pair }
      let builds = (0..<(1 + draw(6))).map { _ -> [Int] in
        let tip = draw(Truth.count)
        return after[tip].filter { _ in draw(3) > 0 } + [tip]
      }
      let known = Set(builds).sorted { $0.lexicographicallyPrecedes($1) }.map {
        truth.passes($0, proof)
          ? Situation.KnownBuild(members: $0, state: .passed)
          : Situation.KnownBuild(members: $0, state: .failed, redRuns: 1)
      }
      let possible = Truth.everything.filter { truth in
        known.allSatisfy { truth.passes($0.members, proof) == ($0.state == .passed) }
      }
      let situation = Self.situation(after, known, proof, agreement)
      for conclusion in Conclusions.of(situation) {
        concluded += 1
        switch conclusion {
        case .land(let members):
          // Of whole trees, those that were red may be passed over.
          let red = Set(proof == .tree ? known.filter { $0.state == .failed }.flatMap(\.members) : [])
          let unresolved = members.flatMap { after[$0] }.filter { !members.contains($0) && !red.contains($0) }
          #expect(possible.allSatisfy { $0.passes(members, proof) })
          #expect(
            possible.allSatisfy { truth in
              unresolved.allSatisfy { truth.passes([$0, members[members.count - 1]], .tip) }
            })
        case .eject(let item, let probability, _, _):
          #expect(probability >= 0.98)
          // Of whole trees, what cannot pass with those that are green is ejected.
          let good = Set(proof == .tree ? known.filter { $0.state == .passed }.flatMap(\.members) : [])
          let beside = good.subtracting([item]).sorted()
          #expect(possible.allSatisfy { !$0.passes(beside + [item], proof) })
        }
      }
    }
    #expect(concluded > 100)
  }
}
