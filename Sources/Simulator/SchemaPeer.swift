import Kernel

/// Databases that are really there, played by the same story beside the model's. What the machines hear is what these
/// say; the model's answers are compared with theirs.
///
/// It is called by one thread at a time, in the story's order, and blocks. An `Outage` is no part of any story: it ends
/// it as a failure.
package protocol SchemaPeer: AnyObject {
  func survey(_ place: SchemaPlace, at: Instant) throws(Outage) -> SchemaSurvey
  func examine(_ question: PeerQuestion, at: Instant) throws(Outage) -> PeerAnswer
  /// Nil when a later fence has been here.
  func apply(_ order: MigrationOrder, fence: Fence, at: Instant) throws(Outage) -> MigrationOutcome?
  /// Nil when a later fence has been here.
  func adopt(
    _ chain: [PeerMigration], in place: SchemaPlace, fence: Fence, at: Instant
  ) throws(Outage) -> PeerAdoption?
  /// What somebody does at a console.
  func alter(_ place: SchemaPlace, by steps: [SimulatedSchema.Step]) throws(Outage)
  /// Sends all that a version sends, as the application does.
  /// - Returns: the first statement that fails for the schema's sake, and why; nil when all run.
  func send(_ statements: SimulatedStatements, to place: SchemaPlace) throws(Outage) -> String?
  /// Applies migrations and tries statements on all that is there, and takes everything back.
  func rehearse(_ trial: PeerTrial) throws(Outage) -> PeerTrial.Outcome
}

/// A change's migration, whose text is the peer's.
package struct PeerMigration: Equatable, Sendable {
  package let change: Int
  package let steps: [SimulatedSchema.Step]
}

package struct PeerVersion: Equatable, Sendable {
  package let client: SchemaClient
  package let sends: SimulatedStatements
}

package struct PeerQuestion: Sendable {
  package let place: SchemaPlace
  /// All of the commit, in order; nil for the schema as it is.
  package let chain: [PeerMigration]?
  /// For a change that is not landed: what counts as applied, whatever the book says.
  package let base: [PeerMigration]?
  package let versions: [PeerVersion]
  package let coming: PeerVersion?
}

package enum PeerAnswer: Sendable {
  case examined(SchemaExamination, migrations: Digest?)
  /// - Parameter ofPlace: the database is at fault.
  case unexaminable(String, ofPlace: Bool)
}

package struct PeerAdoption: Sendable {
  package let survey: SchemaSurvey
  package let marks: [MigrationMark]
  package init(survey: SchemaSurvey, marks: [MigrationMark]) {
    self.survey = survey
    self.marks = marks
  }
}

/// Migrations, and who must bear them.
package struct PeerTrial: Sendable {
  package let place: SchemaPlace
  /// Come first, and whatever fails after them failed before.
  package let landed: [PeerMigration]
  package let pending: [PeerMigration]
  package let versions: [SimulatedStatements]

  package struct Outcome: Sendable {
    /// Why a migration cannot be applied; then nothing is said of versions.
    package var migration: String?
    package var versions: [Fate] = []
    package init() {}
  }
  /// What became of one version's statements; each is the first that fails, nil when none does.
  package struct Fate: Sendable {
    /// Before what is pending.
    package var before: String?
    /// After one of the migrations, and not before.
    package var broken: String?
    /// After the last.
    package var after: String?
    package init() {}
  }
}
