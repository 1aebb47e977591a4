import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Yams

/// Reads one service against the environments.
struct ServiceReader {
  let reading: Reading
  let environments: [EnvironmentDraft]
  let queue: QueueSettings
  let announceTargets: Int

  struct Draft {
    let service: Topology.Service
    let queue: MergeQueue.Policy
    let runs: [PlimsollFile.Run]
    let ceilings: [PlimsollFile.Ceiling]
  }

  static let keys = [
    "repository", "trunk", "test", "build", "build-time-limit", "output", "run", "ready", "variables", "instances",
    "slo", "port-variable", "stop-limit", "memory-limit", "environments",
  ]
  static let sloKeys = ["p99", "availability"]
  /// The article asks that CI end "under 15 minutes"; a build that takes longer is stuck.
  static let buildTimeLimit = Span.minutes(15)
  static let readinessLimit = Span.seconds(30)
  static let stopLimit = Span.seconds(10)

  init(_ reading: Reading, environments: [EnvironmentDraft], queue: QueueSettings, announceTargets: Int) {
    self.reading = reading
    self.environments = environments
    self.queue = queue
    self.announceTargets = announceTargets
  }

  func read(
    _ name: ServiceName, _ node: Node, at keyNode: Node, repositories: inout [PlimsollFile.Repository], folder: String
  ) -> Draft? {
    let subject = "services.\(name)"
    guard let fields = reading.fields(node, subject, Self.keys) else { return nil }
    let repository = repository(name, fields, node, subject, folder, &repositories)
    let trunk =
      fields["trunk"].map { node in
        reading.value(node, "\(subject).trunk", expected: "a branch name", BranchName.init(rawValue:))
      } ?? BranchName(rawValue: "main")
    let test = required("test", fields, node, subject)
    let build = required("build", fields, node, subject)
    let output = required("output", fields, node, subject).flatMap {
      outputFolder($0, fields["output"] ?? node, subject)
    }
    let run = required("run", fields, node, subject)
    let ready = fields["ready"].map { readinessPath($0, "\(subject).ready") } ?? "/"
    let level = level(fields["slo"], subject)
    let places = places(fields["environments"], subject)
    let limits = limits(fields, subject)
    let buildLimit = fields["build-time-limit"].flatMap { reading.limit($0, "\(subject).build-time-limit") }
    let shared = fields["variables"].map { variables($0, "\(subject).variables") } ?? []
    for variable in shared + places.sorted(by: { $0.key < $1.key }).flatMap(\.value.variables)
    where variable.name == limits.portVariable {
      reading.fail(
        fields["port-variable"] ?? node,
        "\(subject).port-variable: '\(variable.name)' is also among the variables; the port goes there alone")
    }
    warn(fields, places, subject, keyNode)
    guard let repository, let trunk, let test, let build, let output, let run, let ready else { return nil }

    var runs: [PlimsollFile.Run] = []
    var stages: [Topology.Environment] = []
    var ceilings: [PlimsollFile.Ceiling] = []
    for (index, environment) in environments.enumerated() {
      let place = places[environment.name] ?? PlaceDraft()
      let isLast = index == environments.count - 1
      let draft = place.rollout.over(environment.rollout)
      let rollout = policy(name, environment, draft, level, isLast: isLast)
      stages.append(
        Topology.Environment(
          stage: Promotion.Stage(
            environment: environment.name, checks: environment.checks + place.checks, soak: environment.soak),
          rollout: rollout))
      if rollout.judged {
        let (share, origin) = level.ceiling(explicit: draft.ceiling)
        ceilings.append(
          PlimsollFile.Ceiling(service: name, environment: environment.name, share: share, origin: origin))
      }
      runs.append(
        PlimsollFile.Run(
          service: name, environment: environment.name,
          specification: RunSpecification(
            command: run, readinessPath: ready, readinessLimit: Self.readinessLimit,
            instances: place.instances ?? limits.instances ?? (isLast ? 2 : 1), stopLimit: limits.stop,
            portVariable: limits.portVariable, memoryLimitBytes: place.memory ?? limits.memory),
          variables: merge(shared, place.variables), port: place.port))
    }
    let service = Topology.Service(
      name: name, repository: repository, trunk: trunk,
      build: Promotion.BuildStep(
        command: build, output: output,
        timeLimit: buildLimit ?? Self.buildTimeLimit),
      environments: stages)
    let policy = MergeQueue.Policy(
      repository: repository, trunk: trunk, slots: queue.slots, method: queue.method, messageTemplate: queue.message,
      command: test, timeLimit: queue.timeLimit, capacity: queue.capacity)
    return Draft(service: service, queue: policy, runs: runs, ceilings: ceilings)
  }

  // MARK: Parts

  /// What is legal and probably not meant.
  private func warn(
    _ fields: [String: Node], _ places: [EnvironmentName: PlaceDraft], _ subject: String, _ keyNode: Node
  ) {
    if fields["slo"] == nil {
      reading.warn(
        keyNode,
        "\(subject): no slo is set, so a P99 of \(ServiceLevel.assumedP99.milliseconds)ms is assumed; "
          + "set 'slo: { p99: … }'")
    }
    guard let last = environments.last?.name, environments.count > 1 else { return }
    let isChecked = environments.dropLast().contains { environment in
      !environment.checks.isEmpty || places[environment.name]?.checks.isEmpty == false
    }
    if !isChecked {
      reading.warn(
        keyNode,
        "\(subject): no environment before \(last) has a check, so whatever starts goes on to \(last); add 'checks:'")
    }
  }

  private func required(_ key: String, _ fields: [String: Node], _ node: Node, _ subject: String) -> String? {
    guard let value = fields[key] else {
      reading.fail(node, "\(subject): expected '\(key)', which has no default")
      return nil
    }
    return reading.text(value, "\(subject).\(key)")
  }

  /// Either a name from `repositories:` or a path or URL, which then is a repository of the service's own name.
  private func repository(
    _ service: ServiceName, _ fields: [String: Node], _ node: Node, _ subject: String, _ folder: String,
    _ repositories: inout [PlimsollFile.Repository]
  ) -> RepositoryName? {
    guard let text = required("repository", fields, node, subject) else { return nil }
    if let known = repositories.first(where: { $0.name.rawValue == text }) { return known.name }
    if let name = RepositoryName(rawValue: text), !repositories.isEmpty {
      let names = repositories.map(\.name.rawValue)
      reading.fail(
        fields["repository"] ?? node,
        "\(subject).repository: no repository is named '\(name)'\(Reading.hint(text, names)); write './\(text)' for a folder"
      )
      return nil
    }
    let location = resolveLocation(text, folder: folder)
    // Services that live in one repository share its queue: two queues would push to one trunk.
    if let known = repositories.first(where: { $0.location == location }) { return known.name }
    guard let name = RepositoryName(rawValue: service.rawValue) else { return nil }
    if let other = repositories.first(where: { $0.name == name }) {
      reading.fail(
        fields["repository"] ?? node,
        "\(subject).repository: the repository '\(name)' is already \(other.location); write 'repository: \(name)' for that one"
      )
      return nil
    }
    repositories.append(PlimsollFile.Repository(name: name, location: location))
    return name
  }

  private func outputFolder(_ text: String, _ node: Node, _ subject: String) -> String? {
    let parts = text.split(separator: "/")
    guard !text.hasPrefix("/"), !parts.contains(".."), !parts.isEmpty else {
      reading.fail(node, "\(subject).output: expected a folder inside the checkout, found '\(text)'")
      return nil
    }
    return parts.joined(separator: "/")
  }

  private func readinessPath(_ node: Node, _ subject: String) -> String? {
    reading.value(node, subject, expected: "a path such as /healthz") { text in
      text.hasPrefix("/") && !text.contains(where: { $0.isWhitespace || $0.isNewline }) ? text : nil
    }
  }

  private func level(_ node: Node?, _ subject: String) -> ServiceLevel {
    var level = ServiceLevel()
    guard let node, let fields = reading.fields(node, "\(subject).slo", Self.sloKeys) else { return level }
    level.availability = fields["availability"].flatMap { reading.share($0, "\(subject).slo.availability") }
    if let p99 = fields["p99"].flatMap({ reading.limit($0, "\(subject).slo.p99") }) { level.p99 = p99 }
    return level
  }

  private struct Limits {
    var instances: Int?
    var stop = ServiceReader.stopLimit
    var memory: Int64?
    var portVariable = "PORT"
  }

  private func limits(_ fields: [String: Node], _ subject: String) -> Limits {
    var limits = Limits()
    limits.instances = fields["instances"].flatMap { reading.whole($0, "\(subject).instances", in: 1...32) }
    limits.stop = fields["stop-limit"].flatMap { reading.span($0, "\(subject).stop-limit") } ?? Self.stopLimit
    limits.memory = fields["memory-limit"].flatMap { memory($0, "\(subject).memory-limit") }
    limits.portVariable =
      fields["port-variable"].flatMap { node in
        reading.value(node, "\(subject).port-variable", expected: "a variable name such as PORT") {
          isVariableName($0) ? $0 : nil
        }
      } ?? "PORT"
    return limits
  }

  private func memory(_ node: Node, _ subject: String) -> Int64? {
    reading.value(node, subject, expected: "a size such as 256MB", parseBytes)
  }

  private func policy(
    _ service: ServiceName, _ environment: EnvironmentDraft, _ draft: RolloutDraft, _ level: ServiceLevel, isLast: Bool
  ) -> Rollout.Policy {
    var judge = JudgePolicy(sloP99: level.p99, ceiling: level.ceiling(explicit: draft.ceiling).share)
    if let value = draft.errorRatio { judge.errorRatio = value }
    if let value = draft.latencyFactor { judge.latencyFactor = value }
    if let value = draft.needless { judge.falseRollbackBudget = value }
    if let value = draft.mustDetect { judge.mustDetectRatio = value }
    // Only the last environment has users to judge by; before it, checks judge, so nothing waits for traffic there.
    let judged = draft.judged ?? isLast
    return Rollout.Policy(
      service: service, environment: environment.name, steps: draft.steps ?? (judged ? [10, 50, 100] : [100]),
      stepMinimum: draft.stepMinimum ?? (judged ? .seconds(60) : .zero),
      finalWatch: draft.finalWatch ?? (judged ? .minutes(5) : .zero), judged: judged, judge: judge,
      scarcity: draft.scarcity ?? .hold, startLimit: draft.startLimit ?? .minutes(2),
      crashLimit: draft.crashLimit ?? 3, keep: draft.keep ?? 3, announceTargets: announceTargets)
  }
}
