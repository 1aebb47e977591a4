/// A defect put into the simulated dispatcher, ledger or world on purpose: each proves that a checker sees.
package enum Plant: String, CaseIterable, Sendable {
  /// CI reports success without running anything.
  case landingWithoutTest
  /// Every environment builds its own bytes from the commit.
  case rebuildPerEnvironment
  /// A late call with a lower fence is carried out.
  case routerIgnoresFences
  /// The router confirms shares that it does not apply when they take traffic away.
  case routerConfirmsTooEarly
  /// The router is told to send users to what was just condemned.
  case condemnedReturns
  /// The router never hears of a route after a condemnation.
  case restorationDropped
  /// What is unseen is counted as failed.
  case blackoutReadsAsErrors
  /// After a crash the dispatcher forgets to carry out what it is given.
  case effectsDroppedAfterCrash
  /// After a crash the ledger claims that everything was routed.
  case routingCursorLost
  /// The platform says that instances were stopped, and lets them run.
  case stoppingAcknowledgedOnly
  /// The way back of a drill is confirmed and not taken.
  case drillStaysThere
  /// A gate is opened by the process itself.
  case gateOpensItself
  /// The ledger keeps a freeze as its end.
  case freezeLost
  /// The announcer says yes and tells nobody.
  case announcerAcknowledgesOnly
  /// After a crash instances are started beside those that still run.
  case instancesStartedTwice
  /// Instances end with the process that started them.
  case instancesDieWithProcess
  /// The watch never passes on that a version is bad.
  case judgeNeverConvicts
  /// An older artifact is offered with a newer number.
  case olderOfferRenumbered
  /// The ledger stores another fact than was decided.
  case ledgerAltersEvent
  /// The ledger loses its last event in a crash.
  case ledgerLosesTail
  /// Whoever tells of landings tells each twice.
  case landingsToldTwice
  /// The forge says yes and keeps no note.
  case notesUnwritten
  /// The queue is told that a runner lives which has gone.
  case runnerSeemsWell
  /// Nobody is broken, says the schema server of whoever lives.
  case examinerBlind
  /// Only who gets requests is judged.
  case targetsUnjudged
  /// Every contract breaks somebody, says the schema server.
  case contractsFeared
  /// The database applies what its book has.
  case bookForgets
  /// Somebody alters the schema after it was judged, and the database applies all the same.
  case driftIgnored
  /// The place is told at once that every version may come back.
  case barsDenied
  /// The schema server reads what artifacts hold, and nothing that was told.
  case recordingsUnheard
  /// Every client has everything, says the audience.
  case audienceBelieves
  /// A later stage is served to other subjects than the one before.
  case bucketsMoved
  /// A verdict that comes late is taken for one of the stage in force.
  case verdictsRenumbered
  /// A stage is passed by the process itself, in a person's place.
  case rampAdvancesItself
  /// Whoever switched a flag off is overruled by the process itself.
  case killUndone
  /// After a crash flags are served as they were at first.
  case servedFromMemory
  /// The errors of those who have the variant are not told apart from those of the others.
  case cohortsMixed
  /// The folder of a commit is read as it was long ago.
  case folderReadsOld
  /// Traffic fails at the healthy: the judge is told of errors that did not happen.
  case errorsInvented
}
