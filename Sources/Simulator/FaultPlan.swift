import Kernel

/// Which faults exist in one seed's world; chances in percent of calls, observations or minutes.
struct FaultPlan: Equatable {
  /// Calls refused before the peer did anything.
  var refused = 0.0
  /// Calls that the peer carried out, and whose reply was lost.
  var lostReplies = 0.0
  /// Observations late by up to `longestDelay`, and so out of order.
  var delayed = 0.0
  var duplicated = 0.0
  /// Calls that take `stall` instead of what is usual.
  var stalled = 0.0
  /// Kills of the process in the whole run.
  var crashes = 0
  /// Steps of the wall clock at a restart, at most so many seconds either way.
  var skew = 0.0
  /// Whether the killed process goes on for a while beside its successor, once.
  var zombie = false
  /// Times at which the ledger cannot be written for a while.
  var diskFull = 0
  var hangingTests = 0.0
  /// Runs that are red without cause.
  var flakyTests = 0.0
  /// Runs that the runner loses.
  var lostRuns = 0.0
  /// Times at which nothing is heard of the runner for a while, and what ran on it is gone.
  var runnerLosses = 0
  /// Builds whose second run gives other bytes.
  var unreproducible = 0.0
  /// Release folders that someone changed.
  var alteredFolders = 0.0
  /// Times at which one of several instances of a healthy version is killed.
  var kills = 0
  var routerLosses = 0
  var blackouts = 0
  var trafficStops = 0
  var incidents = 0
  var externalPushes = 0
  /// Times at which someone forces the trunk back to an earlier commit.
  var forcedBack = 0
  /// Times at which a place or the whole service leaves plimsoll.yaml for a while.
  var absences = 0

  static let none = FaultPlan()
  static let longestDelay = 30.0

  /// Each kind of fault exists in about half of the seeds, so that faults are met alone and together.
  static func draw(_ chance: inout Chance) -> FaultPlan {
    var plan = FaultPlan()
    plan.refused = chance.happens(50) ? Double(chance.below(12)) : 0
    plan.lostReplies = chance.happens(50) ? Double(chance.below(12)) : 0
    plan.delayed = chance.happens(50) ? Double(chance.below(12)) : 0
    plan.duplicated = chance.happens(50) ? Double(chance.below(15)) : 0
    plan.stalled = chance.happens(30) ? Double(chance.below(5)) : 0
    plan.crashes = chance.happens(60) ? 1 + chance.below(4) : 0
    plan.skew = chance.happens(25) ? 1 + Double(chance.below(8)) : 0
    plan.zombie = chance.happens(30)
    plan.diskFull = chance.happens(30) ? 1 + chance.below(2) : 0
    plan.hangingTests = chance.happens(30) ? 5 : 0
    plan.flakyTests = chance.happens(30) ? 8 : 0
    plan.lostRuns = chance.happens(25) ? 10 : 0
    plan.runnerLosses = chance.happens(30) ? 1 + chance.below(2) : 0
    plan.unreproducible = chance.happens(20) ? 20 : 0
    plan.alteredFolders = chance.happens(10) ? 3 : 0
    plan.kills = chance.happens(40) ? 1 + chance.below(3) : 0
    plan.routerLosses = chance.happens(30) ? 1 + chance.below(2) : 0
    plan.blackouts = chance.happens(35) ? 1 + chance.below(2) : 0
    plan.trafficStops = chance.happens(25) ? 1 : 0
    plan.incidents = chance.happens(30) ? 1 : 0
    plan.externalPushes = chance.happens(35) ? 1 + chance.below(2) : 0
    plan.forcedBack = chance.happens(30) ? 1 + chance.below(2) : 0
    plan.absences = chance.happens(35) ? 1 + chance.below(2) : 0
    return plan
  }
}
