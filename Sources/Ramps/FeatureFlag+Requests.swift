import Kernel

/// What people ask.
extension FeatureFlag {
  // MARK: What it is

  static func create(_ creation: Creation, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let by = try signed(creation.by, "A new flag", turn)
    if let key = state.key {
      // Asked again after a lost answer.
      if state.archived == nil, state.revision == 1, state.definition == creation.definition { return [] }
      throw Refusal(
        .notNow,
        "Flag \(key) exists already\(state.archived == nil ? "" : ", archived"): edit it, or take another key.")
    }
    return [
      try birth(
        of: creation.key, creation.definition, creation.environments, by, declared: nil, turn)
    ]
  }

  static func birth(
    of key: FlagKey, _ definition: FlagDefinition, _ environments: [Switch], _ by: Signed, declared: DeclaredIn?,
    _ turn: TurnContext
  ) throws(Refusal) -> Event {
    try check(definition, of: key, turn)
    let names = environments.map(\.environment)
    guard Set(names).count == names.count, names.count <= environmentLimit else {
      throw Refusal(
        .malformed, "Flag \(key) names an environment twice, or more than \(environmentLimit): name each once.")
    }
    let digits = String(turn.chance, radix: 16)
    let salt = String(repeating: "0", count: 16 - digits.count) + digits
    return .created(
      key, Revision(number: 1, definition: definition, by: by), salt: salt, environments: environments,
      declared: declared)
  }

  static func edit(_ edit: Edit, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    let by = try signed(edit.by, "An edit", turn)
    try checkUndeclared(in: state)
    guard edit.over == state.revision else {
      throw Refusal(
        .notNow,
        "Flag \(key) is at revision \(state.revision) by now, not \(edit.over): look at what changed and edit that.")
    }
    return try revision(edit.definition, by, restored: nil, in: state, turn)
  }

  static func restore(_ number: Int, _ by: Signature, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    let by = try signed(by, "A restoration", turn)
    try checkUndeclared(in: state)
    guard let old = state.revisions.first(where: { $0.number == number }) else {
      let oldest = state.revisions.last?.number ?? 1
      throw Refusal(
        .unknown,
        "Flag \(key) has the revisions \(oldest) to \(state.revision) at hand, not \(number): name one of them.")
    }
    return try revision(old.definition, by, restored: number, in: state, turn)
  }

  /// Nothing when it is what it was.
  static func revision(
    _ definition: FlagDefinition, _ by: Signed, restored: Int?, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    guard let old = state.definition, definition != old else { return [] }
    try check(definition, of: key, turn)
    for placement in state.placements {
      let used = placement.allocation.shares.map(\.variant) + (placement.course.map { [$0.plan.variant] } ?? [])
      if let lost = used.first(where: { !definition.variants.contains($0) }) {
        throw Refusal(
          .notNow,
          "\(lost) of flag \(key) is given out in \(placement.environment): stop its ramp before it is removed.")
      }
      if !used.isEmpty, definition.unit != old.unit {
        throw Refusal(
          .notNow,
          "Another unit would move every subject of flag \(key) in \(placement.environment): stop its ramp first.")
      }
    }
    let claims = definition.prerequisites.filter { !old.prerequisites.contains($0) }
    let releases = old.prerequisites.filter { !definition.prerequisites.contains($0) }
    let next = Revision(number: state.revision + 1, definition: definition, by: by, restored: restored)
    return [.revised(next, claims: claims, releases: releases)]
  }

  static func archive(_ by: Signature, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    if state.archived != nil { return [] }
    let key = try liveKey(in: state)
    let by = try signed(by, "An end", turn)
    try checkUndeclared(in: state)
    if let other = state.dependents.first {
      throw Refusal(
        .notNow, "Flag \(key) is a prerequisite of \(other): take it out there first.")
    }
    if let ramped = state.placements.first(where: { $0.course != nil }) {
      throw Refusal(.notNow, "Flag \(key) is ramped in \(ramped.environment): stop that first.")
    }
    return [.archived(by, releases: state.definition?.prerequisites ?? [])]
  }

  // MARK: Where it is on

  static func place(_ request: PlaceRequest, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    let by = try signed(request.by, "A switch", turn)
    let environment = request.environment
    let known = state.placement(in: environment)
    guard known != nil || state.placements.count < environmentLimit else {
      throw Refusal(.notNow, "Flag \(key) is in \(environmentLimit) environments, which is the most: use one of them.")
    }
    if let odd = request.override?.first(where: { !PlaceRequest.overridable.contains($0.name) }) {
      throw Refusal(
        .malformed,
        "\(odd.name) of flag \(key) is the same everywhere: override targeting or defaultVariant, or edit the flag.")
    }
    var placement = known ?? Placement(environment: environment, isOn: false)
    if let override = request.override, override.sorted(by: { $0.name < $1.name }) != placement.override,
      placement.course != nil
    {
      throw Refusal(
        .notNow,
        "Flag \(key) is ramped in \(environment), and its cohorts are those of the rules as they are: stop the ramp, "
          + "then change its rules.")
    }
    let isOn = request.isOn ?? placement.isOn
    let override = (request.override ?? placement.override).sorted { $0.name < $1.name }
    guard known == nil || isOn != placement.isOn || override != placement.override else { return [] }
    var events: [Event] = []
    if !isOn, let course = placement.course {
      let why = "\(by.actor) switched the flag off: \(by.reason)"
      events.append(stop(placement, course, .person(actor: by.actor), why, in: state, turn))
      placement.epoch += 1
    }
    return events + [.placed(environment, isOn: isOn, override: override, epoch: placement.epoch + 1, by: by)]
  }

  static func kill(_ request: KillRequest, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    let by = try signed(request.by, "A kill", turn)
    let kill = Kill(by: by, attributed: request.attributed)
    if let environment = request.environment { _ = try placement(in: environment, key, state) }
    let places = state.placements.filter { request.environment == nil || $0.environment == request.environment }
    return places.filter(\.isOn).flatMap { placement -> [Event] in
      var events: [Event] = []
      var epoch = placement.epoch
      if let course = placement.course {
        let why = "\(by.actor) switched the flag off: \(by.reason)"
        events.append(stop(placement, course, .person(actor: by.actor), why, in: state, turn))
        epoch += 1
      }
      return events + [
        .killed(placement.environment, kill, epoch: epoch + 1, announceTargets: max(request.announceTargets, 0))
      ]
    }
  }

  // MARK: Later

  static func schedule(_ request: ScheduleRequest, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    let by = try signed(request.by, "A schedule", turn)
    guard request.at > turn.now else {
      throw Refusal(.malformed, "The time for flag \(key) has passed: name one to come, or change it now.")
    }
    guard request.at <= turn.now + RampPlanning.longest else {
      throw Refusal(
        .malformed,
        "The time for flag \(key) is more than \(RampPlanning.longestDays) days ahead: name a nearer one.")
    }
    guard state.scheduled.count < scheduleLimit else {
      throw Refusal(.notNow, "\(scheduleLimit) changes of flag \(key) are to come, which is the most: take one back.")
    }
    // A repeated request changes nothing.
    guard !state.scheduled.contains(where: { $0.at == request.at && $0.change == request.change }) else { return [] }
    if case .ramp(let plan) = request.change { try check(plan, of: key, in: state) }
    return [
      .scheduled(Scheduled(number: state.nextScheduled, at: request.at, change: request.change, by: by))
    ]
  }

  static func unschedule(
    _ number: Int, _ by: Signature, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    let by = try signed(by, "A change of plan", turn)
    if state.scheduled.contains(where: { $0.number == number }) { return [.unscheduled(number: number, by: by)] }
    guard number >= 1, number < state.nextScheduled else {
      throw Refusal(.unknown, "Flag \(key) has no scheduled change \(number): look at what is to come.")
    }
    return []
  }

  // MARK: Ramps

  static func startRamp(_ plan: RampPlan, _ by: Signed, in state: State) throws(Refusal) -> [Event] {
    let key = try liveKey(in: state)
    try check(plan, of: key, in: state)
    let placement = try placement(in: plan.environment, key, state)
    guard placement.isOn else {
      let why = placement.killed.map { ", since \($0.by.actor) killed it: \($0.by.reason)" } ?? ""
      throw Refusal(.notNow, "Flag \(key) is off in \(plan.environment)\(why). Switch it on first.")
    }
    switch placement.phase {
    case .sighting(let course), .placing(let course), .watching(let course), .asking(let course, _),
      .holding(let course, _):
      // Asked again after a lost answer.
      if course.plan == plan, course.startedBy.actor == by.actor, course.startedBy.reason == by.reason { return [] }
      throw Refusal(
        .notNow,
        """
        \(course.plan.variant) of flag \(key) is being ramped in \(plan.environment): let it end, or stop it first.
        """)
    case .still, .stopping, .stopped, .rolledOut: break
    }
    guard placement.allocation.size(of: plan.variant) < FlagAllocation.buckets else {
      throw Refusal(
        .notNow, "Everybody in \(plan.environment) has \(plan.variant) of flag \(key): there is nothing to ramp.")
    }
    return [.rampStarted(plan, number: state.nextRamp, by: by)]
  }

  private static func check(_ plan: RampPlan, of key: FlagKey, in state: State) throws(Refusal) {
    if let fault = RampPlanning.fault(plan) { throw Refusal(.malformed, fault) }
    let variants = state.definition?.variants ?? []
    guard variants.contains(plan.variant) else {
      let near = nearestMatch(to: plan.variant, among: variants).map { "; did you mean \($0)" } ?? ""
      throw Refusal(
        .unknown, "Flag \(key) has no variant \(plan.variant)\(near): name one of \(variants.joined(separator: ", ")).")
    }
  }

  static func advance(
    _ environment: EnvironmentName, _ by: Signature, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let by = try signed(by, "Going on", turn)
    let (placement, course) = try course(in: environment, state)
    if case .sighting = placement.phase {
      throw Refusal(
        .notNow, "The ramp in \(environment) has not begun its first stage: wait some seconds, or stop it.")
    }
    return [onward(course, placement, nil, by: by, turn)]
  }

  static func hold(
    _ environment: EnvironmentName, _ by: Signature, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let by = try signed(by, "A hold", turn)
    let (placement, course) = try course(in: environment, state)
    switch placement.phase {
    case .sighting:
      throw Refusal(
        .notNow, "The ramp in \(environment) has not begun its first stage: wait some seconds, or stop it.")
    case .holding(_, let hold):
      if case .person = hold.cause { return [] }
    case .placing, .watching, .asking, .still, .stopping, .stopped, .rolledOut: break
    }
    let hold = Hold(cause: .person(actor: by.actor), why: by.reason, at: by.at)
    return [.held(environment, ramp: course.number, hold)]
  }

  static func resume(
    _ environment: EnvironmentName, _ by: Signature, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let by = try signed(by, "Going on", turn)
    let (placement, course) = try course(in: environment, state)
    switch placement.phase {
    case .holding:
      // The judge believes a wrong sample no more until its stage begins anew.
      if case .untrusted(let mistrust)? = course.note?.verdict, mistrust.reason == .sampleRatio {
        return [stageBegin(course.stage, course, placement, passed: nil, by: by, at: turn.now)]
      }
      return [.resumed(environment, ramp: course.number, by: by, at: turn.now)]
    case .asking:
      throw Refusal(
        .notNow, "The ramp in \(environment) asks, and is not held: advance it, or stop it.")
    case .placing, .watching, .sighting, .still, .stopping, .stopped, .rolledOut: return []
    }
  }

  static func stopRamp(
    _ environment: EnvironmentName, _ by: Signature, in state: State, _ turn: TurnContext
  ) throws(Refusal) -> [Event] {
    let by = try signed(by, "A stop", turn)
    let key = try liveKey(in: state)
    let placement = try placement(in: environment, key, state)
    switch placement.phase {
    case .stopping, .stopped: return []
    case .still, .rolledOut, .sighting, .placing, .watching, .asking, .holding: break
    }
    let (_, course) = try course(in: environment, state)
    return [
      stop(placement, course, .person(actor: by.actor), "\(by.actor) stopped it: \(by.reason)", in: state, turn)
    ]
  }

  // MARK: What every request is asked first

  static func signed(_ by: Signature, _ subject: String, _ turn: TurnContext) throws(Refusal) -> Signed {
    guard !by.actor.isEmpty, !by.reason.isEmpty, !by.reason.contains(where: \.isNewline),
      by.reason.count <= reasonLimit
    else {
      throw Refusal(
        .malformed,
        "\(subject) needs a name, and a reason of one line and at most \(reasonLimit) characters: give both.")
    }
    return Signed(actor: by.actor, reason: by.reason, at: turn.now)
  }

  private static func liveKey(in state: State) throws(Refusal) -> FlagKey {
    guard let key = state.key else {
      throw Refusal(.unknown, "There is no such flag: create it first, or look for its key in the list.")
    }
    if let by = state.archived {
      throw Refusal(.notNow, "Flag \(key) was archived by \(by.actor): make a new one under another key.")
    }
    return key
  }

  private static func checkUndeclared(in state: State) throws(Refusal) {
    guard let key = state.key, let place = state.declared else { return }
    throw Refusal(.notNow, "Flag \(key) is declared in \(place.file): change it there, and it follows.")
  }

  private static func check(_ definition: FlagDefinition, of key: FlagKey, _ turn: TurnContext) throws(Refusal) {
    guard definition.expiry > turn.now else {
      throw Refusal(
        .malformed, "Flag \(key) would have expired on \(definition.expiry.iso8601): say until when it is needed.")
    }
    guard definition.size <= FlagDefinition.sizeLimit else {
      throw Refusal(
        .malformed,
        "Flag \(key) has \(definition.size) bytes, more than \(FlagDefinition.sizeLimit): move lists into segments.")
    }
    guard !definition.owner.isEmpty, !definition.variants.isEmpty else {
      throw Refusal(.malformed, "Flag \(key) needs an owner and variants: give both.")
    }
    guard !definition.prerequisites.contains(key) else {
      throw Refusal(.malformed, "Flag \(key) has itself as a prerequisite: leave that out.")
    }
  }

  private static func placement(
    in environment: EnvironmentName, _ key: FlagKey, _ state: State
  ) throws(Refusal) -> Placement {
    if let placement = state.placement(in: environment) { return placement }
    let names = state.placements.map(\.environment.rawValue)
    let near = nearestMatch(to: environment.rawValue, among: names).map { "; did you mean \($0)" } ?? ""
    throw Refusal(.unknown, "Flag \(key) is not placed in \(environment)\(near): switch it on there first.")
  }

  private static func course(
    in environment: EnvironmentName, _ state: State
  ) throws(Refusal) -> (placement: Placement, course: Course) {
    let key = try liveKey(in: state)
    let placement = try placement(in: environment, key, state)
    guard let course = placement.course else {
      throw Refusal(.notNow, "No ramp of flag \(key) is under way in \(environment): start one.")
    }
    return (placement, course)
  }
}
