/// A domain's rules as pure functions: `decide` holds the rules and may change any day, `evolve` is bookkeeping and
/// changes rarely, `effects` says what should be happening now (design §2).
package protocol Machine {
  associatedtype State: Codable & Equatable & Sendable
  associatedtype Input: Codable & Equatable & Sendable
  associatedtype Event: DomainEvent
  associatedtype Effect: WantedEffect

  static var initial: State { get }

  /// The events that `input` leads to; `[]` for a late or repeated observation.
  ///
  /// - Throws: `Refusal` for a request that cannot be honoured; observations never throw.
  static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event]
  static func evolve(_ state: inout State, _ event: Event)
  /// What the state wants done now. Keys are unique within one answer.
  static func effects(of state: State) -> [Effect]
  /// The observation that says: this effect used up its retry budget.
  static func exhausted(_ key: EffectKey, why: String) -> Input
  /// What must never be true, in words; empty when all is well. Checked after every turn in debug and simulation.
  static func violations(in state: State) -> [String]
}

extension Machine {
  /// `events` and whatever follows at once from the state after them, again and again until nothing does: an observation
  /// that came early is not asked for again, so nothing may wait for it.
  ///
  /// - Parameter consequences: must come to an end, as when each leaves its phase or shortens a list.
  package static func settled(
    _ events: [Event], in state: State, consequences: (State) -> [Event]
  ) -> [Event] {
    guard !events.isEmpty else { return [] }
    var all = events
    var after = state
    for event in events { evolve(&after, event) }
    while true {
      let next = consequences(after)
      if next.isEmpty { return all }
      for event in next { evolve(&after, event) }
      all += next
    }
  }
}

/// A decided fact, past tense. Cases are never renamed or removed, only upcast.
package protocol DomainEvent: Codable, Equatable, Sendable {
  /// The case's wire name; a golden test guards it.
  var name: String { get }
}

/// What a decision may know besides state and input. Whatever of it influenced the decision is in the events.
package struct TurnContext: Sendable {
  /// Never goes back within a stream.
  package let now: Instant
  /// Sixty-four random bits, fresh each turn.
  package let chance: UInt64
  package init(now: Instant, chance: UInt64) {
    self.now = now
    self.chance = chance
  }
}

/// The caller's fault: never retried, HTTP 4xx, exit code 1 or 2.
package struct Refusal: Error, Codable, Equatable, Sendable, CustomStringConvertible {
  package enum Kind: String, Codable, Sendable {
    /// The request itself is malformed (HTTP 400, exit 2).
    case malformed
    /// It names something that does not exist (HTTP 404, exit 2).
    case unknown
    /// It is understood but may not happen now (HTTP 409, exit 1).
    case notNow
    /// The caller may not do this (HTTP 403, exit 2).
    case forbidden
  }
  package let kind: Kind
  /// One sentence for a person: subject, cause, next step.
  package let sentence: String
  package init(_ kind: Kind, _ sentence: String) {
    self.kind = kind
    self.sentence = sentence
  }
  package var description: String { sentence }
}

/// The world's fault: retried within a budget, HTTP 5xx, exit code 3.
package struct Outage: Error, Codable, Equatable, Sendable, CustomStringConvertible {
  /// Who failed: `git`, `haproxy`, `disk`.
  package let subject: String
  /// What it said or did, and the next step, in one sentence.
  package let sentence: String
  /// The errors behind it, outermost first.
  package let sources: [String]
  package init(_ subject: String, _ sentence: String, sources: [String] = []) {
    self.subject = subject
    self.sentence = sentence
    self.sources = sources
  }
  package var description: String {
    ([("\(subject): \(sentence)")] + sources.map { "because \($0)" }).joined(separator: "; ")
  }
}
