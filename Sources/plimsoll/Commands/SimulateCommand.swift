import ArgumentParser
import Foundation
import Kernel
import Simulator

/// Has no options of its own: those of a parent are taken before its subcommands see theirs of the same name.
struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Run the machines against a faulty world, or a queue's history under any rule.",
    subcommands: [SimulateMachinesCommand.self, SimulateQueueCommand.self],
    defaultSubcommand: SimulateMachinesCommand.self)
}

struct SimulateMachinesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machines", abstract: "Run the real machines and engine against a faulty world, from one seed.",
    discussion: "Exit 0 when every promise held, 1 with the broken ones and the last turns when not.")

  @Option(name: .long, help: "The first seed; one drawn at random when left out.")
  var seed: UInt64?
  @Option(name: .long, help: "How many seeds, counting up from the first.")
  var seeds: Int = 1
  @Option(name: .long, help: "Plant a bug that a checker must catch (see docs/simulation.md).")
  var plant: String?
  @Flag(name: .long, help: "Instead: whole stories, struck at every single boundary in every way.")
  var exhaustive = false
  @Option(name: .long, help: "With --exhaustive: only this story (see docs/simulation.md). May be repeated.")
  var story: [String] = []
  @Flag(name: .long, help: "Instead: two services that share a database, its migrations, and people at its console.")
  var schemas = false
  @Flag(name: .long, help: "Instead: flags that people ramp beside rollouts, and clients that hear of it late.")
  var flags = false
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  private struct Answer: Encodable {
    var seed: UInt64
    var ok: Bool
    var violations: [String]
    var turns: Int
    var events: Int
    var rollouts: Int
    var rollbacks: Int
    var simulatedMs: Int64
  }

  private struct TalliedAnswer<Tally: Encodable & Sendable>: Encodable {
    var seed: UInt64
    var ok: Bool
    var violations: [String]
    var met: Tally
    var simulatedMs: Int64
    init(_ result: SimulationResult<Tally>) {
      seed = result.seed
      ok = result.ok
      violations = result.violations.map(\.description)
      met = result.tally
      simulatedMs = result.simulated.milliseconds
    }
  }

  func run() async throws {
    if exhaustive {
      guard !schemas else { throw Refusal(.malformed, "--exhaustive has no story of schemas; leave --schemas out.") }
      return flags ? try flagCrashes() : try crashes()
    }
    guard seeds > 0 else { throw Refusal(.malformed, "--seeds wants 1 or more, not \(seeds).") }
    guard !(schemas && flags) else {
      throw Refusal(.malformed, "--schemas and --flags tell stories of their own: give one of them.")
    }
    let planted = try planted()
    if schemas {
      try tell(
        { SchemaRun(seed: $0, plant: planted).run() }, as: { TalliedAnswer($0) },
        sum: { "\($0.reduce(SchemaTally()) { $0 + $1.met }) in" })
    } else if flags {
      try tell(
        { FlagRun(seed: $0, plant: planted).run() }, as: { TalliedAnswer($0) },
        sum: { "\($0.reduce(FlagTally()) { $0 + $1.met }) in" })
    } else {
      try tell(
        { SimulationRun(seed: $0, plant: planted).run() },
        as: { result in
          Answer(
            seed: result.seed, ok: result.ok, violations: result.violations.map(\.description), turns: result.turns,
            events: result.events, rollouts: result.rollouts, rollbacks: result.rollbacks,
            simulatedMs: result.simulated.milliseconds)
        },
        sum: { answers in
          let hours = Double(answers.reduce(0) { $0 + $1.simulatedMs }) / 3_600_000
          return "\(answers.reduce(0) { $0 + $1.turns }) turns, \(answers.reduce(0) { $0 + $1.rollouts }) rollouts, "
            + "\(answers.reduce(0) { $0 + $1.rollbacks }) rollbacks, \(String(format: "%.1f", hours)) h simulated in"
        })
    }
  }

  /// Tells the stories of all seeds, shows those that broke a promise, and sums up.
  private func tell<Tally, Told: Encodable>(
    _ run: (UInt64) -> SimulationResult<Tally>, as answer: (SimulationResult<Tally>) -> Told, sum: ([Told]) -> String
  ) throws {
    let first = seed ?? UInt64.random(in: 0..<1_000_000_000)
    let terminal = Terminal.standard
    var answers: [Told] = []
    var broken = 0
    let began = ContinuousClock.now
    for number in 0..<UInt64(seeds) {
      let result = run(first &+ number)
      if !result.ok {
        broken += 1
        if !json {
          terminal.clearProgress()
          terminal.line(result.report)
        }
      }
      answers.append(answer(result))
      terminal.progress("seed \(result.seed): \(number + 1) of \(seeds), \(broken) broken")
    }
    terminal.clearProgress()
    if json {
      try printJSON(answers)
    } else {
      terminal.line(
        "\(seeds) seed(s) from \(first): \(sum(answers)) \(ContinuousClock.now - began): "
          + (broken == 0 ? terminal.paint("every promise held", .good) : terminal.paint("\(broken) broken", .bad)))
    }
    if broken > 0 { throw ExitCode(1) }
  }

  private func planted() throws -> Plant? {
    guard let plant else { return nil }
    let names = Plant.allCases.map { "\($0)" }
    guard let index = names.firstIndex(of: plant) else {
      let hint = nearestMatch(to: plant, among: names).map { "; did you mean '\($0)'?" } ?? ""
      throw Refusal(.unknown, "No planted bug is named '\(plant)'\(hint); there are \(names.joined(separator: ", ")).")
    }
    return Plant.allCases[index]
  }

  private struct Exploration: Encodable {
    var story: String
    var boundaries: Int
    var tellings: Int
    var states: Int
    var turns: Int
    var failures: [String]
  }

  private func flagCrashes() throws {
    guard story.isEmpty else {
      throw Refusal(.malformed, "--story names a rollout's story; leave it out, or --flags.")
    }
    let terminal = Terminal.standard
    let began = ContinuousClock.now
    let outcome = FlagCrashes().run { told, all in
      if told.isMultiple(of: 50) { terminal.progress("flags: \(told) of \(all) tellings") }
    }
    terminal.clearProgress()
    if json {
      try printJSON(
        FlagExploration(
          boundaries: outcome.boundaries, tellings: outcome.tellings, turns: outcome.turns, needless: outcome.needless,
          failures: outcome.failures))
    } else {
      for failure in outcome.failures { terminal.line(failure) }
      terminal.line(
        "flags: \(outcome.boundaries) boundaries, \(outcome.tellings) tellings, \(outcome.turns) turns in "
          + "\(ContinuousClock.now - began), harmless ramps stopped \(outcome.needless) times: "
          + (outcome.ok
            ? terminal.paint("every telling ended right", .good)
            : terminal.paint("\(outcome.failures.count) ended wrong", .bad)))
    }
    if !outcome.ok { throw ExitCode(1) }
  }

  private struct FlagExploration: Encodable {
    var boundaries: Int
    var tellings: Int
    var turns: Int
    var needless: Int
    var failures: [String]
  }

  private func crashes() throws {
    let plots = try chosenPlots()
    let terminal = Terminal.standard
    let began = ContinuousClock.now
    var explored: [Exploration] = []
    for plot in plots {
      let outcome = ExhaustiveCrashes(plot).run { told, all in
        if told.isMultiple(of: 50) { terminal.progress("\(plot.rawValue): \(told) of \(all) tellings") }
      }
      terminal.clearProgress()
      if !json {
        for failure in outcome.failures { terminal.line(failure) }
        let kinds = outcome.counts.map { "\($0.count) \($0.boundary.rawValue)" }.joined(separator: ", ")
        terminal.line(
          "\(plot.rawValue): \(outcome.boundaries) boundaries (\(kinds)), \(outcome.tellings) tellings, "
            + "\(outcome.states) states of the delivery, \(outcome.failures.count) ended wrong")
      }
      explored.append(
        Exploration(
          story: plot.rawValue, boundaries: outcome.boundaries, tellings: outcome.tellings, states: outcome.states,
          turns: outcome.turns, failures: outcome.failures))
    }
    let broken = explored.reduce(0) { $0 + $1.failures.count }
    if json {
      try printJSON(explored)
    } else {
      let (tellings, states) = explored.reduce((0, 0)) { ($0.0 + $1.tellings, $0.1 + $1.states) }
      terminal.line(
        "\(plots.count) stories, \(tellings) tellings, \(states) states, \(explored.reduce(0) { $0 + $1.turns }) turns "
          + "in \(ContinuousClock.now - began): "
          + (broken == 0
            ? terminal.paint("every telling ended right", .good)
            : terminal.paint("\(broken) ended wrong", .bad)))
    }
    if broken > 0 { throw ExitCode(1) }
  }

  private func chosenPlots() throws -> [Plot] {
    if story.isEmpty { return Plot.allCases }
    let names = Plot.allCases.map(\.rawValue)
    return try story.map { name in
      guard let plot = Plot(rawValue: name) else {
        let hint = nearestMatch(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
        throw Refusal(.unknown, "No story is named '\(name)'\(hint); there are \(names.joined(separator: ", ")).")
      }
      return plot
    }
  }
}
