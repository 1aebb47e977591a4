import Kernel
import Promotions
import Yams

/// What a service says about one environment: `services.NAME.environments.ENVIRONMENT`.
struct PlaceDraft {
  var variables: [PlimsollFile.VariableSource] = []
  var port: Int?
  var instances: Int?
  var memory: Int64?
  var checks: [Promotion.Check] = []
  var level = LevelDraft()
  var rollout = RolloutDraft()

  static let keys = ["variables", "port", "instances", "memory-limit", "slo", "checks"] + RolloutDraft.keys
}

extension ServiceReader {
  func places(_ node: Node?, _ subject: String, of service: ServiceName) -> [EnvironmentName: PlaceDraft] {
    guard let node, let pairs = reading.pairs(node, "\(subject).environments") else { return [:] }
    var result: [EnvironmentName: PlaceDraft] = [:]
    for pair in pairs {
      guard let environment = environments.first(where: { $0.name.rawValue == pair.key }) else {
        let names = environments.map(\.name.rawValue)
        reading.fail(
          pair.keyNode,
          "\(subject).environments: no environment is named '\(pair.key)'\(Reading.hint(pair.key, names)); known are \(names.joined(separator: ", "))"
        )
        continue
      }
      result[environment.name] = place(
        pair.value, "\(subject).environments.\(pair.key)", of: service, in: environment)
    }
    return result
  }

  private func place(
    _ node: Node, _ subject: String, of service: ServiceName, in environment: EnvironmentDraft
  ) -> PlaceDraft {
    var draft = PlaceDraft()
    guard let fields = reading.fields(node, subject, PlaceDraft.keys) else { return draft }
    draft.variables = fields["variables"].map { variables($0, "\(subject).variables") } ?? []
    draft.port = fields["port"].flatMap { reading.port($0, "\(subject).port") }
    draft.instances = fields["instances"].flatMap { reading.whole($0, "\(subject).instances", in: 1...32) }
    draft.memory = fields["memory-limit"].flatMap {
      reading.value($0, "\(subject).memory-limit", expected: "a size such as 256MB", parseBytes)
    }
    draft.checks = fields["checks"].map { EnvironmentsReader(reading).checks($0, "\(subject).checks") } ?? []
    for check in draft.checks where environment.checks.contains(where: { $0.name == check.name }) {
      reading.fail(
        fields["checks"] ?? node,
        "\(subject).checks: environments.\(environment.name) already has a check '\(check.name)'; choose another name")
    }
    draft.level = LevelReader(reading, folder: folder).read(fields["slo"], subject, of: service)
    draft.rollout = RolloutReader(reading).read(fields, subject)
    return draft
  }

  func variables(_ node: Node, _ subject: String) -> [PlimsollFile.VariableSource] {
    (reading.pairs(node, subject) ?? []).compactMap { pair in
      guard isVariableName(pair.key) else {
        reading.fail(pair.keyNode, "\(subject): '\(pair.key)' is no variable name; expected letters, digits and '_'")
        return nil
      }
      if Self.reservedVariables.contains(pair.key) || pair.key.hasPrefix("PLIMSOLL_") {
        reading.fail(pair.keyNode, "\(subject): '\(pair.key)' is set by Plimsoll; choose another name")
        return nil
      }
      return reading.source(pair.value, "\(subject).\(pair.key)").map {
        PlimsollFile.VariableSource(name: pair.key, source: $0)
      }
    }.sorted { $0.name < $1.name }
  }

  /// The platform gives these to each instance.
  static let reservedVariables = ["PORT", "HOME", "TMPDIR"]

  func merge(
    _ shared: [PlimsollFile.VariableSource], _ own: [PlimsollFile.VariableSource]
  ) -> [PlimsollFile.VariableSource] {
    (shared.filter { variable in !own.contains { $0.name == variable.name } } + own).sorted { $0.name < $1.name }
  }
}

func isVariableName(_ text: String) -> Bool {
  guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
  return text.utf8.allSatisfy { byte in
    byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}
