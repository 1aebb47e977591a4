import ControlPlane
import Kernel
import Rollouts

/// What people meet beside plain sailing.
extension Harbor {
  /// Nothing more is watched once a person is asked: the watch never ends by itself.
  private static let untilAsked: @Sendable (StreamEffect, Harbor) -> Bool = { effect, harbor in
    guard case .delivery(.watch) = effect, case .delivery(let state)? = harbor.states[Harbor.inProduction],
      case .gated = state.phase
    else { return false }
    return true
  }

  /// What production knows.
  var production: Rollout.State {
    guard case .delivery(let state)? = states[Self.inProduction] else { return Rollout.initial }
    return state
  }

  mutating func ask(_ input: Rollout.Input, actor: String = "ada") throws {
    try tell(Self.inProduction, .delivery(input), cause: .request(id: "story"), actor: actor)
  }

  /// The second version stands at 50 % and waits for somebody's word.
  static func gated() throws -> Harbor {
    var harbor = Harbor(
      steps: [
        Rollout.Step(0, instances: 1), Rollout.Step(10, instances: 1, minimum: .seconds(12), detect: 50),
        Rollout.Step(50, approval: true), Rollout.Step(100),
      ], holdback: 5, preview: .header(name: "X-Preview", value: "yes"))
    try harbor.open()
    harbor.pass(.minutes(20))
    harbor.isHeld = untilAsked
    try harbor.submit("tide-table", "Show the tide table on the quay page")
    try harbor.settle()
    harbor.pass(.minutes(3))
    return harbor
  }

  /// The second version has too little traffic to be judged, and time is up.
  static func askedForEvidence() throws -> Harbor {
    var harbor = Harbor(scarcity: .ask(after: .seconds(30)), requestsPerSecond: 2)
    try harbor.open()
    harbor.pass(.minutes(20))
    harbor.isHeld = untilAsked
    try harbor.submit("tide-table", "Show the tide table on the quay page")
    try harbor.settle()
    harbor.pass(.minutes(3))
    return harbor
  }

  /// At its first step, held for the weekend.
  static func frozen() throws -> Harbor {
    var harbor = try rich()
    try harbor.ask(
      .freeze(
        Rollout.Freeze(
          reason: "The regatta: nobody changes the locks", actor: "ada", until: harbor.now + .minutes(2 * 24 * 60))))
    harbor.pass(.minutes(6))
    return harbor
  }

  /// Two objectives: one is spent, or known no more; nobody has ever seen the other. A version waits.
  static func spent(thenUnknown: Bool = false) throws -> Harbor {
    let month = Span.minutes(30 * 1440)
    let objectives = ["orders", "quays"].map {
      Objective(
        name: $0, title: "All \($0) are taken", service: "shop", target: 0.999, window: month,
        indicator: .bad(query: "bad", total: "all", areCounters: true))
    }
    var harbor = Harbor(objectives: objectives)
    try harbor.open()
    let counts = [5, 30, 60, 120, 360, 1440, 4320, 43_200].map { minutes in
      WindowRatio(window: .minutes(minutes), requests: minutes * 60, errors: minutes == 43_200 ? 5_184 : 0)
    }
    func look(_ answer: WindowAnswer) throws {
      harbor.pass(.minutes(5))
      try harbor.ask(
        .budgetLooked(
          number: 1,
          [
            BudgetReading(objective: "orders", answer: answer),
            BudgetReading(objective: "quays", answer: .unknown("the query 'all' found no series")),
          ], at: harbor.now), actor: "plimsoll")
    }
    try look(.counts(counts))
    try harbor.submit("tide-table", "Show the tide table on the quay page")
    try harbor.settle()
    if thenUnknown { try look(.unknown("prometheus: it answered 503")) }
    harbor.pass(.minutes(1))
    return harbor
  }

  /// Two good versions, and a drill of the way back.
  static func drilled() throws -> Harbor {
    var harbor = Harbor()
    try harbor.open()
    harbor.pass(.minutes(20))
    try harbor.submit("tide-table", "Show the tide table on the quay page")
    try harbor.settle()
    harbor.pass(.minutes(20))
    try harbor.ask(.drill(actor: "ada", reason: "Friday's drill"))
    try harbor.settle()
    harbor.pass(.minutes(1))
    return harbor
  }
}
