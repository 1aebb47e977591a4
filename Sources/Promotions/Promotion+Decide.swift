import Kernel

extension Promotion {
  /// The longest reason kept in an event, in characters; whole logs are in the blob store.
  package static let longestReason = 300

  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    switch input {
    case .begin(let order): begin(order, state.phase)
    case .built(let result): built(result, state.phase)
    case .buildFailed(let reason, let log): buildFailed(reason, log, state.phase)
    case .provenanceFound(let environment, let finding): provenanceFound(environment, finding, state.phase, turn.now)
    case .schemaGranted(let environment): schemaGranted(environment, state.phase, turn.now)
    case .schemaRefused(let environment, let reason): schemaRefused(environment, reason, state.phase)
    case .schemaReconsidered(let environment): schemaReconsidered(environment, state.phase)
    case .taken(let environment): taken(environment, state.phase, turn.now)
    case .superseded(let environment, let commit, let below): superseded(environment, commit, below, state.phase)
    case .withdrawn(let environment): withdrawn(environment, state.phase)
    case .condemned(let environment, let reason): condemned(environment, reason, state.phase)
    case .served(let environment, let digest, let at): served(environment, digest, at, state.phase, turn.now)
    case .checked(let environment, let name, let report): checked(environment, name, report, state.phase, turn.now)
    case .woke(let key): woke(key, state.phase, turn.now)
    case .promote(let request): try promote(request, state)
    case .exhausted(let key, let why): exhausted(key, why, state)
    }
  }

  // MARK: Build

  private static func begin(_ order: Order, _ phase: Phase) -> [Event] {
    switch phase {
    case .idle:
      return [.begun(order)]
    // A build that failed fails again: a fix is another commit.
    case .unbuilt:
      return []
    case .building(let known), .buildHalted(let known, _):
      return order.ordinal > known.ordinal ? [.renewed(known.renewed(by: order))] : []
    case .promoting(let course, _, _), .halted(let course, _), .completed(let course):
      guard order.ordinal > course.order.ordinal, course.distrust == nil else { return [] }
      let renewed = Event.renewed(course.order.renewed(by: order))
      return order.stages.isEmpty ? [renewed, .completed] : [renewed]
    }
  }

  private static func built(_ result: BuildResult, _ phase: Phase) -> [Event] {
    switch phase {
    case .idle, .unbuilt:
      return []
    case .building(let order), .buildHalted(let order, _):
      return order.stages.isEmpty ? [.built(result), .completed] : [.built(result)]
    case .promoting(let course, _, _), .halted(let course, _), .completed(let course):
      guard result.artifact.digest != course.digest, course.distrust == nil else { return [] }
      // One commit has one digest (article, "Artifact Promotion Through Environments"): a second one means that
      // neither is known to be what was tested.
      let reason =
        "\(course.order.subject) is not reproducible: it was built as \(course.digest.short) and again as "
        + "\(result.artifact.digest.short); make the build depend on the commit alone and land that"
      return [.buildFailed(reason: reason, log: result.log), .halted(reason: reason)]
    }
  }

  private static func buildFailed(_ reason: String, _ log: Digest?, _ phase: Phase) -> [Event] {
    switch phase {
    case .building, .buildHalted: [.buildFailed(reason: clipped(reason), log: log)]
    case .idle, .unbuilt, .promoting, .halted, .completed: []
    }
  }

  // MARK: Gate and environment

  private static func provenanceFound(
    _ environment: EnvironmentName, _ finding: ProvenanceFinding, _ phase: Phase, _ now: Instant
  ) -> [Event] {
    switch phase {
    case .idle, .building, .unbuilt, .buildHalted, .halted, .completed:
      return []
    case .promoting(let course, let index, .verifying):
      let stage = course.stages[index]
      guard stage.environment == environment else { return [] }
      switch finding {
      case .verified(let builder):
        let verified = Event.provenanceVerified(environment: environment, builder: builder)
        guard let database = course.order.stages[index].database else {
          return [verified, request(course, index, now)]
        }
        let ask = SchemaAsk(course.order, digest: course.digest, environment: environment, database: database)
        return [verified, .schemaAsked(ask)]
      case .rejected(let reason):
        let reason = clipped(reason)
        return [
          .provenanceRejected(environment: environment, reason: reason),
          .halted(
            reason: "\(course.order.subject) may not go to \(environment): its provenance was rejected: \(reason)"),
        ]
      }
    case .promoting(_, _, .fitting), .promoting(_, _, .requested), .promoting(_, _, .taken),
      .promoting(_, _, .checking), .promoting(_, _, .soaking):
      return []
    }
  }

  private static func request(_ course: Course, _ index: Int, _ now: Instant) -> Event {
    let stage = course.stages[index]
    return .requested(
      Request(
        course.order, environment: stage.environment, artifact: course.build.artifact, override: stage.override,
        at: now))
  }

  private static func schemaGranted(_ environment: EnvironmentName, _ phase: Phase, _ now: Instant) -> [Event] {
    switch phase {
    case .promoting(let course, let index, .fitting) where course.stages[index].environment == environment:
      [.schemaGranted(environment: environment, at: now), request(course, index, now)]
    case .promoting, .idle, .building, .unbuilt, .buildHalted, .halted, .completed:
      []
    }
  }

  private static func schemaRefused(_ environment: EnvironmentName, _ reason: String, _ phase: Phase) -> [Event] {
    switch phase {
    case .promoting(let course, let index, .fitting) where course.stages[index].environment == environment:
      let reason = clipped(reason)
      let database = course.order.stages[index].database.map(\.rawValue) ?? "its database"
      return [
        .schemaRefused(environment: environment, reason: reason),
        .halted(
          reason: "\(course.order.subject) may not go to \(environment), because \(database) refused it: "
            + "\(reason.withoutStop); promote again when that is mended or overridden"),
      ]
    case .promoting, .idle, .building, .unbuilt, .buildHalted, .halted, .completed:
      return []
    }
  }

  /// Who was refused for want of knowledge need not be promoted again by a person when more is known.
  private static func schemaReconsidered(_ environment: EnvironmentName, _ phase: Phase) -> [Event] {
    guard case .halted(let course, _) = phase, course.distrust == nil, let next = course.next,
      course.stages[next].environment == environment, case .schemaRefused? = course.stages[next].setback
    else { return [] }
    return [.schemaReconsidered(environment: environment)]
  }

  private static func taken(_ environment: EnvironmentName, _ phase: Phase, _ now: Instant) -> [Event] {
    switch phase {
    case .promoting(let course, let index, .requested) where course.stages[index].environment == environment:
      [.taken(environment: environment, at: now)]
    case .promoting, .idle, .building, .unbuilt, .buildHalted, .halted, .completed:
      []
    }
  }

  private static func superseded(
    _ environment: EnvironmentName, _ commit: CommitID, _ below: Int64, _ phase: Phase
  ) -> [Event] {
    switch phase {
    case .promoting(let course, let index, let step) where course.stages[index].environment == environment:
      // The trunk has come back to this commit since: what was superseded is its earlier offer.
      guard course.order.ordinal < below else { return [] }
      // Before it asks, an answer can only be about an earlier attempt. After it asked, a newer commit may take the
      // environment at any time, also from under a running check, whose result would then be about the newer one.
      return step == .verifying || step == .fitting
        ? []
        : [
          .superseded(environment: environment, by: commit),
          .halted(reason: "superseded in \(environment) by \(commit.short)"),
        ]
    case .promoting, .idle, .building, .unbuilt, .buildHalted, .halted, .completed:
      return []
    }
  }

  private static func withdrawn(_ environment: EnvironmentName, _ phase: Phase) -> [Event] {
    switch phase {
    case .promoting(let course, let index, _) where course.stages[index].environment == environment:
      [
        .halted(
          reason: "plimsoll.yaml no longer names \(environment) for \(course.order.service); add it again and promote, "
            + "or land a change, which goes the new way")
      ]
    case .promoting, .idle, .building, .unbuilt, .buildHalted, .halted, .completed:
      []
    }
  }

  private static func condemned(_ environment: EnvironmentName, _ reason: String, _ phase: Phase) -> [Event] {
    let reason = clipped(reason)
    let event = Event.condemned(environment: environment, reason: reason)
    let halt = Event.halted(reason: "condemned in \(environment): \(reason)")
    switch phase {
    case .idle, .building, .unbuilt, .buildHalted:
      return []
    case .promoting(let course, let current, _):
      guard let index = course.index(of: environment), course.stages[index].isNotYetCondemned else { return [] }
      // What is bad behind us, or here, goes no further.
      return index <= current ? [event, halt] : [event]
    case .halted(let course, _):
      guard let index = course.index(of: environment), course.stages[index].isNotYetCondemned else { return [] }
      return [event]
    case .completed(let course):
      guard let index = course.index(of: environment), course.stages[index].isNotYetCondemned else { return [] }
      return [event, halt]
    }
  }

  private static func served(
    _ environment: EnvironmentName, _ digest: Digest, _ at: Instant, _ phase: Phase, _ now: Instant
  ) -> [Event] {
    switch phase {
    case .idle, .building, .unbuilt, .buildHalted, .halted, .completed,
      .promoting(_, _, .verifying), .promoting(_, _, .fitting), .promoting(_, _, .checking),
      .promoting(_, _, .soaking):
      return []
    case .promoting(let course, let index, .requested), .promoting(let course, let index, .taken):
      guard course.stages[index].environment == environment else { return [] }
      guard digest == course.digest else {
        return [
          .halted(
            reason: "\(environment) serves \(digest.short) instead of \(course.digest.short), which was promoted; "
              + "see that environment's rollout, then promote again")
        ]
      }
      var events: [Event] = []
      // `taken` and `served` come from one stream in order, but a rollout that is already there may answer at once.
      if course.stages[index].takenAt == nil { events.append(.taken(environment: environment, at: now)) }
      events.append(.served(environment: environment, at: at))
      return course.order.stages[index].checks.isEmpty ? events + checksPassed(course, index, now) : events
    }
  }

  // MARK: Checks and soak

  private static func checked(
    _ environment: EnvironmentName, _ name: CheckName, _ report: CheckReport, _ phase: Phase, _ now: Instant
  ) -> [Event] {
    switch phase {
    case .idle, .building, .unbuilt, .buildHalted, .halted, .completed,
      .promoting(_, _, .verifying), .promoting(_, _, .fitting), .promoting(_, _, .requested),
      .promoting(_, _, .taken), .promoting(_, _, .soaking):
      return []
    case .promoting(let course, let index, .checking(let checkIndex)):
      let stage = course.stages[index]
      let checks = course.order.stages[index].checks
      guard stage.environment == environment, checks[checkIndex].name == name else { return [] }
      // Begun before this attempt: it looked at an earlier deployment.
      guard let requestedAt = stage.requestedAt, report.startedAt >= requestedAt else { return [] }
      guard report.passed else {
        let reason = clipped(report.reason)
        return [
          .checkFailed(
            environment: environment, name: name, reason: reason, log: report.log, startedAt: report.startedAt,
            endedAt: report.endedAt),
          .halted(reason: "check \(name) failed in \(environment): \(reason); its log is \(report.log.short)"),
        ]
      }
      let passed = Event.checkPassed(
        environment: environment, name: name, log: report.log, startedAt: report.startedAt, endedAt: report.endedAt)
      return checkIndex + 1 < checks.count ? [passed] : [passed] + checksPassed(course, index, now)
    }
  }

  private static func checksPassed(_ course: Course, _ index: Int, _ now: Instant) -> [Event] {
    let stage = course.order.stages[index]
    return stage.soak > .zero
      ? [.soakBegan(environment: stage.environment, until: now + stage.soak)] : pass(course, index, now)
  }

  private static func woke(_ key: EffectKey, _ phase: Phase, _ now: Instant) -> [Event] {
    switch phase {
    case .idle, .building, .unbuilt, .buildHalted, .halted, .completed,
      .promoting(_, _, .verifying), .promoting(_, _, .fitting), .promoting(_, _, .requested),
      .promoting(_, _, .taken), .promoting(_, _, .checking):
      []
    case .promoting(let course, let index, .soaking(let until)):
      key == soakKey(course.stages[index].environment) && now >= until ? pass(course, index, now) : []
    }
  }

  private static func pass(_ course: Course, _ index: Int, _ now: Instant) -> [Event] {
    let passed = Event.passed(environment: course.stages[index].environment, at: now)
    guard let next = course.stages.indices.first(where: { $0 != index && course.stages[$0].passedAt == nil }) else {
      return [passed, .completed]
    }
    guard case .condemned(let reason)? = course.stages[next].setback else { return [passed] }
    let environment = course.stages[next].environment
    return [
      passed,
      .halted(reason: "condemned in \(environment): \(reason); promote it to \(environment) with an override"),
    ]
  }

  // MARK: What could not be done

  private static func exhausted(_ key: EffectKey, _ why: String, _ state: State) -> [Event] {
    guard let effect = effects(of: state).first(where: { $0.key == key }) else { return [] }
    let why = clipped(why)
    return switch effect {
    case .build: [.halted(reason: "the build could not be run: \(why); promote to try again")]
    case .verifyProvenance(let environment, _, _, _):
      [.halted(reason: "the provenance could not be read for \(environment): \(why); promote to try again")]
    case .check(let environment, let check, _, _, _, _):
      [.halted(reason: "check \(check.name) could not be run in \(environment): \(why); promote to try again")]
    // Persistent: it has no budget to use up.
    case .wake: []
    }
  }
}

extension String {
  /// For the middle of a sentence.
  var withoutStop: Substring { hasSuffix(".") ? dropLast() : self[...] }
}

extension Promotion.StageProgress {
  fileprivate var isNotYetCondemned: Bool { setback?.isCondemnation != true }
}
