import Kernel

/// What is watched of a new version beyond the article's three rules.
package struct GuardPolicy: Codable, Equatable, Sendable {
  /// Of `Rule.guards`, in that order.
  package let rules: [Rule]
  /// Checks of the user's own, asked again and again while a rollout is watched. Sorted by name.
  package let checks: [WatchCheck]
  package init(rules: [Rule] = Rule.guards, checks: [WatchCheck] = []) {
    self.rules = Rule.guards.filter(rules.contains)
    self.checks = checks.sorted { $0.name < $1.name }
  }

  /// Where requests are counted by the service itself: what does not pass the router counts there too, so shares say
  /// nothing.
  package var withoutThroughput: GuardPolicy { GuardPolicy(rules: rules.filter { $0 != .throughput }, checks: checks) }

  /// The part of the false-rollback budget that each of `rules` has. Two parts in a hundred make a guard wait for 2.6
  /// nats more than a tenth of the budget would, about one window of ten seconds; three guards together make the other
  /// rules wait for 0.06 nats, a hundredth of what they need.
  package static let budgetShare = 0.02
  /// What is left of the budget for the rules about requests.
  var budgetLeft: Double { 1 - GuardPolicy.budgetShare * Double(rules.count) }
}

/// A user's own check of data integrity.
package struct WatchCheck: Codable, Equatable, Sendable {
  package enum Question: Codable, Equatable, Sendable {
    case query(QueryCheck)
    /// Run in a clean checkout of the new version's commit. 0 is good, 1 is bad, everything else is unknown.
    case command(String, timeLimit: Span)
  }
  package let name: CheckName
  package let question: Question
  /// From one beginning to the next, if the answer came by then.
  package let every: Span
  /// Bad answers in a row that condemn.
  package let fails: Int

  /// A query costs little; a command wants a checkout.
  package static let defaultEveryQuery = Span.seconds(10)
  package static let defaultEveryCommand = Span.seconds(30)
  package static let shortestEvery = Span.seconds(1)
  package static let defaultTimeLimit = Span.seconds(30)
  /// One bad answer may be a moment's; Argo Rollouts and Kubernetes' probes ask again too.
  package static let defaultFails = 2

  package init(name: CheckName, question: Question, every: Span, fails: Int = defaultFails) {
    self.name = name
    self.question = question
    self.every = max(every, WatchCheck.shortestEvery)
    self.fails = max(fails, 1)
  }
}

/// What a check answered.
package enum CheckAnswer: Codable, Equatable, Sendable {
  case good
  /// What was seen, against what: half a sentence, at most `longest` characters.
  case bad(String)
  /// No evidence, and why.
  case unknown(String)

  /// As much of a command's output as fits into a report.
  package static let longest = 400

  /// How a command's end is read. 1 is what shells and test programs say when an assertion fails; 2 and more are their
  /// own trouble, and so are signals and time limits.
  package init(_ end: RunEnd, logTail: String, timeLimit: Span) {
    let tail = logTail.split(whereSeparator: \.isNewline).joined(separator: " / ")
    let said = tail.isEmpty ? "it said nothing" : "it said: \(tail.suffix(CheckAnswer.longest))"
    switch end {
    case .exited(code: 0): self = .good
    case .exited(code: 1): self = .bad("it ended with 1 where 0 is good; \(said)")
    case .exited(let code): self = .unknown("it ended with \(code), which is neither 0 nor 1; \(said)")
    case .signalled(let number): self = .unknown("it was ended by signal \(number); \(said)")
    case .timedOut: self = .unknown("it did not end within \(timeLimit.words); \(said)")
    case .cancelled: self = .unknown("it was broken off")
    }
  }

  package init(_ outcome: QueryCheck.Outcome, of check: QueryCheck) {
    switch outcome {
    case .holds: self = .good
    case .violated(let value):
      self = .bad(
        "'\(check.query.prefix(CheckAnswer.longest))' gives \(value) where \(check.mustBe.words) \(check.threshold) "
          + "is good")
    case .unknown(let reason): self = .unknown(String(reason.prefix(CheckAnswer.longest)))
    }
  }
}

extension QueryCheck.Comparison {
  var words: String {
    switch self {
    case .below: "below"
    case .atMost: "at most"
    case .above: "above"
    case .atLeast: "at least"
    }
  }
}
