import Kernel
import Simulator
import Testing

@Suite("Simulation: planted defects") struct PlantTests {
  /// Each plant, the promise whose checker must see it, and within how many seeds.
  static let expectations: [(Plant, Promise, seeds: UInt64)] = [
    (.landingWithoutTest, .trunkIsTested, 10),
    (.landingWithoutTest, .trunkIsGreen, 20),
    (.rebuildPerEnvironment, .oneDigest, 5),
    (.routerIgnoresFences, .fencesRise, 100),
    (.restorationDropped, .trafficLeavesInTime, 60),
    (.blackoutReadsAsErrors, .blindnessConvictsNobody, 40),
    (.effectsDroppedAfterCrash, .comesToRest, 20),
    (.announcerAcknowledgesOnly, .peopleAreTold, 10),
    (.instancesStartedTwice, .startedOnce, 20),
    (.instancesDieWithProcess, .healthyHasCapacity, 20),
    (.judgeNeverConvicts, .badNeverCompletes, 10),
    (.olderOfferRenumbered, .newerWins, 40),
    (.ledgerAltersEvent, .replayIsState, 10),
    (.ledgerLosesTail, .recordedStays, 40),
    (.condemnedReturns, .condemnedStaysOut, 10),
    (.ledgerLosesTail, .machinesHold, 400),
    (.stoppingAcknowledgedOnly, .leftPlaceIsEmpty, 60),
    (.routerConfirmsTooEarly, .trafficFirst, 40),
    (.drillStaysThere, .drillsComeBack, 60),
    (.gateOpensItself, .gatesHold, 40),
    (.freezeLost, .frozenHolds, 200),
    (.landingsToldTwice, .eachLeavesOnce, 5),
    (.notesUnwritten, .changesAreTold, 10),
    (.runnerSeemsWell, .lostRunnerIsNamed, 60),
  ]

  @Test("a planted defect is seen by its checker", arguments: expectations.indices)
  func planted(index: Int) {
    let (plant, promise, seeds) = Self.expectations[index]
    var seen: [Promise] = []
    for seed in 1...seeds {
      let result = SimulationRun(seed: seed, plant: plant).run()
      seen += result.violations.map(\.promise)
      if seen.contains(promise) { return }
    }
    Issue.record("\(plant) was not seen as \(promise) in \(seeds) seeds, only as \(seen)")
  }

  /// The same, in stories of schemas.
  static let schemaExpectations: [(Plant, Promise, seeds: UInt64)] = [
    (.examinerBlind, .schemaServesAll, 10),
    (.targetsUnjudged, .rollbackTargetsFit, 20),
    (.contractsFeared, .contractsPass, 10),
    (.bookForgets, .migratedOnce, 60),
    (.driftIgnored, .migratedOnce, 10),
    (.barsDenied, .noRollbackToBarred, 60),
    (.recordingsUnheard, .recordingsCount, 10),
  ]

  @Test("a defect planted in a schema is seen by its checker", arguments: schemaExpectations.indices)
  func plantedInSchemas(index: Int) {
    let (plant, promise, seeds) = Self.schemaExpectations[index]
    var seen: [Promise] = []
    for seed in 1...seeds {
      seen += SchemaRun(seed: seed, plant: plant).run().violations.map(\.promise)
      if seen.contains(promise) { return }
    }
    Issue.record("\(plant) was not seen as \(promise) in \(seeds) seeds, only as \(seen)")
  }

  /// The same, in stories of flags.
  static let flagExpectations: [(Plant, Promise, seeds: UInt64)] = [
    (.audienceBelieves, .withdrawalsReach, 30),
    (.bucketsMoved, .sharesOnlyGrow, 5),
    (.verdictsRenumbered, .nothingStale, 5),
    (.rampAdvancesItself, .advancesWithVerdict, 5),
    (.killUndone, .killsStand, 5),
    (.servedFromMemory, .servedSurvives, 10),
    (.cohortsMixed, .harmNeverRollsOut, 10),
    (.folderReadsOld, .foldersFollow, 10),
  ]

  @Test("a defect planted in a flag is seen by its checker", arguments: flagExpectations.indices)
  func plantedInFlags(index: Int) {
    let (plant, promise, seeds) = Self.flagExpectations[index]
    var seen: [Promise] = []
    for seed in 1...seeds {
      seen += FlagRun(seed: seed, plant: plant).run().violations.map(\.promise)
      if seen.contains(promise) { return }
    }
    Issue.record("\(plant) was not seen as \(promise) in \(seeds) seeds, only as \(seen)")
  }

  @Test("every promise and every plant has its proof")
  func complete() {
    let all = Self.expectations + Self.schemaExpectations + Self.flagExpectations
    let promises = Set(all.map { $0.1 })
    // Proven at the boundaries of a story and on real databases: see `CrashTests` and `InterleavingTests`.
    #expect(Promise.allCases.filter { !promises.contains($0) } == [.landedIsBuilt, .modelHolds])
    let plants = Set(all.map { $0.0 })
    // Seen in `CrashTests`, and counted over seeds in the next test.
    #expect(Plant.allCases.filter { !plants.contains($0) } == [.routingCursorLost, .errorsInvented])
  }

  @Test("errors that did not happen are counted as convictions of the healthy")
  func invented() {
    let results = (1...5).map { SimulationRun(seed: $0, plant: .errorsInvented).run() }
    #expect(results.reduce(0) { $0 + $1.falseConvictions } > 5)
  }
}
