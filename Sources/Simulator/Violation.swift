import Kernel

/// What the product promises, each with a checker of its own and a planted defect that it must see.
package enum Promise: String, CaseIterable, Sendable {
  case trunkIsTested, trunkIsGreen, oneDigest, condemnedStaysOut, trafficLeavesInTime, healthyHasCapacity
  case blindnessConvictsNobody, newerWins, comesToRest, replayIsState, recordedStays, fencesRise, startedOnce
  case peopleAreTold, landedIsBuilt, badNeverCompletes, machinesHold, leftPlaceIsEmpty
  case trafficFirst, gatesHold, frozenHolds, drillsComeBack, eachLeavesOnce, changesAreTold, lostRunnerIsNamed
  case schemaServesAll, rollbackTargetsFit, contractsPass, migratedOnce, noRollbackToBarred, recordingsCount
  case modelHolds
  case withdrawalsReach, sharesOnlyGrow, nothingStale, killsStand, servedSurvives, advancesWithVerdict
  case harmNeverRollsOut, foldersFollow
}

package struct Violation: Equatable, Sendable, CustomStringConvertible {
  package let promise: Promise
  package let at: Span
  package let sentence: String
  package var description: String { "\(promise.rawValue) at \(at.seconds) s: \(sentence)" }
}
