extension MergeQueue {
  /// Characters of a reason in an event; whole logs live in the blob store (design §2, "volume stays out of the log").
  package static let reasonLimit = 300
  /// Conflicting paths kept in an event, each cut to `reasonLimit` characters: enough for a page, and a vendored folder cannot flood the ledger.
  package static let pathLimit = 50
  /// Entries kept after they left, for pages; the ledger has them all.
  package static let historyLimit = 50
  /// Candidates made beyond the slots: a freed slot finds one ready, yet a culprit ahead does not cost merging a long
  /// queue anew.
  package static let lookahead = 2
  /// CI runs at once that a policy may ask for; the engine starts each as a process.
  package static let slotLimit = 64
  /// Entries that a policy may let wait: state and pages stay small (32 days of one change an hour).
  package static let capacityLimit = 768

  /// `text` on one line of at most `reasonLimit` characters; what is cut is marked by an ellipsis.
  package static func oneLine(_ text: String) -> String {
    // Looks at a bounded prefix: a driver may hand over a whole log.
    let beginning = text.prefix(reasonLimit * 4)
    let line = beginning.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    guard line.count > reasonLimit || beginning.endIndex != text.endIndex else { return line }
    return line.prefix(reasonLimit - 1) + "…"
  }
}
