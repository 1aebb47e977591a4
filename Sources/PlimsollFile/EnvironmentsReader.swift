import Kernel
import Promotions
import Rollouts
import Yams

/// One environment as the file describes it for all services.
struct EnvironmentDraft {
  let name: EnvironmentName
  var checks: [Promotion.Check] = []
  var soak = Span.zero
  var rollout = RolloutDraft()

  static let keys = ["name", "checks", "soak"] + RolloutDraft.keys
  static let checkKeys = ["run", "time-limit"]
}

/// What of a rollout's policy the file says; nil means the default, which depends on the place in the order.
struct RolloutDraft {
  var steps: [Int]?
  var stepMinimum: Span?
  var finalWatch: Span?
  var judged: Bool?
  var scarcity: Rollout.WhenScarce?
  var startLimit: Span?
  var crashLimit: Int?
  var keep: Int?
  var errorRatio: Double?
  var latencyFactor: Double?
  var ceiling: Double?
  var needless: Double?
  var mustDetect: Double?

  static let keys = [
    "steps", "step-minimum", "final-watch", "judged", "when-scarce", "start-limit", "crash-limit", "keep", "rollback",
  ]
  static let thresholdKeys = ["error-ratio", "latency-factor", "ceiling", "needless", "must-detect"]

  /// What `self` leaves open is taken from `other`.
  func over(_ other: RolloutDraft) -> RolloutDraft {
    var result = self
    result.steps = steps ?? other.steps
    result.stepMinimum = stepMinimum ?? other.stepMinimum
    result.finalWatch = finalWatch ?? other.finalWatch
    result.judged = judged ?? other.judged
    result.scarcity = scarcity ?? other.scarcity
    result.startLimit = startLimit ?? other.startLimit
    result.crashLimit = crashLimit ?? other.crashLimit
    result.keep = keep ?? other.keep
    result.errorRatio = errorRatio ?? other.errorRatio
    result.latencyFactor = latencyFactor ?? other.latencyFactor
    result.ceiling = ceiling ?? other.ceiling
    result.needless = needless ?? other.needless
    result.mustDetect = mustDetect ?? other.mustDetect
    return result
  }
}

/// Reads `environments:`; the order in the file is the order of promotion.
struct EnvironmentsReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  /// The article's three.
  static let standard = ["integration", "staging", "production"]
  static let checkTimeLimit = Span.minutes(5)

  func read(_ node: Node?) -> [EnvironmentDraft] {
    guard let node else {
      return Self.standard.compactMap(EnvironmentName.init(rawValue:)).map { EnvironmentDraft(name: $0) }
    }
    var result: [EnvironmentDraft] = []
    for item in reading.items(node, "environments") ?? [] {
      guard let draft = environment(item) else { continue }
      if result.contains(where: { $0.name == draft.name }) {
        reading.fail(item, "environments: '\(draft.name)' stands here twice")
      } else {
        result.append(draft)
      }
    }
    if result.isEmpty { reading.fail(node, "environments: expected at least one, for example 'production'") }
    return result
  }

  private func environment(_ item: Node) -> EnvironmentDraft? {
    if case .scalar = item { return name(item).map { EnvironmentDraft(name: $0) } }
    guard let fields = reading.fields(item, "environments", EnvironmentDraft.keys) else {
      return nil
    }
    guard let nameNode = fields["name"] else {
      reading.fail(item, "environments: an entry needs a name, for example '- name: production'")
      return nil
    }
    guard let name = name(nameNode) else { return nil }
    var draft = EnvironmentDraft(name: name)
    draft.checks = fields["checks"].map { checks($0, "environments.\(name).checks") } ?? []
    draft.soak = fields["soak"].flatMap { reading.span($0, "environments.\(name).soak") } ?? .zero
    draft.rollout = rollout(fields, "environments.\(name)")
    return draft
  }

  private func name(_ node: Node) -> EnvironmentName? {
    reading.value(
      node, "environments", expected: "a name of 1 to \(longestName) lower-case letters, digits and hyphens",
      EnvironmentName.init(rawValue:))
  }

  func checks(_ node: Node, _ subject: String) -> [Promotion.Check] {
    (reading.pairs(node, subject) ?? []).compactMap { pair in
      guard let name = CheckName(rawValue: pair.key) else {
        reading.fail(pair.keyNode, "\(subject): '\(pair.key)' is no name; expected lower-case letters, digits, hyphens")
        return nil
      }
      if case .scalar = pair.value {
        return reading.text(pair.value, "\(subject).\(name)").map {
          Promotion.Check(name: name, command: $0, timeLimit: Self.checkTimeLimit)
        }
      }
      guard let fields = reading.fields(pair.value, "\(subject).\(name)", EnvironmentDraft.checkKeys) else {
        return nil
      }
      guard let run = fields["run"] else {
        reading.fail(pair.value, "\(subject).\(name): expected 'run: COMMAND'")
        return nil
      }
      let limit = fields["time-limit"].flatMap { reading.limit($0, "\(subject).\(name).time-limit") }
      return reading.text(run, "\(subject).\(name).run").map {
        Promotion.Check(name: name, command: $0, timeLimit: limit ?? Self.checkTimeLimit)
      }
    }
  }

  func rollout(_ fields: [String: Node], _ subject: String) -> RolloutDraft {
    var draft = RolloutDraft()
    draft.steps = fields["steps"].flatMap { steps($0, "\(subject).steps") }
    draft.stepMinimum = fields["step-minimum"].flatMap { reading.span($0, "\(subject).step-minimum") }
    draft.finalWatch = fields["final-watch"].flatMap { reading.span($0, "\(subject).final-watch") }
    draft.judged = fields["judged"].flatMap { reading.flag($0, "\(subject).judged") }
    draft.scarcity = fields["when-scarce"].flatMap { scarcity($0, "\(subject).when-scarce") }
    draft.startLimit = fields["start-limit"].flatMap { reading.limit($0, "\(subject).start-limit") }
    draft.crashLimit = fields["crash-limit"].flatMap { reading.whole($0, "\(subject).crash-limit", in: 1...100) }
    draft.keep = fields["keep"].flatMap { reading.whole($0, "\(subject).keep", in: 1...20) }
    if let node = fields["rollback"] { thresholds(node, "\(subject).rollback", into: &draft) }
    return draft
  }

  private func thresholds(_ node: Node, _ subject: String, into draft: inout RolloutDraft) {
    guard let fields = reading.fields(node, subject, RolloutDraft.thresholdKeys) else { return }
    draft.errorRatio = fields["error-ratio"].flatMap { reading.number($0, "\(subject).error-ratio", in: 1.1...1000) }
    draft.latencyFactor = fields["latency-factor"].flatMap {
      reading.number($0, "\(subject).latency-factor", in: 1...1000)
    }
    draft.ceiling = fields["ceiling"].flatMap { reading.share($0, "\(subject).ceiling") }
    draft.needless = fields["needless"].flatMap { reading.share($0, "\(subject).needless") }
    draft.mustDetect = fields["must-detect"].flatMap { reading.number($0, "\(subject).must-detect", in: 1.5...1000) }
    if let node = fields["ceiling"] {
      draft.ceiling = judged(draft.ceiling, by: JudgePolicy.ceilings, at: node, "\(subject).ceiling")
    }
    if let node = fields["needless"] {
      draft.needless = judged(draft.needless, by: JudgePolicy.budgets, at: node, "\(subject).needless")
    }
  }

  /// The judge would read a share beyond its range as the nearest one within: nobody's wish is bent silently.
  private func judged(
    _ share: Double?, by range: ClosedRange<Double>, at node: Node, _ subject: String
  ) -> Double? {
    guard let share, !range.contains(share) else { return share }
    reading.fail(
      node,
      "\(subject): expected a share from \(range.lowerBound * 100)% to \(range.upperBound * 100)%, found \(share * 100)%"
    )
    return nil
  }

  private func steps(_ node: Node, _ subject: String) -> [Int]? {
    guard let items = reading.items(node, subject) else { return nil }
    let steps = items.compactMap { item in
      reading.value(item, subject, expected: "percents from 1 to 100") { text in
        Int(text.hasSuffix("%") ? String(text.dropLast()) : text).flatMap { (1...100).contains($0) ? $0 : nil }
      }
    }
    guard steps.count == items.count else { return nil }
    guard steps.last == 100, zip(steps, steps.dropFirst()).allSatisfy({ $0 < $1 }) else {
      reading.fail(node, "\(subject): expected rising percents that end with 100, for example [10, 50, 100]")
      return nil
    }
    return steps
  }

  private func scarcity(_ node: Node, _ subject: String) -> Rollout.WhenScarce? {
    reading.value(node, subject, expected: "'hold' or 'advance after 30m'") { text in
      if text == "hold" { return .hold }
      guard text.hasPrefix("advance after ") else { return nil }
      return parseSpan(String(text.dropFirst("advance after ".count))).map { .advance(after: $0) }
    }
  }
}
