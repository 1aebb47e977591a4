import Kernel
import Promotions
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
    draft.rollout = RolloutReader(reading).read(fields, "environments.\(name)")
    if let history = draft.rollout.history {
      reading.fail(
        history.node,
        "environments.\(name).baseline.prometheus: selects one service's series; "
          + "write it in services.NAME.environments.\(name)")
    }
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
}
