// Deployments that something else makes, judged and never touched. Instants are milliseconds since
// 1970-01-01T00:00:00Z (`…AtMs`), spans are milliseconds (`…Ms`).

/// `GET /v1/observations`
public struct ObservationsView: Codable, Equatable, Sendable {
  /// Of all places together.
  public var score: ScoreView
  /// Sorted by service and environment.
  public var places: [ObservedPlaceView]
  public init(score: ScoreView, places: [ObservedPlaceView]) {
    self.score = score
    self.places = places
  }
}

/// What Plimsoll would have done against what the team did, over all deployments with an outcome.
public struct ScoreView: Codable, Equatable, Sendable {
  public var deployments: Int
  /// Both kept it.
  public var bothKept: Int
  /// Both went back.
  public var bothWentBack: Int
  /// From when Plimsoll would have gone back to when the team had, over `bothWentBack`.
  public var savedMs: Int64
  /// Plimsoll would have gone back, and the team kept it.
  public var needless: Int
  /// The team went back, and Plimsoll would have kept it.
  public var missed: Int
  /// Plimsoll could not tell.
  public var untold: Int
  /// Plimsoll would have gone back, and the team went on to another version.
  public var undecided: Int
  public var sentence: String
  public init(
    deployments: Int, bothKept: Int, bothWentBack: Int, savedMs: Int64, needless: Int, missed: Int, untold: Int,
    undecided: Int, sentence: String
  ) {
    self.deployments = deployments
    self.bothKept = bothKept
    self.bothWentBack = bothWentBack
    self.savedMs = savedMs
    self.needless = needless
    self.missed = missed
    self.untold = untold
    self.undecided = undecided
    self.sentence = sentence
  }
}

/// `GET /v1/observations/{service}/{environment}`
public struct ObservedPlaceView: Codable, Equatable, Sendable {
  public var service: String
  public var environment: String
  /// `unseen`, `serving`, `watching`, `closed`.
  public var phase: String
  /// What is so now, in one sentence.
  public var sentence: String
  /// Nil before any version was seen or told.
  public var serving: String?
  /// Versions that show themselves now, sorted.
  public var present: [String]
  public var score: ScoreView
  /// Newest first; the one under watch among them, at most 100 with an outcome.
  public var deployments: [ObservedDeploymentView]
  public init(
    service: String, environment: String, phase: String, sentence: String, serving: String?, present: [String],
    score: ScoreView, deployments: [ObservedDeploymentView]
  ) {
    self.service = service
    self.environment = environment
    self.phase = phase
    self.sentence = sentence
    self.serving = serving
    self.present = present
    self.score = score
    self.deployments = deployments
  }
}

/// `GET /v1/observations/{service}/{environment}/{id}`
public struct ObservedDeploymentView: Codable, Equatable, Sendable {
  public var id: Int
  public var version: String
  public var previous: String
  public var deployedAtMs: Int64
  /// `label`, `webhook`, `person`.
  public var source: String
  /// `watching`, `wouldHaveRolledBack`, `wouldHaveKept`, `couldNotTell`.
  public var judgement: String
  /// What the judge says, in one or two sentences.
  public var judgementSentence: String
  /// When Plimsoll would have gone back.
  public var wouldHaveRolledBackAtMs: Int64?
  /// `errorRate`, `latency`, `ceiling` or another rule; of a conviction only.
  public var rule: String?
  /// `kept`, `rolledBack`, `replaced`; nil while it is watched.
  public var team: String?
  public var teamSentence: String?
  /// When the team went back, or replaced it.
  public var teamActedAtMs: Int64?
  /// `bothKept`, `bothWentBack`, `needless`, `missed`, `untold`, `undecided`; nil while it is watched.
  public var comparison: String?
  public var comparisonSentence: String?
  /// Of `bothWentBack`: how much earlier Plimsoll would have been.
  public var savedMs: Int64?
  /// Until when it is judged, or was.
  public var endsAtMs: Int64
  /// Who corrected what the team did.
  public var correctedBy: String?
  public init(
    id: Int, version: String, previous: String, deployedAtMs: Int64, source: String, judgement: String,
    judgementSentence: String, wouldHaveRolledBackAtMs: Int64?, rule: String?, team: String?, teamSentence: String?,
    teamActedAtMs: Int64?, comparison: String?, comparisonSentence: String?, savedMs: Int64?, endsAtMs: Int64,
    correctedBy: String?
  ) {
    self.id = id
    self.version = version
    self.previous = previous
    self.deployedAtMs = deployedAtMs
    self.source = source
    self.judgement = judgement
    self.judgementSentence = judgementSentence
    self.wouldHaveRolledBackAtMs = wouldHaveRolledBackAtMs
    self.rule = rule
    self.team = team
    self.teamSentence = teamSentence
    self.teamActedAtMs = teamActedAtMs
    self.comparison = comparison
    self.comparisonSentence = comparisonSentence
    self.savedMs = savedMs
    self.endsAtMs = endsAtMs
    self.correctedBy = correctedBy
  }
}

/// `POST /v1/observations/{service}/{environment}/deployments`
public struct DeploymentRequest: Codable, Hashable, Sendable {
  public var version: String
  /// At most ten minutes ago; now when left out.
  public var atMs: Int64?
  /// Whether a person tells it; else something does that deploys.
  public var byHand: Bool?
  public init(version: String, atMs: Int64? = nil, byHand: Bool? = nil) {
    self.version = version
    self.atMs = atMs
    self.byHand = byHand
  }
}

/// `POST /v1/observations/{service}/{environment}/team`
public struct TeamRequest: Codable, Hashable, Sendable {
  /// `kept` or `rolledBack`.
  public var did: String
  /// The newest when left out.
  public var deployment: Int?
  /// When the team went back; when its outcome was settled, if left out.
  public var atMs: Int64?
  public var reason: String?
  public init(did: String, deployment: Int? = nil, atMs: Int64? = nil, reason: String? = nil) {
    self.did = did
    self.deployment = deployment
    self.atMs = atMs
    self.reason = reason
  }
}
