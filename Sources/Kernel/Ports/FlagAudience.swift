/// Who has what an environment serves of a flag, told by those who hold flags.
package struct FlagStanding: Codable, Equatable, Sendable {
  /// A client that has not got it, as far as anybody can tell.
  package struct Lacking: Codable, Equatable, Sendable {
    /// As it is named to people: its address and what it says it is.
    package let client: String
    /// When it was heard of last.
    package let seenAt: Instant
    package init(client: String, seenAt: Instant) {
      self.client = client
      self.seenAt = seenAt
    }
  }

  /// Written to their stream, and nothing more is known.
  package let delivered: Int
  /// They asked and were given it.
  package let refetched: Int
  /// Seen evaluating it.
  package let evaluated: Int
  /// How many have not got it.
  package let lackingCount: Int
  /// Of these the first, at most `lackingLimit`.
  package let lacking: [Lacking]

  package static let lackingLimit = 20

  package init(
    delivered: Int = 0, refetched: Int = 0, evaluated: Int = 0, lackingCount: Int = 0, lacking: [Lacking] = []
  ) {
    self.delivered = delivered
    self.refetched = refetched
    self.evaluated = evaluated
    self.lackingCount = max(lackingCount, lacking.count)
    self.lacking = Array(lacking.prefix(FlagStanding.lackingLimit))
  }

  package var have: Int { delivered + refetched + evaluated }
  package var all: Int { have + lackingCount }
  package var isComplete: Bool { lackingCount == 0 }

  /// "998 of 1,000 clients have it; not 10.0.0.7 and 10.0.0.9".
  package var sentence: String {
    if all == 0 { return "no client holds flags here" }
    let head = "\(have) of \(all) clients have it"
    guard let first = lacking.first else { return isComplete ? head : "\(head); \(lackingCount) have not" }
    let named = lacking.prefix(2).map(\.client).joined(separator: " and ")
    let rest = lackingCount - min(lacking.count, 2)
    return lackingCount == 1
      ? "\(head); not \(first.client)" : "\(head); not \(named)" + (rest > 0 ? " and \(rest) more" : "")
  }
}

/// Tells who has which epoch of a flag. Nothing here changes the world, so asking twice is harmless.
package protocol FlagAudience: Sendable {
  /// Of the clients of an environment, who has what it serves of a flag since that epoch (`FeatureFlag.Placement.epoch`)
  /// came into force, or something newer. As long as the environment does not serve that epoch, nobody has it.
  ///
  /// - Throws: `Outage` when there is no such environment, or it cannot be told; the caller asks again.
  func standing(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async throws(Outage) -> FlagStanding
  /// The first version of the environment's definitions that gives out that epoch; nil as long as none does.
  func version(of flag: FlagKey, in environment: EnvironmentName, epoch: Int) async -> Int?
}
