import ControlPlane
import Kernel
import MergeQueues

/// One scripted story without any other fault, told again with the process killed at every single boundary: before and
/// after each append, and for each effect when nothing was sent, when the peer did it and nobody heard, and when the
/// answer was not yet decided. Every telling must end the same.
///
/// The story: a good change is submitted and reaches production; then one that passes every test and fails for users
/// is submitted, and is taken back.
package struct ExhaustiveCrashes: Sendable {
  package struct Outcome: Sendable {
    /// How many boundaries the story has.
    package let boundaries: Int
    /// Of each kind, in the order of `Boundary.allCases`.
    package let counts: [(boundary: Boundary, count: Int)]
    /// Boundary number, kind and what was broken; empty when all end right.
    package let failures: [String]
    package var ok: Bool { failures.isEmpty }
  }

  /// Every story has the same chances.
  static let seed: UInt64 = 7
  /// The process is back after this.
  static let restartPause = Span.seconds(2)
  static let storyLimit = Span.minutes(8)

  package init() {}

  /// - Parameter stride: 1 tries every boundary; n every n-th, starting with `offset`.
  package func run(offset: Int = 0, stride step: Int = 1, plant: Plant? = nil) -> Outcome {
    let (_, met) = Self.tell(killingAt: nil, plant: nil)
    var failures: [String] = []
    for number in Swift.stride(from: offset, to: met.count, by: max(step, 1)) {
      let (simulation, _) = Self.tell(killingAt: number, plant: plant)
      let wrongs = Self.wrongs(simulation)
      if !wrongs.isEmpty {
        let place = "boundary \(number) (\(met[number].rawValue))"
        failures.append("\(place): \(wrongs.joined(separator: "; "))\n\(simulation.transcript.text)")
      }
    }
    let counts = Boundary.allCases.map { kind in (kind, met.filter { $0 == kind }.count) }
    return Outcome(boundaries: met.count, counts: counts, failures: failures)
  }

  private static func tell(killingAt number: Int?, plant: Plant?) -> (Simulation, met: [Boundary]) {
    let simulation = Simulation(seed: seed, faults: .none, plant: plant)
    simulation.restartPause = restartPause
    var met: [Boundary] = []
    simulation.killsAt = { boundary in
      met.append(boundary)
      return met.count - 1 == number
    }
    let story = ScriptedStory(simulation)
    simulation.world.agenda.after(Span(milliseconds: 1)) { story.goOn() }
    simulation.run(active: .seconds(1)) { story.isTold || simulation.elapsed > storyLimit }
    return (simulation, met)
  }

  private static func wrongs(_ simulation: Simulation) -> [String] {
    var wrongs = simulation.world.checkers.violations.map(\.description)
    let forge = simulation.world.forge
    let shares = simulation.world.router.shares(of: SimulatedNames.productionDelivery)
    guard case .delivery(let state)? = simulation.ledger.folded(SimulatedNames.productionDelivery) else {
      return wrongs + ["nothing was delivered"]
    }
    if let serving = state.knownGood.first?.deployment {
      if forge.content(of: serving.commit) != [0] {
        wrongs.append("\(serving.commit.short) serves, not the good change")
      }
      if shares.first(where: { $0.deployment == serving.id })?.percent != 100 {
        wrongs.append("it has not all traffic")
      }
    } else {
      wrongs.append("nothing serves")
    }
    if !state.condemned.contains(where: { simulation.world.runner.artifacts[forge.trunk] == $0.digest }) {
      wrongs.append("the bad version is not condemned")
    }
    if forge.content(of: forge.trunk) != [0, 1] { wrongs.append("the trunk holds \(forge.content(of: forge.trunk))") }
    return wrongs
  }
}

/// The one who tells the story: asks again until the ledger shows that the request was taken, as a person would.
final class ScriptedStory {
  private let simulation: Simulation
  private var good: CommitID?
  private var bad: CommitID?

  init(_ simulation: Simulation) { self.simulation = simulation }

  /// The bad change has been taken back and people were told why.
  private(set) var isTold = false

  func goOn() {
    if case .settings(.applied)? = simulation.ledger.events.first?.event {
      advance()
    } else {
      _ = simulation.request(.settings(.apply(SimulatedSettings.topology(variant: 0))), to: .settings)
    }
    if !isTold { simulation.world.agenda.after(.seconds(1)) { [self] in goOn() } }
  }

  private func advance() {
    guard case .delivery(let state)? = simulation.ledger.folded(SimulatedNames.productionDelivery) else { return }
    let forge = simulation.world.forge
    if state.history.contains(where: { forge.content(of: $0.deployment.commit) == [0, 1] }) {
      isTold = true
    } else if state.knownGood.contains(where: { forge.content(of: $0.deployment.commit) == [0] }) {
      bad = bad ?? forge.newBranch(SimulatedChange(id: 1, behaviour: .failing))
      submit(bad, "bad")
    } else {
      good = good ?? forge.newBranch(SimulatedChange(id: 0))
      submit(good, "good")
    }
  }

  private func submit(_ head: CommitID?, _ name: String) {
    guard let head else { return }
    let isTaken = simulation.ledger.events.contains { event in
      if case .queue(.submitted(let facts)) = event.event { facts.head == head } else { false }
    }
    guard !isTaken else { return }
    let submission = MergeQueue.Submission(
      branch: SimulatedNames.name(name), head: head, author: "ada", title: "A \(name) change")
    _ = simulation.request(.queue(.submit(submission)), to: SimulatedNames.queue)
  }
}
