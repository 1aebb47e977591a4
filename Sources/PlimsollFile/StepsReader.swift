import Kernel
import Rollouts
import Yams

/// Reads `strategy` and `steps`, which must fit each other.
struct StepsReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  static let stepKeys = ["share", "instances", "minimum", "detect", "approve"]
  /// As `rollback.must-detect`: worsenings that a step may be asked to show.
  static let ratios = 1.5...1000
  /// A plan is read by people; the article's ramp has four.
  static let mostSteps = 20
  static let instances = 1...32
  private static let example = "for example [10, 50, 100]"

  /// Nil when neither is said, or what is said is wrong.
  func read(_ fields: [String: Node], _ subject: String) -> PlanDraft? {
    let strategy = fields["strategy"].flatMap {
      reading.choice($0, "\(subject).strategy", Rollout.Strategy.self)
    }
    if fields["strategy"] != nil, strategy == nil { return nil }
    guard let node = fields["steps"] else {
      guard let strategy, let node = fields["strategy"] else { return nil }
      return PlanDraft(strategy: strategy, steps: nil, node: node)
    }
    guard let steps = steps(node, "\(subject).steps") else { return nil }
    let percents = steps.map(\.value.percent)
    let shown = Self.strategy(of: percents)
    if let strategy, shown != strategy {
      reading.fail(node, "\(subject).steps: \(Self.mismatch(strategy)), found \(Self.words(percents))")
      return nil
    }
    return PlanDraft(strategy: shown, steps: steps, node: node)
  }

  /// What steps without a named strategy amount to.
  private static func strategy(of percents: [Int]) -> Rollout.Strategy {
    if percents.contains(where: { (1..<100).contains($0) }) { return .canary }
    return percents.contains(0) ? .blueGreen : .allAtOnce
  }

  private static func mismatch(_ strategy: Rollout.Strategy) -> String {
    switch strategy {
    case .canary: "a canary needs a step between 0% and 100%, for example [10%, 50%, 100%]"
    case .blueGreen: "blue-green goes from 0% to 100% and knows no share between, so expected [0%, 100%]"
    case .allAtOnce: "all-at-once has one step, so expected [100%]"
    }
  }

  private static func words(_ percents: [Int]) -> String {
    "[\(percents.map { "\($0)%" }.joined(separator: ", "))]"
  }

  // MARK: Steps

  private func steps(_ node: Node, _ subject: String) -> [Placed<Rollout.Step>]? {
    guard let items = reading.items(node, subject) else { return nil }
    guard items.count <= Self.mostSteps else {
      reading.fail(node, "\(subject): expected at most \(Self.mostSteps) steps, found \(items.count)")
      return nil
    }
    let steps = items.compactMap { item in step(item, subject).map { Placed(value: $0, node: item) } }
    guard steps.count == items.count else { return nil }
    return ends(steps, node, subject) && rises(steps, subject) ? steps : nil
  }

  private func step(_ item: Node, _ subject: String) -> Rollout.Step? {
    if case .scalar = item { return percent(item, subject).map { Rollout.Step($0) } }
    guard let fields = reading.fields(item, subject, Self.stepKeys) else { return nil }
    guard let share = fields["share"] else {
      // An unknown key was told already, and may be the one.
      if case .mapping(let mapping) = item, mapping.count > fields.count { return nil }
      reading.fail(item, "\(subject): a step needs its share, for example '{ share: 10%, instances: 1 }'")
      return nil
    }
    // All keys are read before any is missed, so that one look shows all problems.
    let percent = percent(share, "\(subject).share")
    let instances = fields["instances"].map { reading.whole($0, "\(subject).instances", in: Self.instances) }
    let minimum = fields["minimum"].map { reading.span($0, "\(subject).minimum") }
    let detect = fields["detect"].map { reading.number($0, "\(subject).detect", in: Self.ratios) }
    let approve = fields["approve"].map { reading.flag($0, "\(subject).approve") }
    guard let percent, Self.isRead(instances), Self.isRead(minimum), Self.isRead(detect), Self.isRead(approve) else {
      return nil
    }
    if percent == 0, let node = fields["detect"] {
      reading.fail(node, "\(subject).detect: a step of 0% is never judged; leave it out, or give a share")
      return nil
    }
    return Rollout.Step(
      percent, instances: instances ?? nil, minimum: minimum ?? nil, detect: detect ?? nil,
      approval: (approve ?? nil) ?? false)
  }

  /// Not there, or there and right.
  private static func isRead<Value>(_ value: Value??) -> Bool {
    if case .some(.none) = value { return false }
    return true
  }

  private func percent(_ node: Node, _ subject: String) -> Int? {
    reading.value(node, subject, expected: "a whole percent from 0 to 100, such as 10 or 10%", parsePercent)
  }

  /// Percents rise; leading ones may be 0, and one may be repeated with more instances.
  private func rises(_ steps: [Placed<Rollout.Step>], _ subject: String) -> Bool {
    for (before, after) in zip(steps, steps.dropFirst()) {
      let (first, second) = (before.value, after.value)
      if second.percent < first.percent {
        reading.fail(
          after.node,
          "\(subject): expected rising percents that end with 100, \(Self.example), "
            + "found \(second.percent)% after \(first.percent)%")
        return false
      }
      let grows = (first.instances ?? .max) < (second.instances ?? .max)
      if second.percent == first.percent, second.percent > 0, !grows {
        reading.fail(
          after.node,
          "\(subject): \(second.percent)% stands here twice; a step may repeat a share only with more instances")
        return false
      }
      if (second.instances ?? .max) < (first.instances ?? .max) {
        reading.fail(after.node, "\(subject): a step may not have fewer instances than the one before")
        return false
      }
    }
    return true
  }

  /// The last step has everything, and its time is the final watch.
  private func ends(_ steps: [Placed<Rollout.Step>], _ node: Node, _ subject: String) -> Bool {
    guard let last = steps.last, last.value.percent == 100 else {
      reading.fail(node, "\(subject): expected rising percents that end with 100, \(Self.example)")
      return false
    }
    if last.value.instances != nil {
      reading.fail(
        last.node, "\(subject): the last step has all traffic and needs all instances; leave 'instances' out")
      return false
    }
    if last.value.minimum != nil {
      reading.fail(last.node, "\(subject): the last step's time is 'final-watch'; leave 'minimum' out")
      return false
    }
    return true
  }
}
