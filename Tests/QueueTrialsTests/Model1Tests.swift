import Kernel
import MergeQueues
import QueueTrials
import Testing

/// What the research's table says of 60 changes an hour on 60 workers, q = .05 and .125 (merge-queue.md §2.8), from one
/// seed and 500 changes; here the mean of a few seeds. Its author takes differences under .1 for noise.
struct Model1Tests {
  private static let cell = Model1.Cell(arrivals: 60, workers: 60, overlap: 0.05)
  private static let dense = Model1.Cell(arrivals: 60, workers: 60, overlap: 0.125)
  private static let changes = 500

  private func mean(
    _ policy: Model1Policy, _ cell: Model1.Cell
  ) -> (times: Double, builds: Double, broken: Int, lost: Int) {
    var times = 0.0
    var builds = 0.0
    var broken = 0
    var lost = 0
    let seeds: ClosedRange<UInt64> = 1...6
    for seed in seeds {
      let farm = CIFarm(trace: Model1.trace(cell, changes: Self.changes, seed: seed), slots: cell.workers)
      let oracle = Model1Policy.oracle.run(on: farm)
      let outcome = policy.run(on: farm)
      times += outcome.wait(0.5) / oracle.wait(0.5) / Double(seeds.count)
      builds += outcome.buildsPerChange / Double(seeds.count)
      broken += outcome.brokenLandings + outcome.falseEjections
      lost += Self.changes - outcome.landed - outcome.ejected
    }
    return (times, builds, broken, lost)
  }

  private func check(
    _ policy: Model1Policy, in cell: Model1.Cell = Self.cell, times: ClosedRange<Double>, builds: ClosedRange<Double>,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let mean = mean(policy, cell)
    #expect(times.contains(mean.times), sourceLocation: sourceLocation)
    #expect(builds.contains(mean.builds), sourceLocation: sourceLocation)
    #expect(mean.broken == 0, sourceLocation: sourceLocation)
    #expect(mean.lost == 0, sourceLocation: sourceLocation)
  }

  @Test("The Oracle's median is the published 41 minutes within 15 %, one build a change")
  func oracle() {
    let farm = CIFarm(trace: Model1.trace(Self.cell, changes: 5_000, seed: 1), slots: Self.cell.workers)
    let outcome = Model1Policy.oracle.run(on: farm)
    #expect((35...47).contains(outcome.wait(0.5) / 60))
    #expect(outcome.builds == 5_000)
    #expect(outcome.brokenLandings == 0)
  }

  @Test("Single queue: published 14.6 times the Oracle's median, one build a change")
  func single() { check(.singleQueue, times: 11...18, builds: 0.999...1.001) }

  @Test("Optimistic: published 1.04 times, 1.14 builds")
  func optimistic() {
    check(.optimistic, times: 1...1.25, builds: 1.05...1.3)
  }

  @Test("Best-first with a constant prior: published 1.01 times, 2.74 builds; with a threshold 1.04, 1.11")
  func bestFirst() {
    check(.bestFirst, times: 1...1.2, builds: 2.4...3.1)
    check(.bestFirstThreshold, times: 1...1.25, builds: 1...1.35)
  }

  @Test("Speculate on all: published 1.19 times, 3.10 builds")
  func speculateAll() {
    check(.speculateAll, times: 1.05...1.55, builds: 2.7...3.4)
  }

  @Test("Ours between two builds: under .9 of the Oracle's median for at most 1.6 builds, and nothing broken")
  func planner() {
    check(.planner, times: 0.5...0.9, builds: 1...1.6)
  }

  @Test("Ours: under .9 of the Oracle's median for hardly more than one build, and nothing broken")
  func ours() {
    check(.ours, times: 0.6...0.85, builds: 1...1.1)
    check(.ours, in: Self.dense, times: 0.5...0.85, builds: 1.05...1.4)
    check(.ours, in: Model1.Cell(arrivals: 300, workers: 300, overlap: 0.05), times: 0.3...0.85, builds: 1...1.6)
  }

  @Test("Ours is not slower than Optimistic where workers are for less than half of the arrivals")
  func scarce() {
    for cell in [
      Model1.Cell(arrivals: 60, workers: 29, overlap: 0.05), Model1.Cell(arrivals: 100, workers: 45, overlap: 0.125),
    ] {
      let ours = mean(.ours, cell)
      #expect(ours.times <= mean(.optimistic, cell).times, "\(cell.name)")
      #expect(ours.broken == 0 && ours.lost == 0, "\(cell.name)")
    }
  }
}
