import Kernel

extension MergeQueue {
  package static func evolve(_ state: inout State, _ event: Event) {
    var touched = state.waitersTouched(by: event)
    fold(event, into: &state)
    state.forgetTroublesOfUnwanted()
    touched.formUnion(state.waitersTouched(by: event))
    state.turnWaits(of: touched, after: event)
    state.giveForecasts(at: event)
    state.noteMove(event)
  }

  private static func fold(_ event: Event, into state: inout State) {
    switch event {
    case .configured(let policy):
      state.configure(policy)
    case .trunkMoved(_, let commit, _):
      state.sighted = nil
      state.giveUpPush()
      state.clashes = []
      state.move(trunk: commit)
      state.planVersion += 1
    case .submitted(let facts):
      state.entries.insert(Entry(facts))
      state.noteRequirements(of: facts.id)
      if state.policy?.wantsSurvey ?? false { state.unsurveyed.append(facts.id) }
      state.nextEntry = max(state.nextEntry, facts.id + 1)
      state.lineVersion += 1
      state.planVersion += 1
    case .withdrawn(let entry, let reason, let at, _):
      state.finish(entry, .withdrawn(reason: reason), at: at)
    case .prepared(let entry, let base, _, let commit, let tree, _):
      state.step(Step(entry: entry, base: base, commit: commit, tree: tree))
    case .conflicted(let entry, let base, let assumed, let paths, let detail, let at):
      state.clash(Clash(entry: entry, onto: assumed, kind: .conflict(paths: paths, detail: detail), at: at), on: base)
    case .contained(let entry, let base, let assumed, let at):
      state.clash(Clash(entry: entry, onto: assumed, kind: .containment, at: at), on: base)
    // Of before there were builds: the entry is planned anew.
    case .testPassed, .testFailed, .candidateDropped:
      break
    case .landed(let landing):
      state.land(landing)
    case .ejected(let ejection):
      state.tally.ejected += 1
      if ejection.isGuilty { state.rates.note(.ejected, place: ejection.entry) }
      state.finish(ejection.entry, .ejected(ejection), at: ejection.at)
    case .troubled(let entry, let key, let why, let at):
      if key.text.hasPrefix("test/") { state.tally.infrastructure += 1 }
      state.troubles.removeAll { $0.key == key }
      state.troubles.append(Trouble(key: key, entry: entry, why: why, since: at))
      state.troubles.sort { $0.key < $1.key }
    case .recovered(let key, _):
      state.troubles.removeAll { $0.key == key }
    case .retired:
      if let policy = state.policy { state.phase = .retired(policy) }
      state.push = nil
      state.forgetWork()
      state.tried = []
      (state.notes, state.runnerLoss, state.sighted) = ([], nil, nil)
      (state.hold, state.freeze) = (nil, nil)
    case .recalled:
      break
    case .planned(let planned):
      state.plan(planned)
    case .runBegan(let build, let run, let subject, let at):
      let lanes = state.build(build)?.members.map { state.entries[id: $0]?.lanes } ?? []
      state.change(build) { build in
        if build.subject?.tree != subject.tree { build.runs = [] }
        build.phase = .running(since: at)
        build.subject = subject
        build.lanes = lanes
        build.attempts = run
        build.beside = []
        build.isReordered = false
      }
    case .runEnded(let build, let run, let at):
      state.end(run, of: build, at: at)
    case .runStopped(let build, _, _, let at):
      state.change(build) { $0.phase = .waiting(since: at) }
      state.planVersion += 1
    case .recognised(let build, let passed, let at):
      state.change(build) { build in
        build.phase = .passed(at: at)
        build.subject = build.tip.map { Subject(commit: $0.commit, tree: passed.tree) }
        build.beside = []
        build.isReordered = false
      }
      state.planVersion += 1
    case .buildDropped(let build, _, _):
      state.builds.removeAll { $0.id == build }
      state.planVersion += 1
    case .buildCarried(let build, let over, let commit, _):
      state.change(build) { build in
        build.beside += over
        build.base = commit
        build.steps = []
        build.isOutdated = false
      }
      state.planVersion += 1
    case .landingBegan(let id, _, _, let expecting, let at):
      guard let build = state.build(id) else { break }
      // Apart from the decision: what `violations` holds a landing against.
      let isProven = build.isProven && build.base == state.trunk && build.isExact(under: state.policy)
      state.push = Push(
        build: id, steps: Array(build.steps), base: expecting, isProven: isProven,
        beside: build.beside, since: at)
    case .flakeFound(let flake):
      state.tally.flakes += flake.redRuns
      state.tally.red -= flake.redRuns
      for _ in 0..<flake.redRuns { state.rates.noteRun(isFlake: true) }
    case .stackLoosened(let unit, _, _):
      state.entries.loosen(unit)
      state.planVersion += 1
    case .reported(let entry, let approvals, let checks, let at):
      state.noteChecks(checks, of: entry, at: at)
      state.entries.change(entry) { entry in
        entry.approvals = approvals
        entry.checks = checks
      }
      state.noteRequirements(of: entry)
      state.planVersion += 1
    case .treePassed(let passed):
      state.remember(passed)
    case .targetsReported(let entry, let targets, _):
      state.entries.change(entry) { $0.targets = targets }
      if state.policy?.wantsSurvey ?? false, !state.unsurveyed.contains(entry) { state.unsurveyed.append(entry) }
    case .surveyed(let entry, let lanes, _):
      state.entries.change(entry) { $0.lanes = lanes }
      state.unsurveyed.removeAll { $0 == entry }
      state.planVersion += 1
    case .held(let hold):
      state.hold = hold
    case .resumed:
      state.hold = nil
      state.planVersion += 1
    case .frozen(let freeze):
      state.freeze = freeze
      state.planVersion += 1
    case .thawed:
      state.freeze = nil
      state.planVersion += 1
    case .overdue(let entry, _, _):
      state.entries.change(entry) { $0.isOverdue = true }
    case .noted(let note):
      state.want(note)
    case .noteWritten(let note, let at):
      state.settle(note, .written(at: at))
    case .noteAbandoned(let note, let why, let at):
      state.settle(note, .abandoned(why: why, at: at))
    case .runnerLost(let loss, _):
      state.runnerLoss = loss
    case .runnerFound:
      state.runnerLoss = nil
    case .trunkSighted(let commit, _):
      state.sighted = commit == state.trunk ? nil : commit
    case .trunkTraced(let overtaking, _):
      state.overtaking = overtaking
    case .reviewsAsked(let entry, _, _, let at):
      state.entries.change(entry) { $0.reviewsAskedAt = at }
    case .schemaReviewed(let entry, _, let place, let review, _):
      state.entries.change(entry) { $0.note(review, by: place) }
      state.noteRequirements(of: entry)
      state.planVersion += 1
    }
  }
}

extension MergeQueue.State {
  fileprivate mutating func configure(_ policy: MergeQueue.Policy) {
    let isOtherRecipe = self.policy.map { !policy.hasRecipe(of: $0) } ?? true
    if isOtherRecipe {
      recipe += 1
      // What is being pushed stays: the push cannot be called back, and what it pushes was tested.
      forgetWork()
      evidence = []
      durations = DurationEstimate()
    }
    // What was carried over others' landings is no longer good enough.
    if policy.strict { builds.removeAll { !$0.beside.isEmpty } }
    if self.policy?.lanes != policy.lanes || self.policy?.wantsSurvey != policy.wantsSurvey {
      for entry in entries { entries.change(entry.id) { $0.lanes = nil } }
      unsurveyed = policy.wantsSurvey ? entries.map(\.id) : []
    }
    let areOthersNeeded = self.policy.map { $0.requirements != policy.requirements } ?? true
    if let old = self.policy?.requirements.schemas, old != policy.requirements.schemas {
      let required = policy.requirements.schemas
      for entry in entries where entry.reviews.contains(where: { !required.contains($0.place) }) {
        entries.change(entry.id) { $0.reviews.removeAll { !required.contains($0.place) } }
      }
    }
    if !policy.notes { for note in notes { settle(note, .abandoned(why: "notes were switched off", at: note.at)) } }
    checkTimes.removeAll { !policy.requirements.checks.contains($0.name) }
    planVersion += 1
    switch phase {
    // Back in the file, the trunk is seen as for the first time: whoever pushed meanwhile is found by that.
    case .unconfigured, .awaitingTrunk, .retired: phase = .awaitingTrunk(policy)
    case .open(_, let trunk): phase = .open(policy, trunk: trunk)
    }
    if areOthersNeeded { for entry in entries { noteRequirements(of: entry.id) } }
  }

  fileprivate mutating func forgetWork() {
    builds = []
    clashes = []
  }

  fileprivate mutating func move(trunk: CommitID) {
    guard let policy else { return }
    phase = .open(policy, trunk: trunk)
  }

  fileprivate mutating func giveUpPush() {
    guard let push else { return }
    tried.append(push)
    if tried.count > MergeQueue.triedLimit { tried.removeFirst() }
    self.push = nil
  }

  fileprivate mutating func change(_ id: Int, _ change: (inout MergeQueue.Build) -> Void) {
    guard let index = builds.firstIndex(where: { $0.id == id }) else { return }
    change(&builds[index])
  }

  fileprivate mutating func remember(_ passed: MergeQueue.PassedTree) {
    evidence.removeAll { $0.tree == passed.tree }
    evidence.append(passed)
    if evidence.count > MergeQueue.evidenceLimit { evidence.removeFirst() }
  }

  // MARK: Builds

  fileprivate mutating func plan(_ planned: MergeQueue.Event.Planned) {
    plannedVersion = planned.version
    guard let trunk else { return }
    let old = builds
    builds.removeAll { planned.dropped.contains($0.id) }
    for build in planned.builds {
      // Equal beginnings give equal commits, so those of any build are taken over.
      let steps = old.map { $0.commonSteps(with: build.members, on: trunk) }.max { $0.count < $1.count } ?? []
      builds.append(MergeQueue.Build(build, base: trunk, steps: steps, at: planned.at))
      nextBuild = max(nextBuild, build.id + 1)
    }
    for id in planned.reruns { change(id) { $0.phase = .waiting(since: planned.at) } }
    let ranks = Dictionary(uniqueKeysWithValues: zip(planned.order, planned.order.indices))
    builds = builds.enumerated().sorted { left, right in
      (ranks[left.element.id] ?? Int.max, left.offset) < (ranks[right.element.id] ?? Int.max, right.offset)
    }.map(\.element)
  }

  fileprivate mutating func step(_ step: MergeQueue.Step) {
    for index in builds.indices {
      guard let next = builds[index].nextStep, next.entry == step.entry, next.base == step.base else { continue }
      builds[index].steps.append(step)
      guard let tip = builds[index].tip, let subject = builds[index].subject, subject.tree != tip.tree,
        builds[index].isReordered || builds[index].beside.isEmpty
      else { continue }
      // Merged again after others landed, it is another tree: what its runs said is of the old one.
      builds[index].subject = nil
      builds[index].runs = []
      builds[index].beside = []
      builds[index].isReordered = false
      builds[index].phase = .waiting(since: builds[index].since)
      planVersion += 1
    }
  }

  fileprivate mutating func clash(_ clash: MergeQueue.Clash, on base: CommitID) {
    for index in builds.indices {
      guard let next = builds[index].nextStep, next.entry == clash.entry, next.base == base else { continue }
      builds[index].phase = .stuck(entry: clash.entry, at: clash.at)
    }
    clashes.removeAll { $0.entry == clash.entry }
    clashes.append(clash)
    planVersion += 1
  }

  fileprivate mutating func end(_ run: MergeQueue.Run, of id: Int, at: Instant) {
    guard let build = build(id) else { return }
    change(id) { build in
      build.runs.append(run)
      build.phase = run.isGreen ? .passed(at: at) : .failed(at: at)
    }
    planVersion += 1
    durations.note(seconds: (run.endedAt - run.startedAt).seconds)
    if run.isGreen {
      tally.green += 1
      rates.noteRun(isFlake: false)
      if let subject = build.subject {
        remember(
          MergeQueue.PassedTree(
            tree: subject.tree, source: .run(build: id, number: run.number, log: run.log), at: at))
      }
    } else {
      tally.red += 1
    }
    forgetOldestEnded()
  }

  /// The one that another end would push out of memory; nil while there is room.
  var oldestEnded: MergeQueue.Build? {
    let ended = builds.filter { $0.hasPassed || $0.hasFailed }
    return ended.count < MergeQueue.endedBuildLimit ? nil : ended.min { $0.since < $1.since }
  }

  private mutating func forgetOldestEnded() {
    let ended = builds.filter { $0.hasPassed || $0.hasFailed }
    guard ended.count > MergeQueue.endedBuildLimit, let oldest = ended.min(by: { $0.since < $1.since }) else { return }
    builds.removeAll { $0.id == oldest.id }
  }

  // MARK: Leaving

  fileprivate mutating func land(_ landing: MergeQueue.Landing) {
    let pushed = push.flatMap { $0.lands(landing) ? $0 : nil } ?? tried.first { $0.lands(landing) }
    if landing.build != nil {
      proof = MergeQueue.LandingProof(
        landed: landing.commit, previousTrunk: landing.previousTrunk,
        tested: pushed.flatMap { push in
          push.isProven ? push.steps.first { $0.entry == landing.entry && $0.commit == landing.commit } : nil
        })
    }
    for index in builds.indices { builds[index].note(landing) }
    if builds.indices.contains(where: { builds[$0].members.isEmpty }) { builds.removeAll { $0.members.isEmpty } }
    if landing.isTip, let pushed {
      // Builds that hold all of the push stand on its tip by now. Those on another trunk saw it go on past the queue.
      let left = [pushed.base] + pushed.steps.dropLast().map(\.commit)
      for index in builds.indices where left.contains(builds[index].base) { builds[index].outdate() }
    }
    for index in clashes.indices { clashes[index].onto.removeAll { $0 == landing.entry } }
    // On a trunk that holds something else, it may merge.
    clashes.removeAll { $0.entry == landing.entry || !$0.against.contains(landing.entry) }
    move(trunk: landing.commit)
    if landing.isTip {
      push = push.flatMap { $0.tip == landing.commit ? nil : $0 }
      tried.removeAll { $0.tip == landing.commit }
    }
    tally.landed += 1
    rates.note(.landed, place: landing.entry)
    if let entry = entries[id: landing.entry] { learn(fromLandingOf: entry, at: landing.at) }
    finish(landing.entry, .landed(commit: landing.commit), at: landing.at)
  }

  fileprivate mutating func finish(_ id: Int, _ outcome: MergeQueue.FinishedEntry.Outcome, at: Instant) {
    guard var entry = entries.remove(id) else { return }
    entry.waits.end(at: at)
    if case .landed = outcome {
    } else {
      // Whoever did not merge onto it may merge without it.
      clashes.removeAll { $0.entry == id || $0.onto.contains(id) }
    }
    // Each is in it once, and who leaves is most often among the first.
    if let place = unsurveyed.firstIndex(of: id) { unsurveyed.remove(at: place) }
    lineVersion += 1
    planVersion += 1
    let left = MergeQueue.FinishedEntry(
      facts: entry.facts, outcome: outcome, at: at, waits: entry.waits.parts(at: at), reviews: entry.reviews)
    finished.append(left)
    if finished.count > MergeQueue.historyLimit { finished.removeFirst(finished.count - MergeQueue.historyLimit) }
    wantNote(of: left)
  }

  /// A trouble ends with the want behind it.
  fileprivate mutating func forgetTroublesOfUnwanted() {
    guard !troubles.isEmpty else { return }
    let wanted = MergeQueue.effects(of: self).map(\.key)
    troubles.removeAll { !wanted.contains($0.key) }
  }
}

extension MergeQueue.Build {
  fileprivate func commonSteps(with other: [Int], on trunk: CommitID) -> MergeQueue.Steps {
    guard base == trunk else { return [] }
    var (end, place) = (steps.startIndex, 0)
    while end < steps.endIndex, place < other.count, steps[end].entry == other[place] {
      (end, place) = (end + 1, place + 1)
    }
    return MergeQueue.Steps(steps[..<end])
  }

  /// A member landed: as its first step, then the rest stands as it is; or otherwise, then the rest is merged anew. That
  /// of another build leaves this one on the old trunk, for `Settling` to judge.
  fileprivate mutating func note(_ landing: MergeQueue.Landing) {
    guard let index = members.firstIndex(of: landing.entry) else { return }
    members.remove(at: index)
    landed.append(landing.entry)
    if isOutdated { return }
    base = landing.commit
    if let first = steps.first, index == 0, first.entry == landing.entry, first.commit == landing.commit {
      steps.removeFirst()
    } else {
      steps = []
      isReordered = true
    }
  }

  /// `Settling` carries it over, keeps it as evidence, or drops it.
  fileprivate mutating func outdate() {
    isOutdated = true
    steps = []
  }
}
