import Kernel

extension Promotion {
  /// The one request: send it on after a halt, with reasons when it may not.
  static func promote(_ request: PromoteRequest, _ state: State) throws(Refusal) -> [Event] {
    switch state.phase {
    case .idle:
      throw Refusal(.unknown, "Nothing is known of this build: its commit has not landed; submit its branch first.")
    case .building(let order):
      _ = try named(request.environment, order)
      throw Refusal(.notNow, "\(order.subject) is not built yet; it goes on by itself when it is.")
    case .unbuilt(let order, let failure):
      _ = try named(request.environment, order)
      throw Refusal(.notNow, "\(order.subject) was not built: \(failure.reason); land a fix and promote that.")
    case .buildHalted(let order, let reason):
      if let index = try named(request.environment, order), index > 0 {
        let first = order.stages[0].environment
        throw Refusal(
          .notNow, "\(order.subject) was not built: \(reason); promote it to \(first), which builds it first.")
      }
      return [.resumed(Resumption(environment: nil, override: request.override, reason: clipped(request.reason)))]
    case .promoting(let course, let stage, _):
      let target = try target(of: request, course)
      guard target != stage else {
        throw Refusal(
          .notNow,
          "\(course.order.subject) is already on its way to \(course.stages[stage].environment): "
            + "\(waitReason(state))")
      }
      throw Refusal(.notNow, "\(course.order.subject) has not come that far: \(waitReason(state))")
    case .halted(let course, _):
      return try resume(request, course)
    case .completed(let course):
      _ = try target(of: request, course)
      throw Refusal(.notNow, "\(course.order.subject) has passed every environment; there is none left to promote to.")
    }
  }

  private static func resume(_ request: PromoteRequest, _ course: Course) throws(Refusal) -> [Event] {
    if let distrust = course.distrust { throw Refusal(.notNow, "\(distrust).") }
    let stage = course.stages[try target(of: request, course)]
    if case .condemned(let reason)? = stage.setback, !request.override {
      throw Refusal(
        .notNow,
        "\(course.order.subject) was condemned in \(stage.environment): \(reason); land a fix, or promote "
          + "with an override if you know better.")
    }
    let reason = clipped(request.reason)
    return [
      .resumed(Resumption(environment: stage.environment, override: request.override, reason: reason))
    ]
  }

  /// The stage asked for: not passed itself, while all before it have.
  private static func target(of request: PromoteRequest, _ course: Course) throws(Refusal) -> Int {
    let next = course.next
    guard let target = try named(request.environment, course.order) ?? next else {
      throw Refusal(.notNow, "\(course.order.subject) has passed every environment; there is none left to promote to.")
    }
    let environment = course.stages[target].environment
    guard let next, course.stages[target].passedAt == nil else {
      throw Refusal(
        .notNow,
        "\(course.order.subject) has already passed \(environment); to bring it back there over a newer one, "
          + "roll back to it.")
    }
    guard target == next else {
      let before = course.stages[next]
      let why = before.setback?.sentence ?? "it is not through there yet"
      throw Refusal(
        .notNow, "\(before.environment) has not passed: \(why); promote to \(environment) after it passes.")
    }
    return target
  }

  /// The index of a named environment; nil when none is named.
  private static func named(_ environment: EnvironmentName?, _ order: Order) throws(Refusal) -> Int? {
    guard let environment else { return nil }
    if let index = order.stages.firstIndex(where: { $0.environment == environment }) { return index }
    let known = order.stages.map(\.environment.rawValue)
    let hint =
      nearestMatch(to: environment.rawValue, among: known).map { "did you mean \($0)?" }
      ?? "it goes to \(known.joined(separator: ", "))."
    throw Refusal(.unknown, "\(order.service) has no environment \(environment); \(hint)")
  }

  /// The first line of `reason`, at most `longestReason` characters.
  static func clipped(_ reason: String) -> String {
    let line = reason.split(whereSeparator: \.isNewline).first.map(String.init) ?? "no reason was given"
    return line.count <= longestReason ? line : line.prefix(longestReason - 1) + "…"
  }

  /// Why it is where it is, in one sentence for a person.
  package static func waitReason(_ state: State) -> String {
    switch state.phase {
    case .idle:
      return "Its commit has not landed yet."
    case .building:
      return "It is being built."
    case .unbuilt(_, let failure):
      return "It was not built: \(failure.reason)."
    case .buildHalted(_, let reason), .halted(_, let reason):
      return "It halted: \(reason)."
    case .completed(let course):
      return course.stages.isEmpty
        ? "It is built and has no environment to go to." : "It has passed every environment."
    case .promoting(let course, let index, let step):
      let environment = course.stages[index].environment
      switch step {
      case .verifying:
        return "Its provenance is being verified for \(environment)."
      case .fitting:
        let database = course.order.stages[index].database.map(\.rawValue) ?? "its database"
        return "Whether all that lives on \(database) in \(environment) bears its migrations is being found out; "
          + "what fits is applied."
      case .requested:
        return "It waits for \(environment) to take it; rollouts there go one at a time."
      case .taken:
        return "It is being rolled out in \(environment)."
      case .checking(let check):
        let checks = course.order.stages[index].checks
        return "Check \(checks[check].name) runs in \(environment), \(check + 1) of \(checks.count)."
      case .soaking:
        let soak = course.order.stages[index].soak.milliseconds / 1000
        return "It serves in \(environment) and soaks there for \(soak) s before it goes on."
      }
    }
  }
}
