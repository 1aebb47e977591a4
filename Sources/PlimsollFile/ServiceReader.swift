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
  /// What relative paths are relative to.
  let folder: String
  /// Without one nobody watches an error budget.
  let isPrometheusNamed: Bool
  let databases: DatabasesReader
  let databaseDrafts: [DatabaseDraft]

  struct Draft {
    let service: Topology.Service
    let queue: MergeQueue.Policy
    let runs: [PlimsollFile.Run]
    let judged: [PlimsollFile.JudgedPlace]
    let levels: [PlimsollFile.PlaceLevel]
    let database: DatabaseUse?
  }

  static let keys = [
    "repository", "trunk", "test", "build", "build-time-limit", "output", "run", "ready", "variables", "instances",
    "slo", "port-variable", "stop-limit", "memory-limit", "environments", "evidence",
    "metrics", "database",
  ]
  /// The article asks that CI end "under 15 minutes"; a build that takes longer is stuck.
  static let buildTimeLimit = Span.minutes(15)
  static let readinessLimit = Span.seconds(30)
  static let stopLimit = Span.seconds(10)

  init(
    _ reading: Reading, environments: [EnvironmentDraft], queue: QueueSettings, announceTargets: Int, folder: String,
    isPrometheusNamed: Bool, databases: DatabasesReader, databaseDrafts: [DatabaseDraft]
  ) {
    self.reading = reading
    self.environments = environments
    self.queue = queue
    self.announceTargets = announceTargets
    self.folder = folder
    self.isPrometheusNamed = isPrometheusNamed
    self.databases = databases
    self.databaseDrafts = databaseDrafts
  }

  func read(
    _ name: ServiceName, _ node: Node, at keyNode: Node, repositories: inout [PlimsollFile.Repository]
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
    let level = LevelReader(reading, folder: folder).read(fields["slo"], subject, of: name)
    let places = places(fields["environments"], subject, of: name)
    let limits = limits(fields, subject)
    let buildLimit = fields["build-time-limit"].flatMap { reading.limit($0, "\(subject).build-time-limit") }
    let shared = fields["variables"].map { variables($0, "\(subject).variables") } ?? []
    for variable in shared + places.sorted(by: { $0.key < $1.key }).flatMap(\.value.variables)
    where variable.name == limits.portVariable {
      reading.fail(
        fields["port-variable"] ?? node,
        "\(subject).port-variable: '\(variable.name)' is also among the variables; the port goes there alone")
    }
    let metrics = MetricsReader(reading).read(fields, subject)
    warn(fields, places, subject, keyNode)
    let use = fields["database"].flatMap { node in
      databases.use(
        node, "\(subject).database", of: name, in: repository, trunk, among: databaseDrafts)
    }
    guard let repository, let trunk, let test, let build, let output, let run, let ready else { return nil }

    var runs: [PlimsollFile.Run] = []
    var stages: [Topology.Environment] = []
    var judged: [PlimsollFile.JudgedPlace] = []
    var levels: [PlimsollFile.PlaceLevel] = []
    for (index, environment) in environments.enumerated() {
      let place = places[environment.name] ?? PlaceDraft()
      let isLast = index == environments.count - 1
      let instances = place.instances ?? limits.instances ?? (isLast ? 2 : 1)
      let reader = PolicyReader(
        reading: reading, subject: "\(subject) in \(environment.name)", keyNode: keyNode,
        draft: place.rollout.over(environment.rollout), isLast: isLast)
      let ownLevel = place.level.over(level)
      // An objective is of where users are, unless a place names its own.
      let imported = place.level.imported ?? (isLast ? level.imported : nil)
      if let imported { levels.append(placeLevel(imported, ownLevel, name, environment.name)) }
      let judgedPlace = judgedPlace(
        name, environment.name, reader, ownLevel.level, metrics, instances: instances,
        objectives: isPrometheusNamed ? imported?.value.objectives ?? [] : [], database: use?.database)
      stages.append(
        Topology.Environment(
          stage: Promotion.Stage(
            environment: environment.name, checks: environment.checks + place.checks, soak: environment.soak,
            database: use?.database),
          rollout: judgedPlace.policy))
      if judgedPlace.policy.judged {
        if judgedPlace.expectation.traffic != nil { reader.warn(blindIn: judgedPlace.sight) }
        judged.append(judgedPlace)
      }
      runs.append(
        PlimsollFile.Run(
          service: name, environment: environment.name,
          specification: RunSpecification(
            command: run, readinessPath: ready, readinessLimit: Self.readinessLimit,
            instances: instances, stopLimit: limits.stop,
            portVariable: limits.portVariable, memoryLimitBytes: place.memory ?? limits.memory),
          variables: merge(shared, place.variables), port: place.port, metrics: metrics, baseline: reader.history))
    }
    let service = Topology.Service(
      name: name, repository: repository, trunk: trunk,
      build: Promotion.BuildStep(
        command: build, output: output,
        timeLimit: buildLimit ?? Self.buildTimeLimit),
      environments: stages)
    let policy = MergeQueue.Policy(
      repository: repository, trunk: trunk, slots: queue.slots, method: queue.method, messageTemplate: queue.message,
      command: test, timeLimit: queue.timeLimit, capacity: queue.capacity, scheduling: queue.scheduling,
      strict: queue.strict, lanes: queue.lanes, freezes: queue.freezes, requirements: queue.requirements,
      longestWait: queue.longestWait, reusedCheck: queue.reusedCheck, hotfixesPreempt: queue.hotfixesPreempt,
      notes: queue.notes)
    return Draft(service: service, queue: policy, runs: runs, judged: judged, levels: levels, database: use)
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

  private func placeLevel(
    _ imported: Placed<PlimsollFile.ImportedLevel>, _ level: LevelDraft, _ service: ServiceName,
    _ environment: EnvironmentName
  ) -> PlimsollFile.PlaceLevel {
    var replaced: [String] = []
    if let taken = imported.value.availability, let own = level.availability, own != taken.value {
      replaced.append("slo.availability \(percent(own))")
    }
    if let taken = imported.value.p99, let own = level.p99, own != taken.value {
      replaced.append("slo.p99 \(spanWords(own))")
    }
    if !isPrometheusNamed {
      reading.warn(
        imported.node,
        "services.\(service) in \(environment): nobody watches the error budgets of \(imported.value.file); "
          + "add 'prometheus: { url: … }'")
    }
    return PlimsollFile.PlaceLevel(
      service: service, environment: environment, imported: imported.value, isWatched: isPrometheusNamed,
      replaced: replaced)
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

  /// The policy of one place with its reasons; told to nobody where nothing is judged.
  private func judgedPlace(
    _ service: ServiceName, _ environment: EnvironmentName, _ reader: PolicyReader, _ level: ServiceLevel,
    _ metrics: PlimsollFile.MetricsPage?, instances: Int, objectives: [Objective],
    database: DatabaseName?
  ) -> PlimsollFile.JudgedPlace {
    let draft = reader.draft
    let (ceiling, origin) = level.ceiling(explicit: draft.ceiling)
    let budget = PlimsollFile.Budget(origin: draft.budget ?? .standard)
    var judge = JudgePolicy(sloP99: level.p99, ceiling: ceiling, falseRollbackBudget: budget.share)
    if let value = draft.errorRatio { judge.errorRatio = value }
    if let value = draft.latencyFactor { judge.latencyFactor = value }
    if let value = draft.mustDetect { judge.mustDetectRatio = value }
    judge.guards = metrics == nil ? reader.guards : reader.guards?.withoutThroughput
    let policy = reader.policy(
      service, environment, judge, instances: instances, announceTargets: announceTargets, objectives: objectives,
      database: database)
    let expectation = PlimsollFile.Expectation(
      traffic: draft.expectation.traffic, statedBaseline: draft.expectation.baseline)
    return PlimsollFile.JudgedPlace(
      policy: policy, ceiling: PlimsollFile.Ceiling(share: ceiling, origin: origin), budget: budget,
      expectation: expectation)
  }
}
