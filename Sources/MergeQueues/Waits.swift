import Kernel

/// What an entry of a queue waits for at one moment. Exactly one at a time; together they are its whole wait.
package enum WaitCause: String, Codable, CaseIterable, Comparable, Sendable {
  /// A required approval is missing.
  case missingApproval
  /// A required check has not reported; the book has its name.
  case missingCheck
  /// A freeze window holds the line.
  case frozen
  /// A person paused the queue.
  case paused
  /// Its candidate is being made.
  case merging
  /// Its build is ready and all slots are taken, or it is too far behind to have a build.
  case waitingForSlot
  case runningCI
  /// It passed, or cannot be judged, until those ahead have landed or left.
  case behindPredecessor
  /// A red build that holds it is searched for its culprit.
  case bisecting
  /// What was red runs again, to tell a flake.
  case retrying
  /// It is being pushed.
  case landing
  /// Git, the runner or the disk keep failing; it is tried again.
  case outage
  /// Work that was thrown away because somebody pushed to the trunk past the queue.
  case externalReset

  /// In the order of an entry's life.
  package static func < (left: WaitCause, right: WaitCause) -> Bool { left.order < right.order }
  private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// CI or git worked for the entry: lost when its builds are.
  package var isWork: Bool {
    switch self {
    case .merging, .runningCI, .bisecting, .retrying, .landing: true
    case .missingApproval, .missingCheck, .frozen, .paused, .waitingForSlot, .behindPredecessor, .outage,
      .externalReset:
      false
    }
  }

  /// After an amount: "29 min waiting for a slot".
  package var words: String {
    switch self {
    case .missingApproval: "missing an approval"
    case .missingCheck: "missing a check"
    case .frozen: "frozen"
    case .paused: "paused"
    case .merging: "being merged"
    case .waitingForSlot: "waiting for a slot"
    case .runningCI: "running CI"
    case .behindPredecessor: "behind those ahead"
    case .bisecting: "in the search for a culprit"
    case .retrying: "running again what was red"
    case .landing: "being pushed"
    case .outage: "held up by git, the runner or the disk"
    case .externalReset: "lost to a push past the queue"
    }
  }
}

/// One cause's share of a wait.
package struct WaitPart: Codable, Equatable, Sendable {
  package let cause: WaitCause
  package let span: Span
  package init(cause: WaitCause, span: Span) {
    self.cause = cause
    self.span = span
  }
}

extension [WaitPart] {
  package subscript(_ cause: WaitCause) -> Span { first { $0.cause == cause }?.span ?? .zero }
  package var whole: Span { reduce(.zero) { $0 + $1.span } }
  /// The largest, the earlier in life on a tie; nil without parts.
  package var largest: WaitPart? {
    reduce(nil) { best, part in best.map { $0.span >= part.span ? $0 : part } ?? part }
  }
}

/// Where an entry's time went: milliseconds by cause, and the cause now.
///
/// Invariant: at every instant the parts sum exactly to the time since `beganAt`, in whole milliseconds. Instants that
/// go back count as standing still.
package struct WaitBook: Codable, Equatable, Sendable {
  package let beganAt: Instant
  package private(set) var cause: WaitCause
  /// What is missing or who holds the line, for a person: the check's name, the freeze's reason.
  package private(set) var detail: String?
  /// When the cause became so; of an ended book, when it ended.
  package private(set) var since: Instant
  package private(set) var hasEnded: Bool
  /// Closed intervals, sorted by cause, each once, none empty.
  private var spent: [WaitPart]
  /// Of those, the work that went into the builds that the entry has now, likewise.
  private var invested: [WaitPart]

  /// - Parameter at: when the change was approved, or submitted where nobody need approve.
  package init(at: Instant, cause: WaitCause, detail: String? = nil) {
    beganAt = at
    since = at
    self.cause = cause
    self.detail = detail
    hasEnded = false
    spent = []
    invested = []
  }

  /// From now on it waits for `cause`. The same cause and detail change nothing.
  package mutating func turn(to cause: WaitCause, detail: String? = nil, at: Instant) {
    guard !hasEnded, cause != self.cause || detail != self.detail else { return }
    close(at)
    self.cause = cause
    self.detail = detail
  }

  /// Its builds were given up for a reason of the line, such as a culprit ahead: what they took stays where it is.
  package mutating func rebuild(at: Instant) {
    guard !hasEnded else { return }
    close(at)
    invested = []
  }

  /// A push past the queue made its builds worthless: the work in them, up to now, becomes `externalReset`.
  package mutating func reset(at: Instant) {
    guard !hasEnded else { return }
    close(at)
    for part in invested {
      Self.add(Span(milliseconds: -part.span.milliseconds), to: part.cause, in: &spent)
      Self.add(part.span, to: .externalReset, in: &spent)
    }
    invested = []
  }

  /// It landed or left; nothing is counted any more.
  package mutating func end(at: Instant) {
    guard !hasEnded else { return }
    close(at)
    invested = []
    hasEnded = true
  }

  /// Sorted by cause, each once, none empty; they sum to `whole`. An ended book has the same parts at all times.
  package func parts(at now: Instant) -> [WaitPart] {
    var parts = spent
    if !hasEnded { Self.add(max(now - since, .zero), to: cause, in: &parts) }
    return parts
  }

  package func whole(at now: Instant) -> Span { (hasEnded ? since : max(now, since)) - beganAt }

  private mutating func close(_ at: Instant) {
    let span = max(at - since, .zero)
    Self.add(span, to: cause, in: &spent)
    if cause.isWork { Self.add(span, to: cause, in: &invested) }
    since = max(at, since)
  }

  private static func add(_ span: Span, to cause: WaitCause, in parts: inout [WaitPart]) {
    guard span != .zero else { return }
    let index = parts.firstIndex { $0.cause >= cause } ?? parts.count
    guard index < parts.count, parts[index].cause == cause else {
      parts.insert(WaitPart(cause: cause, span: span), at: index)
      return
    }
    let sum = parts[index].span + span
    if sum == .zero { parts.remove(at: index) } else { parts[index] = WaitPart(cause: cause, span: sum) }
  }
}

extension Span {
  /// "41 min", "1 h 5 min", "20 s": for people, rounded to what matters.
  package var plainly: String {
    let seconds = (max(self, .zero).milliseconds + 500) / 1000
    if seconds < 90 { return "\(seconds) s" }
    let minutes = (seconds + 30) / 60
    if minutes < 120 { return "\(minutes) min" }
    if minutes < 48 * 60 { return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes / 60) h \(minutes % 60) min" }
    return "\((minutes + 720) / 1440) days"
  }
}
