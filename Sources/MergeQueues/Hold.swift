import Kernel

extension MergeQueue {
  /// A person holds the queue up.
  package struct Hold: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
      /// Nothing new is built or landed; what runs ends, and changes may be submitted.
      case paused
      /// Nothing new is taken; those in line land.
      case draining
    }
    package let kind: Kind
    /// One line, never empty.
    package let reason: String
    package let by: String
    package let since: Instant
    package init(kind: Kind, reason: String, by: String, since: Instant) {
      self.kind = kind
      self.reason = reason
      self.by = by
      self.since = since
    }
  }

  /// A freeze window that is on now.
  package struct Freeze: Codable, Equatable, Sendable {
    package let reason: String
    package let since: Instant
    /// Nil when it has no end in sight.
    package let until: Instant?
    /// Hotfixes land all the same.
    package let sparesHotfixes: Bool
    package init(reason: String, since: Instant, until: Instant?, sparesHotfixes: Bool) {
      self.reason = reason
      self.since = since
      self.until = until
      self.sparesHotfixes = sparesHotfixes
    }
  }

  /// What an entry lacks before it may be built.
  package enum Requirement: Equatable, Sendable {
    /// So many approvals more.
    case approvals(Int)
    /// A required check that has not passed on the entry's head.
    case check(name: String, CheckStanding)
    /// The review of its migrations by a database; nil until it came, else one that does not pass.
    case schema(place: String, SchemaReview?)
    /// An entry that it stands on may not be built.
    case predecessor(Int)
    case frozen(reason: String, until: Instant?)
  }
}
