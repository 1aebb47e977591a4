import Kernel
import Statistics
import Testing

@testable import Rollouts

@Suite("Rollout: error budgets") struct ErrorBudgetTests {
  typealias Facts = RolloutFacts

  private func serving() -> RolloutStory {
    var story = RolloutStory(Facts.policy(objectives: [Facts.objective]))
    story.deliver("a", 1)
    return story
  }

  private func order(_ story: RolloutStory) -> Rollout.BudgetOrder? {
    story.effects.lazy.compactMap { if case .watchBudget(let order) = $0 { order } else { nil } }.first
  }

  /// A look that finds so many errors in the last seconds of every window, at a request a second; nil finds nothing.
  @discardableResult
  private func look(_ story: inout RolloutStory, errors: Double?) -> [String] {
    story.pass(.minutes(1))
    guard let order = order(story) else { return ["nothing is watched"] }
    return story.give(Facts.looked(order, errors: errors, at: story.now))
  }

  /// One look at windows of which some hold as many errors.
  @discardableResult
  private func look(_ story: inout RolloutStory, _ errors: (Span) -> Double) -> [String] {
    story.pass(.minutes(1))
    let counts = BurnRate.windows(objectiveWindow: Facts.objective.window).map {
      WindowRatio(window: $0, requests: $0.seconds, errors: errors($0))
    }
    return story.give(
      .budgetLooked(
        number: order(story)?.number ?? 0, [BudgetReading(objective: "orders", answer: .counts(counts))],
        at: story.now))
  }

  private func standing(_ story: RolloutStory) -> BudgetStanding? { story.state.budget?.standings.first }

  @Test("is watched while an objective is configured, and by nobody else")
  func watched() {
    #expect(order(RolloutStory()) == nil)
    var story = serving()
    #expect(order(story) == Rollout.BudgetOrder(number: 1, objectives: [Facts.objective]))
    #expect(story.give(.configure(Facts.policy(objectives: [Facts.objective]))) == [])
    #expect(look(&story, errors: 0) == ["budgetNoted"])
    #expect(standing(story)?.gate == .open && standing(story)?.left == 1)
    story.give(.configure(Facts.policy()))
    #expect(order(story) == nil)
    let late = Rollout.BudgetOrder(number: 1, objectives: [Facts.objective])
    #expect(story.give(Facts.looked(late, errors: 1e9, at: story.now)) == [], "an answer to what nobody asks any more")
    story.give(.configure(Facts.policy(objectives: [Facts.objective])))
    #expect(order(story)?.number == 3, "begun anew")
    #expect(story.give(Facts.looked(late, errors: 1e9, at: story.now)) == [])
    story.give(.unconfigure)
    #expect(order(story) == nil)
    #expect(story.replayed == story.state)
  }

  @Test("a spent budget holds offers, and lets them go when it has recovered, not sooner")
  func spent() {
    var story = serving()
    look(&story, errors: 0)
    // 30 days at a request a second and 99.9 % leave 2,592 errors, long ago.
    let month = Facts.objective.window
    #expect(look(&story) { $0 == month ? 2_593 : 0 } == ["budgetNoted", "frozen"])
    #expect(story.state.frozen?.freeze.actor == "error budget")
    #expect(
      story.state.frozen?.freeze.reason
        == "the error budget of orders (99.9 % over 30 days): it is overspent by 0.04 %.")
    #expect(story.offer("b", 2) == ["offered"] && story.phase == "idle")
    #expect(Rollout.waitReason(story.state)?.contains("is frozen (error budget: the error budget of orders") == true)
    #expect(look(&story) { $0 == month ? 2_550 : 0 } == [], "1.6 % left is not recovered")
    #expect(standing(story)?.gate == .spent)
    #expect(look(&story) { $0 == month ? 2_540 : 0 } == ["budgetNoted", "thawed"])
    #expect(story.phase == "sealing" && standing(story)?.gate == .open)
    #expect(story.replayed == story.state)
  }

  @Test("a budget that burns fast halts a rollout at its step and its bake, and takes nothing back")
  func burning() {
    var story = serving()
    story.place("b", 2)
    story.route()
    let errors = { (window: Span) in min(60, window.seconds) }
    #expect(look(&story, errors) == ["budgetNoted", "frozen"])
    #expect(standing(story)?.gate == .burning)
    #expect(
      standing(story)?.sentence
        == "the error budget of orders (99.9 % over 30 days): 97.7 % of it is left; it is spent at 16.7x the even "
        + "pace over 1 h and 200x over 5 min, and 14.4x is the limit.")
    story.pass(.minutes(10))
    #expect(story.judge(Facts.good) == ["evidenceNoted"] && story.phase == "watching 0", "no step is passed")
    #expect(story.shares == "a=90 b=10", "nothing is taken back")
    // The long windows remember it for hours; calm are the short ones.
    #expect(look(&story) { $0 == .minutes(5) ? 0 : 60 } == [], "the half hour still has it")
    #expect(look(&story) { $0 < .minutes(31) ? 0 : 60 } == ["budgetNoted", "thawed"])
    story.judge(Facts.good)
    #expect(story.phase == "stepping 1")
    story.route()
    story.pass(.seconds(11))
    story.judge(Facts.good)
    story.route()
    #expect(story.phase == "finalWatch")
    look(&story, errors)
    story.pass(.minutes(10))
    story.judge(Facts.good)
    #expect(story.phase == "finalWatch")
    story.judge(Facts.bad())
    #expect(story.route().contains("restored"), "a rollback goes through")
  }

  @Test("no evidence closes nothing and opens nothing, and is said once")
  func unknown() {
    var story = serving()
    #expect(look(&story, errors: nil) == ["budgetNoted"])
    let began = story.now
    #expect(look(&story, errors: nil) == [])
    #expect(standing(story)?.missing == BudgetStanding.Missing(reason: "the server is away", since: began))
    #expect(standing(story)?.gate == .open && story.state.frozen == nil)
    #expect(look(&story, errors: 1e9) == ["budgetNoted", "frozen"])
    #expect(look(&story, errors: nil) == ["budgetNoted"])
    #expect(standing(story)?.gate == .spent && story.state.frozen != nil)
    #expect(standing(story)?.sentence?.contains("overspent") == true, "what was known last")
    #expect(look(&story) { _ in 0 } == ["budgetNoted", "thawed"])
    #expect(look(&story) { _ in 0 } == [])
    // Requests that stop are no sign of health.
    look(&story, errors: 1e9)
    story.pass(.minutes(1))
    let silent = BurnRate.windows(objectiveWindow: Facts.objective.window).map {
      WindowRatio(window: $0, requests: $0 < .minutes(31) ? 0 : 1e9, errors: 0)
    }
    let reading = BudgetReading(objective: "orders", answer: .counts(silent))
    #expect(story.give(.budgetLooked(number: 1, [reading], at: story.now)) == [])
    #expect(story.state.frozen != nil)
    let none = BudgetReading(objective: "orders", answer: .counts([]))
    #expect(story.give(.budgetLooked(number: 1, [none], at: story.now)) == ["budgetNoted"])
    #expect(standing(story)?.missing?.reason == "no request was counted in 30 days")
  }

  @Test("what a person froze stays frozen, and what a person thawed stays open until it is spent anew")
  func people() {
    var story = serving()
    story.freeze()
    #expect(look(&story, errors: 1e9) == ["budgetNoted"], "a person's freeze is not replaced")
    #expect(look(&story) { _ in 0 } == ["budgetNoted"], "nor thawed")
    #expect(story.state.frozen?.freeze.actor == "ada")
    look(&story, errors: 1e9)
    #expect(story.thaw() == ["thawed", "frozen"], "a person thawed their own freeze, not the budget's")
    #expect(story.thaw() == ["thawed"])
    #expect(look(&story, errors: 1e9) == [] && story.state.budget?.passedBy == "ada")
    #expect(story.offer("b", 2) == ["offered"] && story.phase == "sealing")
    look(&story) { _ in 0 }
    #expect(story.state.budget?.passedBy == nil)
    #expect(look(&story, errors: 1e9) == ["budgetNoted", "frozen"])
    // A person's freeze over the budget's is theirs to thaw.
    story.freeze()
    #expect(look(&story) { _ in 0 } == ["budgetNoted"] && story.state.frozen?.freeze.actor == "ada")
    let named = Rollout.Freeze(reason: "sale", actor: "error budget", until: nil)
    #expect(story.refusal(of: .freeze(named))?.kind == .malformed)
  }

  @Test("what waits does not go between a person's freeze that ends and a budget that closed meanwhile")
  func freezeEnds() {
    for isTimed in [false, true] {
      var story = serving()
      story.freeze(until: isTimed ? story.now + .minutes(5) : nil)
      story.offer("b", 2)
      #expect(look(&story, errors: 1e9) == ["budgetNoted"])
      #expect((isTimed ? story.wake() : story.thaw()) == ["thawed", "frozen"])
      #expect(story.phase == "idle" && story.state.pending == Facts.offer("b", 2), "nothing is started")
      #expect(story.state.freeze?.actor == "error budget" && story.state.budget?.passedBy == nil)
      #expect(look(&story, errors: 0) == ["budgetNoted", "thawed"] && story.phase == "sealing")
      #expect(story.replayed == story.state)
    }
    // A rollout that waits for its first step waits on.
    var placed = serving()
    placed.offer("b", 2)
    placed.seal(2)
    placed.freeze()
    placed.ready()
    placed.measure()
    look(&placed, errors: 1e9)
    #expect(placed.thaw() == ["thawed", "frozen"] && placed.phase == "placing")
  }

  /// The objective under another name or title.
  private func objective(name: String = "orders", title: String = "Orders are taken") -> Objective {
    let all = Facts.objective
    return Objective(
      name: name, title: title, service: all.service, target: all.target, window: all.window,
      indicator: all.indicator)
  }

  @Test("other objectives open nothing until they are known; a gate stays with its name")
  func reconfigured() {
    var story = serving()
    look(&story, errors: 1e9)
    story.offer("b", 2)
    let since = standing(story)?.since
    #expect(story.give(.configure(Facts.policy(objectives: [objective(title: "Orders")]))) == ["configured"])
    #expect(order(story)?.number == 2 && standing(story)?.gate == .spent)
    #expect(look(&story, errors: nil) == ["budgetNoted"] && story.phase == "idle")
    #expect(story.state.freeze?.actor == "error budget" && standing(story)?.since == since)
    // Under another name it is another one; the freeze stays until that is known.
    story.give(.configure(Facts.policy(objectives: [objective(name: "sales")])))
    #expect(standing(story) == nil)
    #expect(look(&story, errors: nil) == ["budgetNoted"] && look(&story, errors: nil) == [])
    #expect(story.state.freeze?.actor == "error budget")
    #expect(look(&story, errors: 0) == ["budgetNoted", "thawed"] && story.phase == "sealing")
    #expect(story.replayed == story.state)
  }

  @Test("who thawed is taken at their word also after the objective has another title")
  func passedOn() {
    var story = serving()
    look(&story, errors: 1e9)
    story.thaw()
    story.give(.configure(Facts.policy(objectives: [objective(title: "Orders")])))
    #expect(story.state.budget?.passedBy == "ada")
    #expect(look(&story, errors: 1e9) == ["budgetNoted"] && story.state.frozen == nil)
  }

  @Test("one that was never known keeps nothing frozen for another")
  func neverKnown() {
    var story = serving()
    let both = [Facts.objective, objective(name: "sales")]
    story.give(.configure(Facts.policy(objectives: both)))
    func looked(_ errors: Double) -> Rollout.Input {
      let windows = BurnRate.windows(objectiveWindow: Facts.objective.window).map {
        WindowRatio(window: $0, requests: $0.seconds, errors: min(errors, $0.seconds))
      }
      return .budgetLooked(
        number: order(story)?.number ?? 0, [BudgetReading(objective: "orders", answer: .counts(windows))],
        at: story.now)
    }
    #expect(story.give(looked(1e9)) == ["budgetNoted", "frozen"])
    #expect(story.give(looked(0)) == ["budgetNoted", "thawed"])
  }

  @Test("people are told of a freeze once, and not any more when it has thawed")
  func announced() {
    var story = serving()
    func told() -> [Announcement] { story.state.announcements.map(\.announcement) }
    look(&story, errors: 1e9)
    let first = told().first
    #expect(told().count == 1 && first?.kind == "frozen" && first?.path == "/services/harbor/production")
    #expect(first?.headline == "harbor in production takes no new version: an error budget is spent or burns fast")
    #expect(first?.facts.first?.value == "plimsoll promote harbor COMMIT --override --reason TEXT")
    look(&story, errors: nil)
    look(&story, errors: 1e9)
    #expect(told() == [first], "once")
    look(&story, errors: 0)
    #expect(told() == [], "nobody needs to hear of it now")
    // Where a rollout is halted, an override would only wait.
    story.place("b", 2)
    story.route()
    look(&story, errors: 1e9)
    #expect(told().map(\.headline).first?.contains("rollout 2 is halted") == true)
    #expect(told().map(\.path) == ["/rollouts/harbor/production/2"] && told().first?.id != first?.id)
    #expect(told().first?.facts.contains { $0.value.contains("--override") } == false)
    #expect(Rollout.waitReason(story.state)?.contains("run 'plimsoll rollback harbor production' first") == true)
    #expect(story.offer("c", 3, override: true) == ["offered"] && story.phase == "watching 0", "as it says")
    #expect(story.give(.announced(id: told().first?.id ?? "", target: 0)) == ["announced"] && told() == [])
    story.rollBack()
    story.route()
    story.collect()
    #expect(story.phase == "sealing", "the override goes when the halted one is gone")
    #expect(story.replayed == story.state)
  }

  @Test("fewer than ten errors freeze nothing, whatever share they are")
  func few() {
    var story = serving()
    func young(_ errors: Double) -> Rollout.Input {
      let windows = BurnRate.windows(objectiveWindow: Facts.objective.window).map {
        WindowRatio(window: $0, requests: 400, errors: errors)
      }
      return .budgetLooked(
        number: 1, [BudgetReading(objective: "orders", answer: .counts(windows))], at: story.now)
    }
    #expect(story.give(young(1)) == ["budgetNoted"] && story.state.frozen == nil)
    #expect(
      standing(story)?.sentence
        == "the error budget of orders (99.9 % over 30 days): it is overspent by 150.0 %; fewer than 10 bad "
        + "requests decide nothing.")
    #expect(story.give(young(9)) == [])
    #expect(story.give(young(10)) == ["budgetNoted", "frozen"])
  }

  @Test("what is not watched any more is thawed")
  func dropped() {
    var story = serving()
    look(&story, errors: 1e9)
    #expect(story.give(.configure(Facts.policy())) == ["configured", "thawed"])
    #expect(story.state.frozen == nil)
    #expect(story.replayed == story.state)
  }

  @Test("a note an hour while nothing changes")
  func notes() {
    var story = serving()
    look(&story, errors: 0)
    for _ in 0..<59 { #expect(look(&story, errors: 0) == []) }
    #expect(look(&story, errors: 0) == ["budgetNoted"])
  }

  @Test("an objective that cannot be met, or stands there twice, is refused")
  func faults() {
    let all = Objective(
      name: "all", title: "All", service: "shop", target: 1, window: .minutes(60), indicator: Facts.objective.indicator)
    #expect(Facts.policy(objectives: [all]).fault?.contains("above 0 and below 1") == true)
    #expect(Facts.policy(objectives: [Facts.objective, Facts.objective]).fault?.contains("twice") == true)
  }
}
