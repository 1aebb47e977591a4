import API
import ControlPlane
import Flags
import Hummingbird
import Kernel
import Promotions
import Ramps

/// Where a flag is on, what is to come, its ramps, and the kill. What takes something back is in the protect lane.
extension ChangingRoutes {
  func addPlaces(to router: some RouterMethods<BasicRequestContext>) {
    let lookup = lookup
    router.post("flags/:key/place") { request, context in
      let wish = try await Answer.body(FlagPlaceRequest.self, of: request)
      return try await change(request, Query(request, context), wish, lane: wish.on == false ? .protect : .progress) {
        flag, actor in
        let environment = try await lookup.flagEnvironment(wish.environment, of: flag.state)
        return .place(
          FeatureFlag.PlaceRequest(
            environment: environment, isOn: wish.on,
            override: try Self.override(wish.override, of: flag, segments: await lookup.segments()),
            by: FeatureFlag.Signature(actor: actor, reason: wish.reason)))
      }
    }
    router.post("flags/:key/schedule") { request, context in
      let wish = try await Answer.body(FlagScheduleRequest.self, of: request)
      return try await change(request, Query(request, context), wish) { flag, actor in
        .schedule(
          FeatureFlag.ScheduleRequest(
            at: Kernel.Instant(milliseconds: wish.atMs), change: try await scheduled(wish, flag.state),
            by: FeatureFlag.Signature(actor: actor, reason: wish.reason)))
      }
    }
    router.post("flags/:key/unschedule") { request, context in
      let wish = try await Answer.body(FlagUnscheduleRequest.self, of: request)
      return try await change(request, Query(request, context), wish) { _, actor in
        .unschedule(number: wish.number, FeatureFlag.Signature(actor: actor, reason: wish.reason))
      }
    }
    router.post("flags/:key/kill") { request, context in
      let wish = try await Answer.body(FlagKillRequest.self, of: request)
      return try await change(request, Query(request, context), wish, lane: .protect) { flag, actor in
        var environment: EnvironmentName?
        if let name = wish.environment { environment = try await lookup.flagEnvironment(name, of: flag.state) }
        return .kill(
          FeatureFlag.KillRequest(
            environment: environment, attributed: try await attribution(wish),
            announceTargets: await lookup.announceTargets(),
            by: FeatureFlag.Signature(actor: actor, reason: wish.reason)))
      }
    }
  }

  func addRamps(to router: some RouterMethods<BasicRequestContext>) {
    let lookup = lookup
    let backend = backend
    router.post("flags/:key/ramp") { request, context in
      let wish = try await Answer.body(FlagRampRequest.self, of: request)
      let query = Query(request, context)
      let (key, state) = try await lookup.flag(query.path("key"))
      let plan = try await plan(wish, state)
      // Told before it begins: the machine works it out again, with what it is told then.
      let traffic = await backend.usualTraffic(
        of: RampSource(
          flag: key, environment: plan.environment, variant: plan.variant, ramp: state.nextRamp,
          service: plan.service, policy: plan.policy))
      let stages = Views.stages(plan.policy, RampPlanning.forecasts(plan.policy, traffic)) { _ in "next" }
      return try await change(request, query, wish, stages: stages) { _, actor in
        .startRamp(plan, FeatureFlag.Signature(actor: actor, reason: wish.reason))
      }
    }
    let calls: [(RouterPath, Lane, @Sendable (EnvironmentName, FeatureFlag.Signature) -> FeatureFlag.Input)] = [
      ("advance", .progress, { .advance($0, $1) }), ("hold", .protect, { .hold($0, $1) }),
      ("resume", .progress, { .resume($0, $1) }), ("stop", .protect, { .stopRamp($0, $1) }),
    ]
    for (verb, lane, input) in calls {
      router.post("flags/:key/\(verb)") { request, context in
        let wish = try await Answer.body(FlagStageRequest.self, of: request)
        return try await change(request, Query(request, context), wish, lane: lane) { flag, actor in
          let environment = try await lookup.flagEnvironment(wish.environment, of: flag.state)
          if verb == "advance" { try Self.checkStage(wish.stage, of: flag, in: environment) }
          return input(environment, FeatureFlag.Signature(actor: actor, reason: wish.reason))
        }
      }
    }
  }

  /// Of two who advance at once, or of one who asks again after a lost answer, only one does.
  private static func checkStage(
    _ stage: Int?, of flag: (key: FlagKey, state: FeatureFlag.State), in environment: EnvironmentName
  ) throws(Refusal) {
    guard let course = flag.state.placement(in: environment)?.course else { return }
    guard let stage else {
      throw Refusal(
        .malformed, "The field 'stage' is missing: give the stage that you saw, which is \(course.stage) now.")
    }
    guard stage == course.stage else {
      throw Refusal(
        .notNow,
        "The ramp of \(flag.key) in \(environment) is at stage \(course.stage) by now, not \(stage): look, and decide "
          + "again.")
    }
  }

  private static func override(
    _ text: String?, of flag: (key: FlagKey, state: FeatureFlag.State), segments: [FlagDefinition.Member]
  ) throws -> [FlagDefinition.Member]? {
    guard let text else { return nil }
    let sent = try FlagDraft.reading { () throws(FlagRefusal) in
      try MemberTexts(text, subject: "the override of flag `\(flag.key)`", limit: FlagDefinition.sizeLimit)
    }
    let known = FeatureFlag.PlaceRequest.overridable
    for member in sent.members where !known.contains(member.name) {
      let near = nearestMatch(to: member.name, among: known).map { "did you mean \($0)?" }
      throw Refusal(
        .malformed,
        "Line \(member.line), column \(member.column): '\(Lookup.shown(member.name))' of flag \(flag.key) is the same "
          + "everywhere: \(near ?? "override \(known.joined(separator: " or ")), or edit the flag.")")
    }
    let override = sent.members.map { FlagDefinition.Member(name: $0.name, json: $0.json) }
    guard !override.isEmpty, let definition = flag.state.definition else { return override }
    if let finding = FlagDraft.finding(in: override, over: definition, of: flag.key, segments: segments) {
      // The places are those of a text that the sender never saw.
      let placeless = FlagRefusal(
        finding.subject, finding.cause, next: finding.nextStep, unknown: finding.unknown, known: finding.known)
      throw Refusal(.malformed, FlagDraft.words(placeless))
    }
    return override
  }

  // MARK: Plans

  /// Half a second: what most services promise for nearly all requests.
  private static let usualSlowness = Span.seconds(0.5)
  private static let usualWindow = Span.minutes(2)

  private func scheduled(
    _ wish: FlagScheduleRequest, _ state: FeatureFlag.State
  ) async throws -> FeatureFlag.ScheduledChange {
    if let ramp = wish.ramp {
      guard wish.on == nil else { throw Refusal(.malformed, "A schedule has `on` or `ramp`, not both: send two.") }
      return .ramp(try await plan(ramp, state))
    }
    guard let isOn = wish.on, let environment = wish.environment else {
      throw Refusal(.malformed, "A schedule needs `environment` and `on`, or `ramp`: say what is to happen.")
    }
    return .place(try await lookup.flagEnvironment(environment, of: state), isOn: isOn)
  }

  private func plan(_ wish: FlagRampRequest, _ state: FeatureFlag.State) async throws -> RampPlan {
    let environment = try await lookup.flagEnvironment(wish.environment, of: state)
    let least = wish.leastMs.map(Span.init(milliseconds:))
    if let least, least < .zero { throw Refusal(.malformed, "The field 'leastMs' is below 0: give a time.") }
    for percent in wish.stages ?? [] where !(RampPolicy.smallestPercent...100).contains(percent) {
      throw Refusal(
        .malformed,
        "The field 'stages' has \(Views.number(percent)): give percents from \(RampPolicy.smallestPercent) to 100.")
    }
    let stages = (wish.stages ?? RampPolicy.defaultStages.map(\.percent)).map { percent in
      RampPolicy.Stage(percent: percent, least: least ?? RampPolicy.defaultStages[0].least)
    }
    let guardrails =
      try wish.guardrails.map { try $0.map(Self.guardrail) }
      ?? [
        Guardrail("errors", .errors), Guardrail("latency", .latency(slowerThan: Self.usualSlowness)),
      ]
    guard guardrails.count <= RampPolicy.mostGuardrails else {
      throw Refusal(
        .malformed, "A ramp has at most \(RampPolicy.mostGuardrails) guardrails, not \(guardrails.count): name fewer.")
    }
    var service = state.definition?.service
    if let name = wish.service { service = try await lookup.service(name).name }
    let plan = RampPlan(
      environment: environment, variant: wish.variant, policy: RampPolicy(stages: stages, guardrails: guardrails),
      patience: wish.patienceMs.map(Span.init(milliseconds:)) ?? RampPlan.defaultPatience, service: service,
      announceTargets: await lookup.announceTargets())
    // Before anything is worked out with its times.
    if let fault = RampPlanning.fault(plan) { throw Refusal(.malformed, fault) }
    return plan
  }

  private static func guardrail(_ wish: FlagGuardrailRequest) throws -> Guardrail {
    let measure: Guardrail.Measure
    switch wish.measure {
    case "errors": measure = .errors
    case "latency": measure = .latency(slowerThan: wish.slowerThanMs.map(Span.init(milliseconds:)) ?? usualSlowness)
    case "conversion": measure = .conversion(within: wish.withinMs.map(Span.init(milliseconds:)) ?? usualWindow)
    default: throw Lookup.unknown("measure", wish.measure, among: ["conversion", "errors", "latency"])
    }
    let counting = wish.counting ?? Guardrail.Counting.units.rawValue
    guard let counted = Guardrail.Counting(rawValue: counting) else {
      throw Lookup.unknown("counting", counting, among: ["requests", "units"])
    }
    for (name, factor) in [("limit", wish.limit), ("detect", wish.detect)] {
      if let factor, factor < 1 {
        throw Refusal(.malformed, "'\(name)' of guardrail \(wish.measure) is below 1: give a factor, such as 2.")
      }
    }
    return Guardrail(
      wish.name ?? wish.measure, measure, limit: wish.limit ?? 1, detect: wish.detect ?? Guardrail.defaultDetect,
      counting: counted)
  }

  private func attribution(_ wish: FlagKillRequest) async throws -> FeatureFlag.Attribution? {
    guard let text = wish.attributed else {
      guard wish.service == nil else {
        throw Refusal(.malformed, "The field 'attributed' is missing: give the digest of \(wish.service ?? ""), too.")
      }
      return nil
    }
    guard let name = wish.service else {
      throw Refusal(.malformed, "The field 'service' is missing: say whose version '\(Lookup.shown(text))' is.")
    }
    let service = try await lookup.service(name).name
    let known = await lookup.builds().filter { $0.order.service == service }.compactMap { $0.state.course?.digest }
    return FeatureFlag.Attribution(
      service: service, digest: try Lookup.digest(text, among: known, "version of \(service)"))
  }
}
