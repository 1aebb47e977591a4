import Kernel

/// What must follow from a state at once. Every decision ends by settling, so each rule is written once: who stands on
/// one that left leaves too; builds whose assumptions are refuted are dropped; known trees need no run; what the evidence
/// says is drawn; free slots are given out.
extension MergeQueue {
  /// `causes` and all that follows from them. Ends, because each consequence removes an entry or a build, takes up a slot
  /// or begins the one push. O(builds · members), and what `Conclusions` take, when evidence changed.
  static func settled(_ causes: [Event], in state: State, _ turn: TurnContext) -> [Event] {
    var settling = Settling(state: state, now: turn.now)
    for event in causes { settling.apply(event) }
    settling.run()
    return settling.events
  }

  private struct Settling {
    var state: State
    let now: Instant
    var events: [Event] = []
    /// Who left without landing, and how.
    private var gone: [(id: Int, cause: DropCause)] = []
    /// Of how many of those it was looked who stands on them.
    private var followed = 0
    /// Builds that were outdated before this turn: none of them holds all that landed since.
    private let outdatedBefore: Set<Int>
    private var landed: [(id: Int, lanes: Lanes?)] = []
    /// Who may have to leave because of its migrations.
    private var refused: [Int] = []
    private var besideIndex: (ids: [Int], lanes: LaneIndex) = ([], LaneIndex([]))
    /// Somebody came, left or changed places.
    private var isLineNew = false
    /// Something of what conclusions rest on has changed.
    private var isEvidenceNew = false
    private var isWorkNew = false

    init(state: State, now: Instant) {
      self.state = state
      self.now = now
      outdatedBefore = Set(state.builds.filter(\.isOutdated).map(\.id))
    }

    mutating func apply(_ event: Event) {
      switch event {
      case .withdrawn(let entry, _, _, _): gone.append((entry, .withdrawn(entry)))
      case .ejected(let ejection): gone.append((ejection.entry, .culprit(ejection.entry)))
      case .landed(let landing): landed.append((landing.entry, state.entries[id: landing.entry]?.lanes))
      case .schemaReviewed(let entry, _, _, let review, _): if !review.passes { refused.append(entry) }
      // A refusal that came while no trunk was known, or while its push was under way, is acted on now.
      case .trunkMoved: if state.policy?.requirements.schemas.isEmpty == false { refused = state.entries.map(\.id) }
      case .configured, .submitted, .prepared, .conflicted, .contained, .testPassed, .testFailed,
        .candidateDropped, .troubled, .recovered, .retired, .recalled, .planned, .runBegan, .runEnded, .runStopped,
        .recognised, .buildDropped, .buildCarried, .landingBegan, .flakeFound, .stackLoosened, .reported, .treePassed,
        .surveyed, .targetsReported, .held, .resumed, .frozen, .thawed, .overdue, .noted, .noteWritten, .noteAbandoned,
        .runnerLost, .runnerFound, .trunkSighted, .trunkTraced, .reviewsAsked:
        break
      }
      switch event {
      case .submitted, .withdrawn, .landed, .ejected, .stackLoosened, .retired: isLineNew = true
      case .configured, .trunkMoved, .prepared, .conflicted, .contained, .testPassed, .testFailed, .candidateDropped,
        .troubled, .recovered, .recalled, .planned, .runBegan, .runEnded, .runStopped, .recognised, .buildDropped,
        .buildCarried, .landingBegan, .flakeFound, .reported, .treePassed, .surveyed, .targetsReported, .held, .resumed,
        .frozen, .thawed, .overdue, .noted, .noteWritten, .noteAbandoned, .runnerLost, .runnerFound, .trunkSighted,
        .trunkTraced, .reviewsAsked, .schemaReviewed:
        break
      }
      switch event {
      case .submitted, .surveyed, .overdue, .troubled, .recovered, .held, .runBegan: break
      case .prepared(let entry, let base, _, _, _, _):
        // Most merges are of builds that nothing is known of yet: those tell nothing.
        if state.builds.contains(where: { $0.subject != nil && $0.nextStep.map { $0 == (entry, base) } ?? false }) {
          isEvidenceNew = true
        }
      default: isEvidenceNew = true
      }
      isWorkNew = true
      MergeQueue.evolve(&state, event)
      events.append(event)
    }

    mutating func run() {
      guard case .open(let policy, _) = state.phase else { return }
      follow(policy.freeze(at: now))
      guard isWorkNew else { return }
      ejectRefused()
      repeat {
        leaveWithPredecessors()
        judgeBuilds(policy)
        loosenClashed()
        recognise()
      } while ejectClashed(policy) || conclude(policy)
      giveSlots(policy)
    }

    private mutating func follow(_ freeze: Freeze?) {
      if let freeze, state.freeze.map({ ($0.reason, $0.until) != (freeze.reason, freeze.until) }) ?? true {
        apply(.frozen(freeze))
      }
      if freeze == nil, state.freeze != nil { apply(.thawed(at: now)) }
    }

    /// A push under way cannot be called back.
    private mutating func ejectRefused() {
      for id in refused {
        guard let entry = state.entries[id: id], let noted = entry.reviews.first(where: { !$0.review.passes }),
          !MergeQueue.isLanding(id, in: state)
        else { continue }
        apply(.ejected(entry.ejection(by: noted, at: now)))
      }
    }

    /// Those above a culprit leave with it.
    private mutating func leaveWithPredecessors() {
      while followed < gone.count {
        let parents = gone[followed...].map(\.id)
        followed = gone.count
        let children = state.entries.filter {
          !$0.after.isEmpty && $0.after.contains(where: parents.contains) && !MergeQueue.isLanding($0.id, in: state)
        }
        for child in children {
          guard let parent = child.after.first(where: parents.contains) else { continue }
          apply(.ejected(child.ejectionByPredecessor(parent, fate: "#\(parent)", at: now)))
        }
      }
    }

    /// Whoever a plan builds is in line and in its order; in a line that is as it was, all others still are.
    private mutating func judgeBuilds(_ policy: Policy) {
      for build in state.builds {
        if isLineNew, let left = build.members.first(where: { !state.entries.contains($0) }) {
          let cause = gone.last { $0.id == left }?.cause ?? .lineChanged
          apply(.buildDropped(build: build.id, because: cause, at: now))
        } else if let trunk = state.trunk, build.isOutdated || build.base != trunk {
          judgeStale(build, trunk: trunk, policy)
        } else if isLineNew, !isInLineOrder(build.members) {
          apply(.buildDropped(build: build.id, because: .lineChanged, at: now))
        }
      }
    }

    private func isInLineOrder(_ members: [Int]) -> Bool {
      var last = -1
      for member in members {
        guard let place = state.entries.place(of: member), place > last else { return false }
        last = place
      }
      return true
    }

    /// The trunk went on without the build.
    private mutating func judgeStale(_ build: Build, trunk: CommitID, _ policy: Policy) {
      if !policy.strict, !build.isOutdated, let push = overtaking(to: trunk), push.from == build.base,
        push.how == .advanced, areDisjoint([(MergeQueue.pastTheQueue, push.lanes)], from: build)
      {
        return apply(.buildCarried(build: build.id, over: [MergeQueue.pastTheQueue], to: trunk, at: now))
      }
      let beside = landed.filter { !build.landed.contains($0.id) }
      // By our own landings alone may a build be carried over them, or stay as evidence.
      let isTrunkOurs = !events.contains { if case .trunkMoved = $0 { true } else { false } }
      // One that was built on a trunk that is no more, such as a push that was taken back, is outdated by nobody.
      let isOurs = isTrunkOurs && build.isOutdated && !beside.isEmpty && !outdatedBefore.contains(build.id)
      if isOurs, !policy.strict, areDisjoint(beside, from: build) {
        apply(.buildCarried(build: build.id, over: beside.map(\.id), to: trunk, at: now))
      } else if isTrunkOurs, build.isEvidence(under: policy), isInLineOrder(build.members) {
        return
      } else {
        let cause = isOurs ? beside.first.map { DropCause.landed($0.id) } : nil
        apply(.buildDropped(build: build.id, because: cause ?? .trunkMoved(to: trunk), at: now))
      }
    }

    /// The push past the queue that these events take in.
    private func overtaking(to trunk: CommitID) -> Overtaking? {
      for event in events {
        if case .trunkTraced(let push, _) = event, push.to == trunk { return push }
      }
      return nil
    }

    /// Lanes that nobody knows overlap with all. Builds are mostly stale by the same landings: those are indexed once.
    private mutating func areDisjoint(_ beside: [(id: Int, lanes: Lanes?)], from build: Build) -> Bool {
      if besideIndex.ids != beside.map(\.id) {
        besideIndex = (beside.map(\.id), LaneIndex(beside.map { $0.lanes ?? .all(.pathsIncomplete) }))
      }
      guard beside.allSatisfy({ $0.lanes != nil }) else { return false }
      let members = build.subject == nil ? build.members.map { state.entries[id: $0]?.lanes } : build.lanes
      return members.allSatisfy { $0.map { !besideIndex.lanes.affects($0) } ?? false }
    }

    /// A stack that does not merge onto itself cannot land as a unit.
    private mutating func loosenClashed() {
      for clash in state.clashes {
        guard let entry = state.entries[id: clash.entry] else { continue }
        let unit = state.entries.unit(of: entry.id).map(\.id)
        guard unit.count > 1, clash.onto.isEmpty || clash.onto.contains(where: { unit.contains($0) }) else { continue }
        apply(.stackLoosened(unit: entry.unit, members: unit, at: now))
      }
    }

    private mutating func recognise() {
      for build in state.builds where build.isWaiting && build.subject == nil {
        guard let tip = build.tip, let known = state.evidence.last(where: { $0.tree == tip.tree }) else { continue }
        apply(.recognised(build: build.id, known, at: now))
      }
    }

    private mutating func ejectClashed(_ policy: Policy) -> Bool {
      for clash in state.clashes where clash.onto.isEmpty {
        guard let entry = state.entries[id: clash.entry] else { continue }
        apply(.ejected(entry.ejection(by: clash, from: policy.trunk, at: now)))
        return true
      }
      return false
    }

    // MARK: Conclusions

    private mutating func conclude(_ policy: Policy) -> Bool {
      guard isEvidenceNew, !state.isPaused, state.builds.contains(where: { $0.hasPassed || $0.hasFailed }) else {
        return false
      }
      isEvidenceNew = false
      var named = EntrySet()
      // Only those that a green build would land are held against who is ahead.
      var passed = EntrySet()
      for build in state.builds where build.hasPassed || build.hasFailed {
        named.formUnion(build.members)
        if build.hasPassed, !build.isOutdated { passed.formUnion(build.members) }
      }
      let situation = state.situation(
        at: now, through: named, relating: policy.scheduling.proof == .tree ? passed : nil)
      var hasChanged = false
      for conclusion in Conclusions.of(situation) {
        switch conclusion {
        case .land(let items): if state.push == nil { land(items, policy) }
        case .eject(let item, let probability, _, _):
          guard probability >= policy.scheduling.ejectionConfidence else { continue }
          if eject(item, probability, policy) { hasChanged = true }
        }
      }
      return hasChanged
    }

    private mutating func land(_ items: [Int], _ policy: Policy) {
      let members = state.expanded(items)
      guard let build = state.builds.first(where: { $0.members == members && $0.isProven }), let tip = build.tip,
        let trunk = state.trunk, build.base == trunk, mayLand(members)
      else { return }
      if policy.scheduling.isOptimistic {
        for red in state.builds where red.hasFailed && red.members.allSatisfy(members.contains) {
          apply(
            .flakeFound(
              Event.Flake(red: red.id, redRuns: red.redRuns, members: red.members, green: build.id, at: now)))
        }
      }
      apply(
        .landingBegan(build: build.id, members: members, commit: tip.commit, expecting: trunk, at: now))
    }

    private func mayLand(_ members: [Int]) -> Bool {
      members.allSatisfy { id in
        guard let entry = state.entries[id: id] else { return false }
        return state.missing(entry, at: now).isEmpty
          && entry.after.allSatisfy { !state.entries.contains($0) || members.contains($0) }
      }
    }

    /// Only what is red by itself on the trunk is guilty: a change that fails beside another may be innocent without it.
    private mutating func eject(_ item: Int, _ probability: Double, _ policy: Policy) -> Bool {
      let unit = state.entries.unit(of: item).map(\.id)
      guard let entry = state.entries[id: item], !unit.contains(where: { MergeQueue.isLanding($0, in: state) }),
        let red = state.builds.first(where: {
          $0.members == unit && $0.hasFailed && !$0.isOutdated && $0.base == state.trunk
        }),
        let run = red.runs.last(where: { !$0.isGreen })
      else { return false }
      if unit.count > 1 {
        apply(.stackLoosened(unit: entry.unit, members: unit, at: now))
      } else {
        apply(
          .ejected(
            entry.ejection(
              by: run, after: red.landed, runs: red.redRuns, probability: probability, from: policy.trunk, at: now)))
      }
      return true
    }

    // MARK: Slots

    private mutating func giveSlots(_ policy: Policy) {
      guard !state.isPaused else { return }
      var running = state.builds.count(where: \.isRunning)
      let ready = state.builds.filter { $0.isWaiting && $0.isAssembled }
      // Hotfixes first; among others the order of the plan.
      let line = ready.filter { $0.purpose == .hotfix } + ready.filter { $0.purpose != .hotfix }
      for build in line {
        if running >= policy.slots {
          guard build.purpose == .hotfix, policy.hotfixesPreempt, stopLeastWorthy(for: build) else { break }
          running -= 1
        }
        guard let tip = build.tip else { continue }
        let subject = Subject(commit: tip.commit, tree: tip.tree)
        apply(.runBegan(build: build.id, run: build.attempts + 1, subject: subject, at: now))
        running += 1
      }
    }

    private mutating func stopLeastWorthy(for hotfix: Build) -> Bool {
      let others = state.builds.filter { $0.isRunning && $0.purpose != .hotfix }
      guard let least = others.min(by: { ($0.worth, -$0.id) < ($1.worth, -$1.id) }) else { return false }
      let cause = DropCause.outranked(by: hotfix.members[0])
      // On an older trunk nothing is begun again.
      apply(
        least.isOutdated
          ? .buildDropped(build: least.id, because: cause, at: now)
          : .runStopped(build: least.id, run: least.attempts, because: cause, at: now))
      return true
    }
  }
}
