import ControlPlane
import Kernel
import MergeQueues
import Rollouts

/// What the exhaustive mode tells: one story for each way a rollout can go. All end alike: a change that passes every
/// test and fails for users is taken back.
package enum Plot: String, CaseIterable, Sendable {
  /// Three steps.
  case canary
  /// The old version keeps a share to the end.
  case holdback
  case oneInstanceFirst = "one-instance-first"
  /// With a preview, and a person who lets it go on.
  case blueGreen = "blue-green"
  case allAtOnce = "all-at-once"
  /// A person lets a step go on.
  case gated
  /// Each rollout drills first; and a person asks for a drill.
  case drilled
  /// A person freezes production while a good version is on its way, and thaws it.
  case frozen
  /// A person rolls the good version back before the bad one comes.
  case byHand = "by-hand"
  /// The same in the middle of a drill.
  case byHandInDrill = "by-hand-in-drill"
  /// plimsoll.yaml names production no more for a while.
  case leaving
  /// The same, for a moment only, while the very first version is on its way: nothing is known good to return to.
  case leavingFirst = "leaving-first"
  /// Someone forces the trunk back to where it was.
  case forcedBack = "forced-back"
  /// Three changes wait together, and the one in the middle is red.
  case batch

  var plan: SimulatedSettings.Plan {
    switch self {
    case .canary, .frozen, .byHand, .byHandInDrill, .leaving, .leavingFirst, .forcedBack, .batch: .canary
    case .holdback: .holdback
    case .oneInstanceFirst: .oneInstanceFirst
    case .blueGreen: .blueGreen
    case .allAtOnce: .allAtOnce
    case .gated: .gated
    case .drilled: .drilled
    }
  }

  /// The changes that the serving version holds.
  var servesAtTheEnd: [Int] {
    switch self {
    case .canary, .holdback, .oneInstanceFirst, .blueGreen, .allAtOnce, .gated, .drilled, .leaving, .leavingFirst: [0]
    case .frozen: [0, 1]
    case .byHand, .byHandInDrill, .forcedBack: []
    case .batch: [0, 1, 3]
    }
  }
  var trunkAtTheEnd: [Int] {
    switch self {
    case .forcedBack: [1]
    case .byHand, .byHandInDrill: [0, 1]
    case .batch: [0, 1, 3, 4]
    case .canary, .holdback, .oneInstanceFirst, .blueGreen, .allAtOnce, .gated, .drilled, .leaving, .leavingFirst,
      .frozen:
      servesAtTheEnd + [servesAtTheEnd.count]
    }
  }
}

/// The one who tells a story: asks again until the ledger shows that what was asked is done, as a person would.
final class ScriptedStory {
  /// One thing after another.
  private enum Act {
    case configure(SimulatedSettings.Absence?)
    /// The trunk as found serves.
    case begin
    case deploy(SimulatedChange)
    /// The trunk as found gets requests, and is not known good yet.
    case beginFirst
    /// Named no more and named again, before the router can have been told.
    case blink
    /// On its way, at a step.
    case send(SimulatedChange)
    case freeze
    case thaw(after: Span)
    case drill
    /// Requests are there, and not back yet.
    case beginDrill
    case rollBackByHand
    case forceBack
    /// Submitted together; those that are red leave.
    case land([SimulatedChange])
    case takenBack(SimulatedChange)
  }

  private let plot: Plot
  private let simulation: Simulation
  private let acts: [Act]
  private var current = 0
  private var actBegan = Span.zero
  private var heads: [Int: CommitID] = [:]
  private let firstTrunk: CommitID

  init(_ plot: Plot, _ simulation: Simulation) {
    self.plot = plot
    self.simulation = simulation
    firstTrunk = simulation.world.forge.trunk
    let middle: [Act] =
      switch plot {
      case .canary, .holdback, .oneInstanceFirst, .blueGreen, .allAtOnce, .gated: []
      case .drilled: [.drill]
      case .frozen:
        [.send(SimulatedChange(id: 1)), .freeze, .thaw(after: .seconds(20)), .deploy(SimulatedChange(id: 1))]
      case .byHand: [.rollBackByHand]
      case .byHandInDrill: [.beginDrill, .rollBackByHand]
      case .leaving: [.configure(.production), .configure(nil)]
      case .forcedBack: [.forceBack]
      case .leavingFirst: []
      case .batch:
        [.land([SimulatedChange(id: 1), SimulatedChange(id: 2, failsTests: true), SimulatedChange(id: 3)])]
      }
    let bad = SimulatedChange(id: plot == .batch ? 4 : plot == .frozen ? 2 : 1, behaviour: .failing)
    let beginning: [Act] = plot == .leavingFirst ? [.beginFirst, .blink] : [.begin]
    acts = [.configure(nil)] + beginning + [.deploy(SimulatedChange(id: 0))] + middle + [.takenBack(bad)]
  }

  /// The bad change has been taken back and people were told why.
  var isTold: Bool { current == acts.count }

  func goOn() {
    while current < acts.count, isDone(acts[current]) {
      current += 1
      actBegan = simulation.elapsed
    }
    guard current < acts.count else { return }
    ask(acts[current])
    simulation.attend()
    simulation.world.agenda.after(.seconds(1)) { [self] in goOn() }
  }

  private var state: Rollout.State? {
    guard case .delivery(let state)? = simulation.ledger.folded(SimulatedNames.productionDelivery) else { return nil }
    return state
  }

  private var line: [Int] {
    guard case .queue(let queue)? = simulation.ledger.folded(SimulatedNames.queue) else { return [] }
    return queue.entries.map(\.id)
  }

  private var hasLeft: Bool {
    simulation.ledger.events.contains { recorded in
      guard case .delivery(.unconfigured) = recorded.event else { return false }
      return recorded.stream == SimulatedNames.productionDelivery
    }
  }

  private func content(_ deployment: Deployment) -> [Int] { simulation.world.forge.content(of: deployment.commit) }

  private func isDone(_ act: Act) -> Bool {
    guard let state else { return false }
    let served = state.knownGood.first.map { content($0.deployment) }
    switch act {
    case .configure(nil): return state.policy != nil && !state.isRetired
    // A file is read again only when the server starts, so what was to be stopped has stopped by then.
    case .configure(.some): return state.isRetired && state.retiring.isEmpty
    case .begin: return served == []
    case .beginFirst: return served == [] || state.live?.exposedSince != nil
    case .blink: return hasLeft && state.policy != nil && !state.isRetired && state.retiring.isEmpty
    case .deploy(let change): return served?.contains(change.id) ?? false
    case .send(let change):
      return state.step != nil && state.live.map { content($0.canary).contains(change.id) } ?? false
    case .freeze: return state.frozen != nil
    case .thaw: return state.frozen == nil
    case .drill:
      return state.history.contains { if case .drilled = $0.outcome { true } else { false } } && state.running == nil
    case .beginDrill: if case .drilling(_, .held) = state.phase { return true } else { return false }
    case .rollBackByHand: return served == [] && state.running == nil
    case .forceBack:
      return served == [] && state.running == nil && simulation.world.forge.trunk == firstTrunk
    case .land(let changes):
      let good = changes.filter { !$0.failsTests }
      return good.allSatisfy { served?.contains($0.id) ?? false } && line.isEmpty
    case .takenBack(let change): return state.history.contains { content($0.deployment).contains(change.id) }
    }
  }

  private func ask(_ act: Act) {
    switch act {
    case .configure(let absence):
      let topology = topology(without: absence)
      if simulation.process?.engine.topology != topology { apply(topology) }
    case .begin, .beginFirst: break
    case .blink:
      if !hasLeft { apply(topology(without: .production)) }
      apply(topology(without: nil))
    case .deploy(let change), .send(let change), .takenBack(let change): submit(change)
    case .land(let changes): for change in changes { submit(change) }
    case .freeze: ask(.freeze(Rollout.Freeze(reason: "a sale", actor: "ada", until: nil)))
    case .thaw(let after):
      if simulation.elapsed >= actBegan + after { ask(.thaw(actor: "ada", reason: "it is over")) }
    case .drill, .beginDrill: ask(.drill(actor: "ada", reason: "to be sure"))
    case .rollBackByHand:
      guard let state, let leaving = state.leaving, state.live?.start.kind ?? .drill == .drill,
        state.knownGood.first.map({ !content($0.deployment).isEmpty }) ?? false
      else { return }
      ask(.rollBack(Rollout.RollBackRequest(to: nil, from: leaving.id, reason: "orders are lost", actor: "ada")))
    case .forceBack: simulation.world.forge.forceBack(to: firstTrunk)
    }
  }

  private func topology(without absence: SimulatedSettings.Absence?) -> Topology {
    SimulatedSettings.topology(variant: 0, plan: plot.plan, without: absence)
  }

  private func apply(_ topology: Topology) {
    _ = simulation.request(.settings(.apply(topology)), to: .settings)
  }

  private func ask(_ input: Rollout.Input) {
    _ = simulation.request(.delivery(input), to: SimulatedNames.productionDelivery, lane: .protect)
  }

  private func submit(_ change: SimulatedChange) {
    let branch: BranchName = SimulatedNames.name("change-\(change.id)")
    let head = heads[change.id] ?? simulation.world.forge.push(change, as: branch)
    heads[change.id] = head
    let isTaken = simulation.ledger.events.contains { event in
      if case .queue(.submitted(let facts)) = event.event { facts.head == head } else { false }
    }
    guard !isTaken else { return }
    let submission = MergeQueue.Submission(
      branch: branch, head: head, author: "ada", title: "Change \(change.id)")
    _ = simulation.request(.queue(.submit(submission)), to: SimulatedNames.queue)
  }
}
