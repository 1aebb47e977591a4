import Kernel

extension MergeQueue {
  /// An entry's time in the queue, for measures of those that left without landing; a landing says the same itself.
  package struct Stay: Codable, Equatable, Sendable {
    package let submittedAt: Instant
    /// Where its time went; together the time from submission to the end.
    package let waits: [WaitPart]
    /// As pages name them; empty where they were not known.
    package let lanes: [String]
    package let team: String?
    package init(submittedAt: Instant, waits: [WaitPart], lanes: [String], team: String?) {
      self.submittedAt = submittedAt
      self.waits = waits
      self.lanes = lanes
      self.team = team
    }
    init(of entry: Entry, at: Instant) {
      self.init(
        submittedAt: entry.facts.submittedAt, waits: entry.waits.parts(at: at), lanes: entry.lanes?.labels ?? [],
        team: entry.facts.team)
    }
  }

  /// An entry that left the queue, kept for pages.
  package struct FinishedEntry: Codable, Equatable, Sendable {
    package let facts: EntryFacts
    package let outcome: Outcome
    package let at: Instant
    /// Where its time went; together the time from submission to the end. Empty where nobody counted.
    package let waits: [WaitPart]
    /// What databases said of its migrations, sorted by place.
    package let reviews: [NotedReview]

    package enum Outcome: Codable, Equatable, Sendable {
      case landed(commit: CommitID)
      case ejected(Ejection)
      case withdrawn(reason: String)
    }

    package init(
      facts: EntryFacts, outcome: Outcome, at: Instant, waits: [WaitPart] = [], reviews: [NotedReview] = []
    ) {
      self.facts = facts
      self.outcome = outcome
      self.at = at
      self.waits = waits
      self.reviews = reviews
    }

    /// What became of it, for a person.
    package var sentence: String {
      switch outcome {
      case .landed(let commit): "#\(facts.id) landed as \(commit.short)."
      case .ejected(let ejection): ejection.sentence
      case .withdrawn(let reason): "#\(facts.id) was withdrawn: \(reason)."
      }
    }
  }
}
