import ArgumentParser
import Foundation
import Kernel
import Simulator

struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Run the real machines and engine against a faulty world, from one seed.",
    discussion: "Exit 0 when every promise held, 1 with the broken ones and the last turns when not.")

  @Option(name: .long, help: "The first seed; one drawn at random when left out.")
  var seed: UInt64?
  @Option(name: .long, help: "How many seeds, counting up from the first.")
  var seeds: Int = 1
  @Option(name: .long, help: "Plant a bug that a checker must catch (see docs/simulation.md).")
  var plant: String?
  @Flag(name: .long, help: "Instead: one story, killed at every single boundary.")
  var exhaustive = false
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

  func run() async throws {
    if exhaustive { return try crashes() }
    guard seeds > 0 else { throw Refusal(.malformed, "--seeds wants 1 or more, not \(seeds).") }
    let planted = try planted()
    let first = seed ?? UInt64.random(in: 0..<1_000_000_000)
    let terminal = Terminal.standard
    var answers: [Answer] = []
    var broken = 0
    let began = ContinuousClock.now
    for number in 0..<UInt64(seeds) {
      let result = SimulationRun(seed: first &+ number, plant: planted).run()
      if !result.ok {
        broken += 1
        if !json {
          terminal.clearProgress()
          terminal.line(result.report)
        }
      }
      answers.append(
        Answer(
          seed: result.seed, ok: result.ok, violations: result.violations.map(\.description), turns: result.turns,
          events: result.events, rollouts: result.rollouts, rollbacks: result.rollbacks,
          simulatedMs: result.simulated.milliseconds))
      terminal.progress("seed \(result.seed): \(number + 1) of \(seeds), \(broken) broken")
    }
    terminal.clearProgress()
    if json {
      try printJSON(answers)
    } else {
      let hours = Double(answers.reduce(0) { $0 + $1.simulatedMs }) / 3_600_000
      terminal.line(
        "\(seeds) seed(s) from \(first): \(answers.reduce(0) { $0 + $1.turns }) turns, \(answers.reduce(0) { $0 + $1.rollouts }) rollouts, \(answers.reduce(0) { $0 + $1.rollbacks }) rollbacks, \(String(format: "%.1f", hours)) h simulated in \(ContinuousClock.now - began): "
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

  private func crashes() throws {
    let outcome = ExhaustiveCrashes().run()
    let terminal = Terminal.standard
    for failure in outcome.failures { terminal.line(failure) }
    for (boundary, count) in outcome.counts { terminal.line("\(count)  \(boundary.rawValue)") }
    terminal.line(
      "\(outcome.boundaries) boundaries, each crashed at: "
        + (outcome.ok
          ? terminal.paint("every telling ended right", .good)
          : terminal.paint("\(outcome.failures.count) ended wrong", .bad)))
    if !outcome.ok { throw ExitCode(1) }
  }
}
