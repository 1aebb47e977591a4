import Kernel

extension Promotion {
  package enum Event: DomainEvent {
    case begun(Order)
    case built(BuildResult)
    /// Also when the build wrote nothing, and when a second build of the commit gave another digest.
    case buildFailed(reason: String, log: Digest?)
    case provenanceVerified(environment: EnvironmentName, builder: String)
    case provenanceRejected(environment: EnvironmentName, reason: String)
    /// `Wiring` offers it to the environment's delivery stream.
    case requested(Request)
    case taken(environment: EnvironmentName, at: Instant)
    case superseded(environment: EnvironmentName, by: CommitID)
    case condemned(environment: EnvironmentName, reason: String)
    case served(environment: EnvironmentName, at: Instant)
    case checkPassed(environment: EnvironmentName, name: CheckName, log: Digest, startedAt: Instant, endedAt: Instant)
    case checkFailed(
      environment: EnvironmentName, name: CheckName, reason: String, log: Digest, startedAt: Instant, endedAt: Instant)
    case soakBegan(environment: EnvironmentName, until: Instant)
    case passed(environment: EnvironmentName, at: Instant)
    case completed
    case halted(reason: String)
    /// A person promoted after a halt; without an environment the build itself is run again.
    case resumed(Resumption)
    /// The trunk came back to this commit, or the service's way changed: it is sent through all environments of the
    /// order, with the digest that it has.
    case renewed(Order)
    /// `Wiring` asks the schema stream.
    case schemaAsked(SchemaAsk)
    case schemaGranted(environment: EnvironmentName, at: Instant)
    case schemaRefused(environment: EnvironmentName, reason: String)
    /// More is known than when its database refused it, which is asked again.
    case schemaReconsidered(environment: EnvironmentName)

    package var name: String {
      switch self {
      case .begun: "begun"
      case .built: "built"
      case .buildFailed: "buildFailed"
      case .provenanceVerified: "provenanceVerified"
      case .provenanceRejected: "provenanceRejected"
      case .requested: "requested"
      case .taken: "taken"
      case .superseded: "superseded"
      case .condemned: "condemned"
      case .served: "served"
      case .checkPassed: "checkPassed"
      case .checkFailed: "checkFailed"
      case .soakBegan: "soakBegan"
      case .passed: "passed"
      case .completed: "completed"
      case .halted: "halted"
      case .resumed: "resumed"
      case .renewed: "renewed"
      case .schemaAsked: "schemaAsked"
      case .schemaGranted: "schemaGranted"
      case .schemaRefused: "schemaRefused"
      case .schemaReconsidered: "schemaReconsidered"
      }
    }
  }

  /// The wish that an environment takes the artifact, with all that its owner decides by.
  package struct Request: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let commit: CommitID
    /// The ledger position of the commit's landing: newer is larger.
    package let ordinal: Int64
    package let title: String
    package let author: String
    package let landedAt: Instant
    package let environment: EnvironmentName
    package let artifact: StoredArtifact
    package let override: Bool
    package let at: Instant
    package init(
      _ order: Order, environment: EnvironmentName, artifact: StoredArtifact, override: Bool, at: Instant
    ) {
      service = order.service
      commit = order.commit
      ordinal = order.ordinal
      title = order.title
      author = order.author
      landedAt = order.landedAt
      self.environment = environment
      self.artifact = artifact
      self.override = override
      self.at = at
    }
  }

  /// The question whether a database bears the version, with all that its owner decides by.
  package struct SchemaAsk: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let commit: CommitID
    package let digest: Digest
    /// The ledger position of the commit's landing: newer is larger.
    package let ordinal: Int64
    package let title: String
    package let environment: EnvironmentName
    package let database: DatabaseName
    package init(_ order: Order, digest: Digest, environment: EnvironmentName, database: DatabaseName) {
      service = order.service
      commit = order.commit
      self.digest = digest
      ordinal = order.ordinal
      title = order.title
      self.environment = environment
      self.database = database
    }
  }

  package struct Resumption: Codable, Equatable, Sendable {
    /// nil: the build.
    package let environment: EnvironmentName?
    package let override: Bool
    package let reason: String
    package init(environment: EnvironmentName?, override: Bool, reason: String) {
      self.environment = environment
      self.override = override
      self.reason = reason
    }
  }
}
