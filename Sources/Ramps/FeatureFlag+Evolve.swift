import Kernel

extension FeatureFlag {
  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .created(let key, let revision, let salt, let environments, let declared):
      state.key = key
      state.revisions = [revision]
      state.salt = salt
      state.declared = declared
      state.placements = environments.map { Placement(environment: $0.environment, isOn: $0.isOn) }
        .sorted { $0.environment < $1.environment }
    case .revised(let revision, claims: _, releases: _):
      state.revisions.insert(revision, at: 0)
      if state.revisions.count > revisionLimit { state.revisions.removeLast() }
    case .declared(let place): state.declared = place
    case .placed(let environment, let isOn, let override, let epoch, let by):
      state.change(environment) { placement in
        let isBack = isOn && !placement.isOn
        placement.isOn = isOn
        placement.override = override
        placement.epoch = epoch
        guard isBack else { return }
        placement.killed = nil
        if placement.proof?.variant == nil {
          placement.proof = nil
          // What a ramp took back is still to be proved: who heard of neither change has it.
          if case .stopping(let ending) = placement.phase {
            placement.proof = Proof(epoch: epoch, variant: ending.course.plan.variant, since: by.at)
          }
        }
        placement.rest()
      }
    case .scheduled(let change):
      state.scheduled.append(change)
      state.scheduled.sort { ($0.at, $0.number) < ($1.at, $1.number) }
      state.nextScheduled = change.number + 1
    case .unscheduled(let number, by: _), .fellDue(let number, at: _):
      state.scheduled.removeAll { $0.number == number }
    case .dueRefused: break
    case .rampStarted(let plan, let number, let by):
      state.nextRamp = number + 1
      state.change(plan.environment) { placement in
        placement.phase = .sighting(
          Course(number: number, plan: plan, startedBy: by, before: placement.allocation))
        // What an older ramp's withdrawal left unproved is this variant's business only if it is the same.
        if placement.proof?.variant == plan.variant { placement.proof = nil }
      }
    case .sighted(let environment, ramp: _, let sights): state.changeCourse(environment) { $0.sights = sights }
    case .stageBegan(let environment, let begin):
      state.change(environment) { placement in
        guard var course = placement.course else { return }
        course.stage = begin.stage
        course.stageBegan = begin.at
        course.settled = nil
        placement.allocation = begin.allocation
        placement.epoch = begin.epoch
        placement.phase = .placing(course)
      }
    case .settled(let environment, epoch: _, let settling):
      state.changeCourse(environment) { $0.settled = settling }
      state.change(environment) { placement in
        if case .placing(let course) = placement.phase { placement.phase = .watching(course) }
      }
    case .evidenceNoted(let environment, epoch: _, let note): state.changeCourse(environment) { $0.note = note }
    case .asked(let environment, ramp: _, let question):
      state.change(environment) { placement in
        if let course = placement.course { placement.phase = .asking(course, question) }
      }
    case .held(let environment, ramp: _, let hold):
      state.change(environment) { placement in
        if let course = placement.course { placement.phase = .holding(course, hold) }
      }
    case .resumed(let environment, ramp: _, by: _, at: _):
      state.change(environment) { placement in
        guard let course = placement.course else { return }
        placement.phase = course.settled == nil ? .placing(course) : .watching(course)
      }
    case .rampStopped(let environment, let stop):
      state.change(environment) { placement in
        guard let course = placement.course else { return }
        let wasShown = placement.allocation != stop.allocation
        placement.allocation = stop.allocation
        placement.epoch = stop.epoch
        var ending = Ending(course: course, cause: stop.cause, why: stop.why, at: stop.at)
        // Before its first stage nobody had it.
        if wasShown {
          placement.phase = .stopping(ending)
          placement.proof = Proof(epoch: stop.epoch, variant: stop.variant, since: stop.at)
        } else {
          ending.provedAt = stop.at
          placement.phase = .stopped(ending)
        }
      }
      state.announce(stop, in: environment)
    case .rolledOut(let environment, ramp: _, let why, let by, let at):
      state.change(environment) { placement in
        guard let course = placement.course else { return }
        placement.phase = .rolledOut(Ending(course: course, cause: .everybody(actor: by?.actor), why: why, at: at))
      }
    case .killed(let environment, let kill, let epoch, let targets):
      state.change(environment) { placement in
        placement.isOn = false
        placement.epoch = epoch
        placement.killed = kill
        placement.proof = Proof(epoch: epoch, variant: nil, since: kill.by.at)
      }
      state.announce(kill, in: environment, targets)
    case .proofNoted(let environment, epoch: _, let standing, let shownAt, let at):
      state.change(environment) { placement in
        guard var proof = placement.proof else { return }
        proof.standing = standing
        proof.shownAt = shownAt
        proof.heardAt = standing.isComplete ? proof.heardAt ?? at : nil
        placement.proof = proof
      }
    case .proved(let environment, epoch: _, _, let at):
      state.change(environment) { $0.finish(at: at) }
    case .archived(let by, releases: _):
      state.archived = by
      state.scheduled = []
      // It is served to nobody, so there is nothing to be had.
      for index in state.placements.indices where state.placements[index].proof != nil {
        state.placements[index].finish(at: by.at)
      }
    case .claimed(let other): state.dependents = Set(state.dependents + [other]).sorted()
    case .unclaimed(let other): state.dependents.removeAll { $0 == other }
    case .announced(let id, let target), .announcementAbandoned(let id, let target, why: _):
      for index in state.announcements.indices where state.announcements[index].id == id {
        state.announcements[index].targets.removeAll { $0 == target }
      }
      state.announcements.removeAll { $0.targets.isEmpty }
    case .troubled(let key, let why): state.trouble = Trouble(key: key, why: why)
    case .declarationRefused(let unmet):
      state.unmet.removeAll { $0.declaration.folder == unmet.declaration.folder }
      state.unmet.append(unmet)
      state.unmet.sort { ($0.declaration.folder?.name ?? "") < ($1.declaration.folder?.name ?? "") }
    case .declarationMet(let folder), .declarationDropped(let folder):
      state.unmet.removeAll { $0.declaration.folder == folder }
    }
  }
}

extension FeatureFlag.State {
  fileprivate mutating func change(_ environment: EnvironmentName, _ body: (inout FeatureFlag.Placement) -> Void) {
    guard let index = placements.firstIndex(where: { $0.environment == environment }) else {
      var placement = FeatureFlag.Placement(environment: environment, isOn: false)
      body(&placement)
      placements.append(placement)
      placements.sort { $0.environment < $1.environment }
      return
    }
    body(&placements[index])
  }

  fileprivate mutating func changeCourse(
    _ environment: EnvironmentName, _ body: (inout FeatureFlag.Course) -> Void
  ) {
    change(environment) { placement in
      guard var course = placement.course else { return }
      body(&course)
      switch placement.phase {
      case .sighting: placement.phase = .sighting(course)
      case .placing: placement.phase = .placing(course)
      case .watching: placement.phase = .watching(course)
      case .asking(_, let question): placement.phase = .asking(course, question)
      case .holding(_, let hold): placement.phase = .holding(course, hold)
      case .still, .stopping, .stopped, .rolledOut: break
      }
    }
  }
}

extension FeatureFlag.Placement {
  /// Nobody is left with what was withdrawn.
  fileprivate mutating func finish(at instant: Instant) {
    proof = nil
    guard case .stopping(var ending) = phase else { return }
    ending.provedAt = instant
    phase = .stopped(ending)
  }

  /// It is on again: how the last ramp ended is history. What is rolled out stays so.
  fileprivate mutating func rest() {
    switch phase {
    case .stopping, .stopped: phase = .still
    case .still, .sighting, .placing, .watching, .asking, .holding, .rolledOut: break
    }
  }
}
