extension MergeQueue {
  /// Characters of a reason in an event; whole logs live in the blob store (design §2, "volume stays out of the log").
  package static let reasonLimit = 300
  /// Conflicting paths kept in an event, each cut to `reasonLimit` characters: enough for a page, and a vendored folder cannot flood the ledger.
  package static let pathLimit = 50
  /// Entries kept after they left, for pages; the ledger has them all.
  package static let historyLimit = 50
  /// Builds assembled beyond the slots: a freed slot finds one ready, yet a culprit ahead does not cost merging a long
  /// queue anew.
  package static let lookahead = 2
  /// CI runs at once that a policy may ask for; the engine starts each as a process.
  package static let slotLimit = 64
  /// Entries that a policy may let wait (issue 4: "10,000 queued entries do not slow a turn beyond 5 ms").
  package static let capacityLimit = 10_000
  /// Items that a planner sees at most: all that 64 slots of 16 can hold. Planning is quadratic in them.
  package static let horizonLimit = 1000
  /// Passed trees remembered: more than the landings of a busy day.
  package static let evidenceLimit = 256
  /// Builds that ended and are kept as evidence; beyond it the oldest is dropped and would be run again.
  package static let endedBuildLimit = 256
  /// Pushes whose reply may still come after the trunk turned out to be elsewhere.
  package static let triedLimit = 4
  /// Changes whose paths are looked up at once.
  package static let surveyLimit = 4
  /// Entries that one tick, every 10 s, tells of or sends away for their wait: a turn stays short however long the line,
  /// and this is as long as the landing of a full batch.
  package static let overdueBurst = 32
  /// Checks and approvals kept of one entry, newest.
  package static let reportLimit = 100
  /// Entries that one submission may stand on.
  package static let dependencyLimit = 20
  /// Entries whose changes are looked at in one round: those that can be built next come first in line.
  package static let changesHorizon = 500

  /// `text` on one line of at most `reasonLimit` characters; what is cut is marked by an ellipsis.
  package static func oneLine(_ text: String) -> String { text.onOneLine(upTo: reasonLimit) }
}
