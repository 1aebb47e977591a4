import API
import Foundation
import Kernel
import Runtime

/// How long changes wait in a queue that has little to do, from the moment at which a person submits to the moment at
/// which the trunk holds the change, by the clock of the one machine.
struct QueueLandings {
  struct Outcome: Codable {
    /// Of changes that CI passed elsewhere, on exactly the tree that landed.
    var testedElsewhereMs: [Int64] = []
    /// Of changes whose tree this queue had tested before.
    var testedHereMs: [Int64] = []
    /// Runs of CI that began for any of those.
    var needlessRuns = 0
    /// Of changes that had to be tested, at low load, in order of arrival.
    var waitMs: [Int64] = []
    /// Of their runs, as CI itself took the time.
    var ciMs: [Int64] = []
    /// One minute's load average of the machine, at each end of the trial.
    var loadAverages: [Double] = []

    /// Of waits in times of a run of CI; nil when there is nothing to compare.
    var timesOfCI: Double? {
      guard let wait = Self.median(waitMs), let ci = Self.median(ciMs), ci > 0 else { return nil }
      return wait / ci
    }

    /// Nil for nothing.
    static func median(_ values: [Int64]) -> Double? {
      let sorted = values.sorted()
      guard !sorted.isEmpty else { return nil }
      return Double(sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
  }

  /// Issue "A merge queue that beats the best": "An idle queue lands a tested change in 5 s without a second run".
  static let testedLimitMs: Int64 = 5000
  /// "Else P50 at most 1.05x CI time at low load".
  static let timesOfCILimit = 1.05
  /// Low load: on average a change arrives when so many runs of CI could have passed since the last. Of two slots a
  /// quarter is in use.
  static let runsBetweenArrivals = 2.0
  /// The check whose word counts for the queue's own.
  private static let check = "elsewhere"
  /// A change that must be tested has landed after so many runs of CI, or something is wrong.
  private static func patience(_ ciSeconds: Double) -> Span { .seconds(120 + 10 * ciSeconds) }

  let folder: String
  let say: @Sendable (String) -> Void
  var program = "/proc/self/exe"

  // MARK: Tested elsewhere

  /// Each is submitted to an idle queue, and CI's word follows at once.
  func testedElsewhere(_ count: Int, into outcome: inout Outcome) async throws {
    let world = try await QueueWorld(
      folder: "\(folder)/elsewhere",
      options: QueueWorld.Options(
        ciSeconds: 5, slots: 2, keys: ["requires: { checks: [\(Self.check)] }", "reuse-check: \(Self.check)"],
        program: program))
    do {
      for number in 1...max(count, 1) {
        say("a change tested elsewhere, \(number) of \(count)")
        outcome.testedElsewhereMs.append(try await testedElsewhere("change-\(number)", in: world))
      }
      outcome.needlessRuns += try world.checkedTrees().count { $0.word == .began }
    } catch {
      await world.stopServer()
      throw error
    }
    await world.stopServer()
    world.remove()
  }

  private func testedElsewhere(_ branch: String, in world: QueueWorld) async throws -> Int64 {
    let head = try await world.repository.push(
      branch, ["changes/\(branch)": "good\n"], from: "origin/\(QueueRepository.trunk)")
    let tree = try await world.repository.tree(of: head)
    let began = Instant.now
    let entry = try await world.submit(branch)
    try await world.report(CheckRequest(name: Self.check, state: "passed", tree: tree), of: entry)
    let finished = try await world.landed(entry, within: .seconds(120))
    return finished.atMs - began.milliseconds
  }

  // MARK: To be tested

  /// Changes arrive at moments drawn from the seed; then the queue lands trees again that it has tested.
  func lowLoad(_ count: Int, ciSeconds: Double, seed: UInt64, into outcome: inout Outcome) async throws {
    let world = try await QueueWorld(
      folder: "\(folder)/low-load", options: QueueWorld.Options(ciSeconds: ciSeconds, slots: 2, program: program))
    do {
      try await arrivals(count, ciSeconds: ciSeconds, seed: seed, in: world, into: &outcome)
      try await testedHere(count, ciSeconds: ciSeconds, in: world, into: &outcome)
    } catch {
      await world.stopServer()
      throw error
    }
    await world.stopServer()
    world.remove()
  }

  private func arrivals(
    _ count: Int, ciSeconds: Double, seed: UInt64, in world: QueueWorld, into outcome: inout Outcome
  ) async throws {
    var random = SplitMix64(state: seed)
    let branches = (1...max(count, 1)).map { "change-\($0)" }
    for branch in branches { _ = try await world.repository.push(branch, ["changes/\(branch)": "good\n"]) }
    let limit = Self.patience(ciSeconds)
    outcome.waitMs = try await withThrowingTaskGroup(of: (number: Int, ms: Int64).self) { group in
      for (number, branch) in branches.enumerated() {
        if number > 0 {
          // Exponential pauses: nobody knows of anybody else.
          let chance = (Double(random.next() >> 11) + 0.5) / Double(1 << 53)
          try await Task.sleep(for: .seconds(-log(chance) * ciSeconds * Self.runsBetweenArrivals))
        }
        say("change \(number + 1) of \(count), CI of \(ciSeconds) s at low load")
        group.addTask {
          let began = Instant.now
          let entry = try await world.submit(branch)
          return (number, try await world.landed(entry, within: limit).atMs - began.milliseconds)
        }
      }
      var waits: [(number: Int, ms: Int64)] = []
      for try await wait in group { waits.append(wait) }
      return waits.sorted { $0.number < $1.number }.map(\.ms)
    }
    let checked = try world.checkedTrees()
    outcome.ciMs = checked.compactMap { passed in
      guard passed.word == .passed,
        let began = checked.first(where: { $0.word == .began && $0.tree == passed.tree })
      else { return nil }
      return passed.atMs - began.atMs
    }
  }

  /// There and back between the last two trees that the trunk had: both passed.
  private func testedHere(
    _ count: Int, ciSeconds: Double, in world: QueueWorld, into outcome: inout Outcome
  ) async throws {
    // Those that arrived may have landed by one push.
    _ = try await world.repository.push("last", ["changes/last": "good\n"])
    _ = try await world.landed(try await world.submit("last"), within: Self.patience(ciSeconds))
    let trees = try await world.repository.movesOfTrunk().suffix(2).map(\.tree)
    let runs = try world.checkedTrees().count { $0.word == .began }
    for number in 1...max(count, 1) {
      say("a tree that was tested here, \(number) of \(count)")
      let branch = "again-\(number)"
      try await world.repository.push(branch, tree: trees[(number + 1) % 2])
      let began = Instant.now
      let finished = try await world.landed(try await world.submit(branch), within: .seconds(120))
      outcome.testedHereMs.append(finished.atMs - began.milliseconds)
    }
    outcome.needlessRuns += try world.checkedTrees().count { $0.word == .began } - runs
  }
}
