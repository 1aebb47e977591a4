import Kernel

extension MergeQueue {
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
  package func review(by place: String) -> SchemaReview? { reviews.first { $0.place == place }?.review }

  mutating func note(_ review: SchemaReview, by place: String) {
    var kept = reviews.filter { $0.place != place }
    kept.append(MergeQueue.NotedReview(place: place, review: review))
    reviews = kept.sorted { $0.place < $1.place }
  }
}
