import Kernel

extension FeatureFlag {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let events: [Event]
    switch input {
    case .create(let creation): events = try create(creation, in: state, turn)
    case .edit(let edit): events = try self.edit(edit, in: state, turn)
    case .restore(let revision, let by): events = try restore(revision, by, in: state, turn)
    case .declare(let declaration): events = declared(declaration, in: state, turn)
    case .undeclare(commit: _, let folder): events = undeclared(by: folder, in: state)
    case .place(let request): events = try place(request, in: state, turn)
    case .schedule(let request): events = try schedule(request, in: state, turn)
    case .unschedule(let number, let by): events = try unschedule(number, by, in: state, turn)
    case .startRamp(let plan, let by): events = try startRamp(plan, try signed(by, "A ramp", turn), in: state)
    case .advance(let environment, let by): events = try advance(environment, by, in: state, turn)
    case .hold(let environment, let by): events = try hold(environment, by, in: state, turn)
    case .resume(let environment, let by): events = try resume(environment, by, in: state, turn)
    case .stopRamp(let environment, let by): events = try stopRamp(environment, by, in: state, turn)
    case .kill(let request): events = try kill(request, in: state, turn)
    case .archive(let by): events = try archive(by, in: state, turn)
    case .claimed(let other): events = state.dependents.contains(other) ? [] : [.claimed(by: other)]
    case .unclaimed(let other): events = state.dependents.contains(other) ? [.unclaimed(by: other)] : []
    case .trafficTold(let environment, let ramp, let traffic):
      events = sighted(environment, ramp, traffic, in: state, turn)
    case .acknowledged(let environment, let epoch, let standing, let at):
      events = acknowledged(environment, epoch, standing, at: min(at, turn.now), in: state)
    case .judged(let environment, let epoch, let verdict, let record, let at):
      let note = Note(verdict: verdict, record: record, at: min(at, turn.now))
      events = judged(environment, epoch, note, in: state, turn)
    case .proofTold(let environment, let epoch, let standing, let shownAt, let at):
      events = proofTold(environment, epoch, standing, shownAt, at: min(at, turn.now), in: state)
    case .woke(let key): events = woke(key, in: state, turn)
    case .announced(let id, let target):
      let waits = state.announcements.contains { $0.id == id && $0.targets.contains(target) }
      events = waits ? [.announced(id: id, target: target)] : []
    case .exhausted(let key, let why): events = exhausted(key, why.onOneLine(upTo: reasonLimit), in: state, turn)
    }
    // Shortens a list.
    return settled(reconsidered(events, in: state, turn), in: state) { after in
      guard after.announcements.count > announcementLimit, let oldest = after.announcements.first else { return [] }
      let why = "more than \(announcementLimit) announcements wait; this one was the oldest"
      return oldest.targets.map { .announcementAbandoned(id: oldest.id, target: $0, why: why) }
    }
  }

  // MARK: A ramp's way

  private static func sighted(
    _ environment: EnvironmentName, _ ramp: Int, _ traffic: [UsualTraffic?], in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let placement = state.placement(in: environment), case .sighting(let course) = placement.phase,
      course.number == ramp
    else { return [] }
    let sights = RampPlanning.forecasts(course.plan.policy, traffic)
    return [
      .sighted(environment, ramp: ramp, sights),
      stageBegin(0, course, placement, passed: nil, by: nil, at: turn.now),
    ]
  }

  /// - Parameter number: of the stage whose share comes into force.
  static func stageBegin(
    _ number: Int, _ course: Course, _ placement: Placement, passed: String?, by: Signed?, at: Instant
  ) -> Event {
    let percent = course.plan.policy.stages[number].percent
    return .stageBegan(
      placement.environment,
      StageBegin(
        ramp: course.number, stage: number, percent: percent, epoch: placement.epoch + 1,
        allocation: placement.allocation.growing(course.plan.variant, toPercent: percent), passed: passed, by: by,
        at: at))
  }

  private static func acknowledged(
    _ environment: EnvironmentName, _ epoch: Int, _ standing: FlagStanding, at: Instant, in state: State
  ) -> [Event] {
    guard let placement = state.placement(in: environment), placement.epoch == epoch,
      let course = placement.phase.watched, course.settled == nil,
      RampPlanning.isSettled(standing, by: course.settlesBy, at: at)
    else { return [] }
    return [.settled(environment, epoch: epoch, Settling(at: at, standing: standing))]
  }

  private static func judged(
    _ environment: EnvironmentName, _ epoch: Int, _ note: Note, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let placement = state.placement(in: environment), placement.epoch == epoch,
      let course = placement.phase.watched
    else { return [] }
    let noted = Event.evidenceNoted(environment, epoch: epoch, note)
    let isNews = course.note.map { !$0.verdict.isLike(note.verdict) || note.at - $0.at >= noteInterval } ?? true
    switch note.verdict {
    case .bad(let conviction):
      return [noted, stop(placement, course, .bad(conviction), conviction.sentence, in: state, turn)]
    case .untrusted(let mistrust):
      let news = isNews ? [noted] : []
      if case .holding(_, let hold) = placement.phase {
        switch hold.cause {
        case .person, .untrusted(mistrust.reason): return news
        case .untrusted: break
        }
      }
      let hold = Hold(cause: .untrusted(mistrust.reason), why: mistrust.sentence, at: turn.now)
      return [noted, .held(environment, ramp: course.number, hold)]
    case .good(let power):
      switch placement.phase {
      case .watching, .asking:
        return course.settled == nil
          ? (isNews ? [noted] : []) : [noted] + [onward(course, placement, power.sentence, by: nil, turn)]
      case .holding(_, let hold): return believed(hold, course, environment, isNews ? [noted] : [], turn)
      case .placing, .still, .sighting, .stopping, .stopped, .rolledOut: return isNews ? [noted] : []
      }
    case .undecided(let lack):
      let news = isNews ? [noted] : []
      switch placement.phase {
      case .watching:
        guard let asksAt = course.asksAt, note.at >= asksAt else { return news }
        let why = "\(lack.sentence) \(RampPlanning.question(course))"
        return [noted, .asked(environment, ramp: course.number, Question(why: why, at: turn.now))]
      case .holding(_, let hold): return believed(hold, course, environment, news, turn)
      case .placing, .asking, .still, .sighting, .stopping, .stopped, .rolledOut: return news
      }
    }
  }

  /// What was held because the evidence was not believed goes on once it is; what a person holds does not.
  private static func believed(
    _ hold: Hold, _ course: Course, _ environment: EnvironmentName, _ noted: [Event], _ turn: TurnContext
  ) -> [Event] {
    switch hold.cause {
    case .person: noted
    case .untrusted: noted + [.resumed(environment, ramp: course.number, by: nil, at: turn.now)]
    }
  }

  /// The next stage, or everybody.
  static func onward(
    _ course: Course, _ placement: Placement, _ passed: String?, by: Signed?, _ turn: TurnContext
  ) -> Event {
    if course.isLast {
      let why = passed ?? "\(by?.actor ?? "") went on without the evidence: \(by?.reason ?? "")"
      return .rolledOut(placement.environment, ramp: course.number, why: why, by: by, at: turn.now)
    }
    return stageBegin(course.stage + 1, course, placement, passed: passed, by: by, at: turn.now)
  }

  /// The variant is withdrawn: what was in force before the ramp is in force again, without it.
  static func stop(
    _ placement: Placement, _ course: Course, _ cause: Ending.Cause, _ why: String, in state: State,
    _ turn: TurnContext
  ) -> Event {
    .rampStopped(
      placement.environment,
      RampStop(
        ramp: course.number, variant: course.plan.variant, cause: cause, why: why,
        allocation: course.before.without(course.plan.variant), epoch: placement.epoch + 1,
        service: course.plan.service ?? state.definition?.service, at: turn.now))
  }

  // MARK: Proof

  private static func proofTold(
    _ environment: EnvironmentName, _ epoch: Int, _ standing: FlagStanding, _ shownAt: Instant?, at: Instant,
    in state: State
  ) -> [Event] {
    guard let placement = state.placement(in: environment), let proof = placement.proof, proof.epoch == epoch
    else { return [] }
    // A restart forgets who was seen; the ledger does not. Who was cut off until it heard was seen by nobody.
    if standing.isComplete, let heardAt = proof.heardAt {
      let quiet = at - max(shownAt ?? proof.since, proof.shownAt ?? proof.since, heardAt)
      if quiet >= proofQuiet { return [.proved(environment, epoch: epoch, standing, at: at)] }
    }
    // Who lacks it is told when that changes, and who is still seen with it now and then.
    let isNews =
      proof.standing.map { $0.lackingCount != standing.lackingCount || ($0.all == 0) != (standing.all == 0) } ?? true
    let isHeard = standing.isComplete && proof.heardAt == nil
    let isSeen = shownAt.map { $0 - (proof.shownAt ?? proof.since) >= noteInterval } ?? false
    guard isNews || isHeard || isSeen else { return [] }
    return [.proofNoted(environment, epoch: epoch, standing, shownAt: shownAt, at: at)]
  }

  // MARK: Time

  private static func woke(_ key: EffectKey, in state: State, _ turn: TurnContext) -> [Event] {
    if let next = state.scheduled.first, key == scheduleKey(next.number), turn.now >= next.at {
      let due = Event.fellDue(number: next.number, at: turn.now)
      do throws(Refusal) {
        switch next.change {
        case .place(let environment, let isOn):
          if isOn, let kill = state.placement(in: environment)?.killed?.by, kill.at >= next.by.at {
            throw Refusal(.notNow, "It was killed by \(kill.actor) since this was planned: switch it on again by hand.")
          }
          let by = Signature(actor: next.by.actor, reason: next.by.reason)
          return [due] + (try place(PlaceRequest(environment: environment, isOn: isOn, by: by), in: state, turn))
        case .ramp(let plan):
          // A switch that is off refuses a ramp.
          let by = Signed(actor: next.by.actor, reason: next.by.reason, at: turn.now)
          return [due] + (try startRamp(plan, by, in: state))
        }
      } catch {
        return [due, .dueRefused(number: next.number, why: error.sentence, at: turn.now)]
      }
    }
    return state.placements.flatMap { placement -> [Event] in
      guard let course = placement.phase.watched, course.settled == nil,
        key == settleKey(placement.environment, placement.epoch), turn.now >= course.settlesBy
      else { return [] }
      let settling = Settling(at: turn.now, standing: nil)
      return [.settled(placement.environment, epoch: placement.epoch, settling)]
    }
  }

  // MARK: What the world keeps failing at

  private static func exhausted(
    _ key: EffectKey, _ why: String, in state: State, _ turn: TurnContext
  ) -> [Event] {
    guard let effect = effects(of: state).first(where: { $0.key == key }) else { return [] }
    let trouble: [Event] = state.trouble == Trouble(key: key, why: why) ? [] : [.troubled(key, why: why)]
    switch effect {
    // Nobody knows its traffic, and the stages ask.
    case .sight(let source):
      return trouble + sighted(source.environment, source.ramp, [], in: state, turn)
    case .announce(let announcement, let target):
      return [.announcementAbandoned(id: announcement.id, target: target, why: why)]
    case .watch, .prove, .wake: return trouble
    }
  }
}
