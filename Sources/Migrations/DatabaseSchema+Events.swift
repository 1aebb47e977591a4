import Kernel

extension DatabaseSchema {
  package enum Event: DomainEvent {
    case configured(Policy)
    case closed
    /// Everything that lives on it, all services, after each change.
    case versionsChanged([LiveVersion])
    case surveyed(SchemaSurvey)
    /// The schema changed, and not by us.
    case drifted(Drift, SchemaSurvey)
    case queued(Errand)
    case examinationBegan(Errand, number: Int)
    /// What was collected on the way is kept with the versions.
    case examined(number: Int, SchemaExamination)
    /// `Wiring` tells the promotion.
    case granted(Ask)
    case refused(RefusedAsk)
    /// Refused before it could be judged.
    case turnedAway(Ask, why: String)
    /// Whoever asked wants it no more.
    case abandoned(Ask)
    case migrating(Ask, SchemaExamination, migrations: Digest, number: Int)
    case migrated(Change, SchemaSurvey)
    case migrationFailed(Ask, name: String, why: String, SchemaSurvey)
    /// `Wiring` tells the queue.
    case reviewed(Review, SchemaReview)
    case reviewDropped(Review)
    case audited(number: Int)
    /// `Wiring` tells the delivery: these kept versions are no targets as long as the schema is what it is.
    case barred(service: ServiceName, bars: [SchemaBar])
    case overridden(Override)
    case adoptionOrdered(Adoption, number: Int)
    case adopted(Change, SchemaSurvey)
    case adoptionFailed(Adoption, why: String)
    case troubled(EffectKey, why: String)
    /// More is known of what a version sends.
    case recorded(Upload)
    /// What was refused because nothing was recorded of somebody may be asked again: something is. `Wiring` tells the
    /// promotion.
    case reconsidered(Ask)
    /// New statements keep coming: it is judged with those that were there when it began, and whether their senders bear
    /// a migration is left open. These are judged next.
    case newsPostponed(number: Int, [Upload])

    package var name: String {
      switch self {
      case .configured: "configured"
      case .closed: "closed"
      case .versionsChanged: "versionsChanged"
      case .surveyed: "surveyed"
      case .drifted: "drifted"
      case .queued: "queued"
      case .examinationBegan: "examinationBegan"
      case .examined: "examined"
      case .granted: "granted"
      case .refused: "refused"
      case .turnedAway: "turnedAway"
      case .abandoned: "abandoned"
      case .migrating: "migrating"
      case .migrated: "migrated"
      case .migrationFailed: "migrationFailed"
      case .reviewed: "reviewed"
      case .reviewDropped: "reviewDropped"
      case .audited: "audited"
      case .barred: "barred"
      case .overridden: "overridden"
      case .adoptionOrdered: "adoptionOrdered"
      case .adopted: "adopted"
      case .adoptionFailed: "adoptionFailed"
      case .troubled: "troubled"
      case .recorded: "recorded"
      case .reconsidered: "reconsidered"
      case .newsPostponed: "newsPostponed"
      }
    }
  }
}
