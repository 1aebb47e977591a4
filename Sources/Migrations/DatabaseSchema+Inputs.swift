import Kernel

extension DatabaseSchema {
  /// `override`, `adopt` and `record` are requests and may be refused; everything else is an observation: true, maybe late or
  /// repeated.
  package enum Input: Codable, Equatable, Sendable {
    case configure(Policy)
    /// plimsoll.yaml names it no more.
    case unconfigure
    case ask(Ask)
    case review(Review)
    /// The entry left its queue, one way or the other.
    case reviewEnded(entry: Int, repository: RepositoryName, trunk: BranchName)
    /// The promotion of this commit ended or goes elsewhere: what was granted to it and not taken is free again.
    case released(service: ServiceName, commit: CommitID)
    /// What a service's place runs and keeps, all of it.
    case held(service: ServiceName, versions: [HeldVersion])
    case surveyed(SchemaSurvey)
    case examined(number: Int, SchemaExamination, migrations: Digest?)
    /// The question cannot be answered, and asking again would not help: because of the commit, or, `ofPlace`, of the
    /// database.
    case unexaminable(number: Int, why: String, ofPlace: Bool)
    case migrated(number: Int, MigrationOutcome)
    case adopted(number: Int, SchemaSurvey, marks: [MigrationMark])
    /// What was to be adopted is not to be found at that commit.
    case unadoptable(number: Int, why: String)
    case override(OverrideRequest)
    case adopt(Adoption)
    /// What was sent of a version, joined with what was held of it.
    /// - Parameter over: the blob that it was joined with; nil when nothing was held.
    case record(Upload, over: Digest?)
    case exhausted(key: EffectKey, why: String)
  }

  package struct Policy: Codable, Equatable, Sendable {
    package let place: SchemaPlace
    /// Whose commits hold the migrations.
    package let repository: RepositoryName
    package let trunk: BranchName
    /// The folder of migrations, relative to the checkout.
    package let path: String
    /// The folder's layout by name; nil to find it out.
    package let layout: String?
    /// Sorted by name, each once.
    package let services: [Use]
    /// A hazard is refused like a break.
    package let strict: Bool
    /// What nobody can tell is let through.
    package let trusting: Bool
    /// Of what the database is really sent, the least share, 0 to 1, that must have been recorded of who lives on it;
    /// nil asks for none.
    package let coverage: Double?
    package init(
      place: SchemaPlace, repository: RepositoryName, trunk: BranchName, path: String, layout: String? = nil,
      services: [Use], strict: Bool = false, trusting: Bool = false, coverage: Double? = nil
    ) {
      self.place = place
      self.repository = repository
      self.trunk = trunk
      self.path = path
      self.layout = layout
      self.services = services
      self.strict = strict
      self.trusting = trusting
      self.coverage = coverage
    }
  }

  /// A service that lives on the database.
  package struct Use: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let repository: RepositoryName
    /// Where its artifact, or else its commit, has what it sends; nil where nothing is recorded.
    package let statements: String?
    package init(service: ServiceName, repository: RepositoryName, statements: String?) {
      self.service = service
      self.repository = repository
      self.statements = statements
    }
  }

  /// A version that wants to live on the schema.
  package struct Ask: Codable, Equatable, Sendable {
    package let service: ServiceName
    package let commit: CommitID
    package let digest: Digest
    package let ordinal: Int64
    package let title: String
    package init(service: ServiceName, commit: CommitID, digest: Digest, ordinal: Int64, title: String) {
      self.service = service
      self.commit = commit
      self.digest = digest
      self.ordinal = ordinal
      self.title = title
    }
  }

  /// A queued change whose migrations are to be judged.
  package struct Review: Codable, Equatable, Sendable {
    package let repository: RepositoryName
    package let trunk: BranchName
    package let entry: Int
    package let head: CommitID
    package init(repository: RepositoryName, trunk: BranchName, entry: Int, head: CommitID) {
      self.repository = repository
      self.trunk = trunk
      self.entry = entry
      self.head = head
    }
  }

  package enum Errand: Codable, Equatable, Sendable {
    case ask(Ask)
    case review(Review)
    case audit
  }

  package struct OverrideRequest: Codable, Equatable, Sendable {
    /// Whose refusal is overridden: the last one, which a person has read.
    package let commit: CommitID
    package let actor: String
    package let reason: String
    package init(commit: CommitID, actor: String, reason: String) {
      self.commit = commit
      self.actor = actor
      self.reason = reason
    }
  }

  package struct Adoption: Codable, Equatable, Sendable {
    /// Whose migrations.
    package let commit: CommitID
    /// The last one that the database has; nil for none of them.
    package let through: String?
    package let actor: String
    package let reason: String
    package init(commit: CommitID, through: String?, actor: String, reason: String) {
      self.commit = commit
      self.through = through
      self.actor = actor
      self.reason = reason
    }
  }

  package static func exhausted(_ key: EffectKey, why: String) -> Input { .exhausted(key: key, why: why) }
}
