import Kernel

extension MergeQueue {
  /// What a database says of the migrations that an entry's head brings: a head without any passes at once.
  package struct SchemaReview: Codable, Equatable, Sendable {
    package let fit: SchemaFit
    /// Whether the change may land as far as this database is concerned.
    package let passes: Bool
    /// One sentence; empty when nothing is to be said.
    package let why: String
    /// The blob of the whole report; nil when the change has no migration, or could not be judged.
    package let report: Digest?
    package init(fit: SchemaFit, passes: Bool, why: String, report: Digest?) {
      self.fit = fit
      self.passes = passes
      self.why = oneLine(why)
      self.report = report
    }
  }

  /// A review that came, of the entry's head.
  package struct NotedReview: Codable, Equatable, Sendable {
    /// "production/orders".
    package let place: String
    package let review: SchemaReview
    package init(place: String, review: SchemaReview) {
      self.place = place
      self.review = review
    }
  }

  /// A review counts for the very head that it was asked for, and for a place that is still required. A later one takes
  /// the place of the earlier: databases change.
  static func reviewed(
    _ id: Int, at head: CommitID, by place: String, _ review: SchemaReview, under policy: Policy, in state: State,
    _ turn: TurnContext
  ) -> [Event] {
    guard let entry = state.entry(id), entry.facts.head == head, policy.requirements.schemas.contains(place),
      entry.review(by: place) != review
    else { return [] }
    return settled(
      [.schemaReviewed(entry: id, head: head, place: place, verdict: review, at: turn.now)], in: state, turn)
  }

  /// Who waits already is asked about places that are required from now on; who comes later is asked about as it comes.
  static func reviewsAsked(
    under policy: Policy, replacing old: Policy, in state: State, at now: Instant
  ) -> [Event] {
    let places = policy.requirements.schemas.filter { !old.requirements.schemas.contains($0) }
    if places.isEmpty || state.entries.isEmpty { return [] }
    return state.entries.map { .reviewsAsked(entry: $0.id, head: $0.facts.head, places: places, at: now) }
  }
}

extension MergeQueue.Entry {
  /// Nil until it came.
  package func review(by place: String) -> MergeQueue.SchemaReview? { reviews.first { $0.place == place }?.review }

  mutating func note(_ review: MergeQueue.SchemaReview, by place: String) {
    var kept = reviews.filter { $0.place != place }
    kept.append(MergeQueue.NotedReview(place: place, review: review))
    reviews = kept.sorted { $0.place < $1.place }
  }
}
