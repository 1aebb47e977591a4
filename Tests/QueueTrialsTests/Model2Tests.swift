import QueueTrials
import Testing

struct Model2Tests {
  /// Resolved changes an hour of the research's table (merge-queue.md §2.8), 5 slots, p 5 %, f 2 %.
  private func check(_ policy: Model2Policy, resolves published: Double, within tolerance: Double) {
    let cell = Model2.Cell(failure: 0.05, flake: 0.02, slots: 5)
    let score = Model2.run(policy, cell, changes: 1_500, seeds: 0..<3)
    let found = score.resolvedPerHour
    #expect(abs(found / published - 1) <= tolerance, "\(policy.rawValue): \(found) an hour, published \(published)")
    #expect(score.stuck == 0 && score.brokenLandings == 0, "\(policy.rawValue)")
  }

  @Test func rivalsReproduceTheirPublishedRow() {
    check(.serial, resolves: 3.0, within: 0.05)
    check(.borsHalves, resolves: 9.8, within: 0.1)
    check(.githubStrict, resolves: 12.9, within: 0.1)
    check(.githubHeadGreen, resolves: 13.0, within: 0.1)
    check(.zuul, resolves: 12.8, within: 0.1)
    check(.trunk, resolves: 14.9, within: 0.1)
    check(.mergify, resolves: 21.8, within: 0.1)
    check(.mergifyDynamic, resolves: 17.6, within: 0.1)
    check(.rateAware, resolves: 20.5, within: 0.1)
    // No published row: Dorfman's batches of 3, 1/3 + 1 - .95^3 * .98 builds each, three builds an hour.
    check(.article, resolves: 6.1, within: 0.15)
  }

  private func check(_ cell: Model2.Cell, beats rivals: [Model2Policy], changes: Int) {
    let ours = Model2.run(.ours, cell, changes: changes, seeds: 0..<1)
    #expect(ours.stuck == 0, "\(cell.name): \(ours.stuck) never left")
    #expect(ours.brokenLandings == 0, "\(cell.name)")
    #expect(ours.falseEjectionShare <= 0.01, "\(cell.name): \(ours.falseEjections) false ejections")
    for rival in rivals {
      let theirs = Model2.run(rival, cell, changes: changes, seeds: 0..<1)
      #expect(
        ours.resolvedPerHour >= 0.95 * theirs.resolvedPerHour,
        "\(cell.name): \(ours.resolvedPerHour) an hour, \(rival.rawValue) \(theirs.resolvedPerHour)")
    }
  }

  @Test func oursLosesToNoRivalInCornersOfTheGrid() {
    for (failure, flake) in [(0.02, 0.0), (0.05, 0.05), (0.2, 0.02)] {
      check(
        Model2.Cell(failure: failure, flake: flake, slots: 5),
        beats: [.githubStrict, .githubHeadGreen, .mergify, .mergifyDynamic, .rateAware], changes: 300)
    }
  }
}
