// What the reading calls of `/v1` answer.

/// `GET /v1/overview`: what is where, what moves, why it waits.
public struct Overview: Codable, Equatable, Sendable {
  public var services: [ServiceView]
  public var queues: [QueueView]
  /// Promotions that are under way or halted, newest landing first; at most 20.
  public var promotions: [PromotionView]
  /// Streams that stopped at a defect, and a ledger that cannot be written: one sentence each.
  public var troubles: [String]
  public init(services: [ServiceView], queues: [QueueView], promotions: [PromotionView], troubles: [String]) {
    self.services = services
    self.queues = queues
    self.promotions = promotions
    self.troubles = troubles
  }
}

public struct ServiceView: Codable, Equatable, Sendable {
  public var name: String
  /// Nil when plimsoll.yaml no longer names the service.
  public var repository: String?
  /// In the order of promotion.
  public var environments: [EnvironmentView]
  public init(name: String, repository: String?, environments: [EnvironmentView]) {
    self.name = name
    self.repository = repository
    self.environments = environments
  }
}

/// One service in one environment.
public struct EnvironmentView: Codable, Equatable, Sendable {
  public var service: String
  public var environment: String
  /// `http://127.0.0.1:PORT`; nil before the first route.
  public var address: String?
  /// Known-good; nil before the first rollout completed.
  public var serving: DeploymentView?
  /// `idle`, `sealing`, `placing`, `drilling`, `stepping`, `scaling`, `watching`, `gated`, `finalWatch`, `finishing`,
  /// `restoring`, `reporting`; gone from the configuration `closing`, then `retired`.
  public var phase: String
  /// One sentence: what happens, and why it waits.
  public var sentence: String
  public var rollout: RolloutView?
  /// Confirmed by the router.
  public var shares: [ShareView]
  public var condemned: [CondemnedView]
  /// What `rollback --to` may name.
  public var targets: [DeploymentView]
  /// The id of the deployment that a rollback now would leave: the running rollout's, else the serving one; nil when
  /// there is neither. Sent back as `RollbackRequest.from` it makes the request safe to repeat.
  public var leaving: String?
  /// Nil unless rollouts are held here.
  public var freeze: FreezeView?
  /// Nil unless somebody set one.
  public var floor: FloorView?
  /// The newest one; nil before the first.
  public var drill: DrillView?
  /// One for each objective whose error budget is watched here.
  public var budgets: [BudgetView]
  public init(
    service: String, environment: String, address: String?, serving: DeploymentView?, phase: String, sentence: String,
    rollout: RolloutView?, shares: [ShareView], condemned: [CondemnedView], targets: [DeploymentView],
    leaving: String?, freeze: FreezeView?, floor: FloorView?, drill: DrillView?, budgets: [BudgetView]
  ) {
    self.service = service
    self.environment = environment
    self.address = address
    self.serving = serving
    self.phase = phase
    self.sentence = sentence
    self.rollout = rollout
    self.shares = shares
    self.condemned = condemned
    self.targets = targets
    self.leaving = leaving
    self.freeze = freeze
    self.floor = floor
    self.drill = drill
    self.budgets = budgets
  }
}

public struct DeploymentView: Codable, Equatable, Sendable {
  public var id: String
  public var digest: String
  public var commit: String
  public var configuration: String
  public var title: String?
  public init(id: String, digest: String, commit: String, configuration: String, title: String?) {
    self.id = id
    self.digest = digest
    self.commit = commit
    self.configuration = configuration
    self.title = title
  }
}

public struct ShareView: Codable, Equatable, Sendable {
  public var deployment: String
  public var percent: Int
  public init(deployment: String, percent: Int) {
    self.deployment = deployment
    self.percent = percent
  }
}

public struct CondemnedView: Codable, Equatable, Sendable {
  public var digest: String
  public var cause: String
  public var sentence: String
  public var atMs: Int64
  public init(digest: String, cause: String, sentence: String, atMs: Int64) {
    self.digest = digest
    self.cause = cause
    self.sentence = sentence
    self.atMs = atMs
  }
}

/// `GET /v1/rollouts/{service}/{environment}/{id}`
public struct RolloutView: Codable, Equatable, Sendable {
  public var service: String
  public var environment: String
  public var id: Int
  /// `forward`, `rollback` or `drill`.
  public var kind: String
  /// `running`, `completed`, `rolledBack`, `takenOut`, `abandoned`.
  public var outcome: String
  public var deployment: DeploymentView
  public var knownGood: DeploymentView?
  /// The shares of `plan`.
  public var steps: [Int]
  public var plan: [StepView]
  /// Index into `plan` and `steps`; nil outside of them.
  public var step: Int?
  /// `canary`, `blue-green` or `all-at-once`; nil when its policy is not known any more.
  public var strategy: String?
  /// Percent that the old version keeps through the bake.
  public var holdback: Int
  /// The header or cookie with which one meets the new version whatever its share.
  public var preview: String?
  /// What the judge compares with, and so how sure a verdict can be; nil where nothing is judged.
  public var guarantee: String?
  public var startedAtMs: Int64
  public var endedAtMs: Int64?
  /// `good`, `bad`, `notEnoughEvidence`, `sourceBroken`; nil before the first verdict.
  public var verdict: String?
  public var sentence: String?
  /// While it runs: which worsening would be seen at its traffic, and after how long.
  public var detectable: String?
  /// Nil unless a person is asked now.
  public var gate: GateView?
  /// Nil unless it runs and the judge cannot say.
  public var inconclusive: InconclusiveView?
  /// What its evidence cannot tell, and where its baseline is from if not from there: a sentence each.
  public var caveats: [String]
  /// Nil unless it drilled.
  public var drill: DrillView?
  public var report: RollbackReportView?
  public init(
    service: String, environment: String, id: Int, kind: String, outcome: String, deployment: DeploymentView,
    knownGood: DeploymentView?, plan: [StepView], step: Int?, strategy: String?, holdback: Int, preview: String?,
    guarantee: String?, startedAtMs: Int64, endedAtMs: Int64?, verdict: String?, sentence: String?,
    detectable: String?, gate: GateView?, inconclusive: InconclusiveView?, caveats: [String], drill: DrillView?,
    report: RollbackReportView?
  ) {
    self.service = service
    self.environment = environment
    self.id = id
    self.kind = kind
    self.outcome = outcome
    self.deployment = deployment
    self.knownGood = knownGood
    steps = plan.map(\.percent)
    self.plan = plan
    self.step = step
    self.strategy = strategy
    self.holdback = holdback
    self.preview = preview
    self.guarantee = guarantee
    self.startedAtMs = startedAtMs
    self.endedAtMs = endedAtMs
    self.verdict = verdict
    self.sentence = sentence
    self.detectable = detectable
    self.gate = gate
    self.inconclusive = inconclusive
    self.caveats = caveats
    self.drill = drill
    self.report = report
  }
}

public struct RollbackReportView: Codable, Equatable, Sendable {
  /// `infrastructure`, `logic`, `performance`, `operator`.
  public var cause: String
  public var sentence: String
  /// What keeps the next one of this cause from coming so far; nil when a person decided.
  public var remedy: String?
  public var firstBadAtMs: Int64?
  public var detectedAtMs: Int64
  public var decidedAtMs: Int64
  public var lastBadAtMs: Int64?
  /// When the router confirmed that the version gets nothing; absent when the place was closed before.
  public var restoredAtMs: Int64?
  /// When plimsoll.yaml stopped naming the place, if that came before.
  public var closedAtMs: Int64?
  public var requestsHurt: Int
  public var clientMinutesHurt: Int
  /// The digest returned to; nil when nobody else could serve.
  public var to: String?
  public init(
    cause: String, sentence: String, remedy: String?, firstBadAtMs: Int64?, detectedAtMs: Int64, decidedAtMs: Int64,
    lastBadAtMs: Int64?, restoredAtMs: Int64?, closedAtMs: Int64? = nil, requestsHurt: Int, clientMinutesHurt: Int,
    to: String?
  ) {
    self.cause = cause
    self.sentence = sentence
    self.remedy = remedy
    self.firstBadAtMs = firstBadAtMs
    self.detectedAtMs = detectedAtMs
    self.decidedAtMs = decidedAtMs
    self.lastBadAtMs = lastBadAtMs
    self.restoredAtMs = restoredAtMs
    self.closedAtMs = closedAtMs
    self.requestsHurt = requestsHurt
    self.clientMinutesHurt = clientMinutesHurt
    self.to = to
  }
}

/// `GET /v1/promotions/{service}/{commit}`
public struct PromotionView: Codable, Equatable, Sendable {
  public var service: String
  public var commit: String
  public var title: String
  public var author: String
  public var landedAtMs: Int64
  /// `building`, `unbuilt`, `promoting`, `halted`, `completed`.
  public var phase: String
  /// One sentence: where it is, and why it waits.
  public var sentence: String
  public var digest: String?
  public var provenance: String?
  public var buildLog: String?
  public var bytes: Int64?
  public var stages: [StageView]
  public init(
    service: String, commit: String, title: String, author: String, landedAtMs: Int64, phase: String,
    sentence: String, digest: String?, provenance: String?, buildLog: String?, bytes: Int64?, stages: [StageView]
  ) {
    self.service = service
    self.commit = commit
    self.title = title
    self.author = author
    self.landedAtMs = landedAtMs
    self.phase = phase
    self.sentence = sentence
    self.digest = digest
    self.provenance = provenance
    self.buildLog = buildLog
    self.bytes = bytes
    self.stages = stages
  }
}

public struct StageView: Codable, Equatable, Sendable {
  public var environment: String
  public var requestedAtMs: Int64?
  public var takenAtMs: Int64?
  public var servedAtMs: Int64?
  public var passedAtMs: Int64?
  public var checks: [CheckView]
  public init(
    environment: String, requestedAtMs: Int64?, takenAtMs: Int64?, servedAtMs: Int64?, passedAtMs: Int64?,
    checks: [CheckView]
  ) {
    self.environment = environment
    self.requestedAtMs = requestedAtMs
    self.takenAtMs = takenAtMs
    self.servedAtMs = servedAtMs
    self.passedAtMs = passedAtMs
    self.checks = checks
  }
}

public struct CheckView: Codable, Equatable, Sendable {
  public var name: String
  public var passed: Bool
  public var reason: String
  public var log: String
  public init(name: String, passed: Bool, reason: String, log: String) {
    self.name = name
    self.passed = passed
    self.reason = reason
    self.log = log
  }
}

/// One event of `GET /v1/events` and of the stream `GET /v1/events/live`.
public struct EventView: Codable, Equatable, Sendable {
  public var position: Int64
  public var stream: String
  public var version: Int64
  public var type: String
  public var atMs: Int64
  public var actor: String
  /// What it says, in one sentence.
  public var sentence: String
  /// The payload as JSON text.
  public var payload: String
  public init(
    position: Int64, stream: String, version: Int64, type: String, atMs: Int64, actor: String, sentence: String,
    payload: String
  ) {
    self.position = position
    self.stream = stream
    self.version = version
    self.type = type
    self.atMs = atMs
    self.actor = actor
    self.sentence = sentence
    self.payload = payload
  }
}
