import Kernel

extension DatabaseSchema {
  package struct ExamineOrder: Equatable, Sendable {
    package let number: Int
    package let policy: Policy
    package let errand: Errand
    package let versions: [SchemaClient]
    /// What was sent of them and of who asks, beside what their artifacts and commits hold.
    package let uploads: [Upload]
    /// As it was last seen, for a question that no look would answer better; nil before the first.
    package let survey: SchemaSurvey?
    package init(
      number: Int, policy: Policy, errand: Errand, versions: [SchemaClient], uploads: [Upload] = [],
      survey: SchemaSurvey? = nil
    ) {
      self.number = number
      self.policy = policy
      self.errand = errand
      self.versions = versions
      self.uploads = uploads
      self.survey = survey
    }
  }

  package enum Effect: WantedEffect {
    /// Standing: reports `surveyed` at its start and whenever the schema is another, looking about once a minute.
    case watch(SchemaPlace)
    case examine(ExamineOrder)
    case migrate(MigrationOrder, number: Int)
    case adopt(Adoption, Policy, number: Int)

    package var key: EffectKey {
      switch self {
      case .watch: EffectKey("watch")
      case .examine(let order): examineKey(order.number)
      case .migrate(_, let number): migrateKey(number)
      case .adopt(_, _, let number): adoptKey(number)
      }
    }

    /// A rollback never waits for a migration: what it may return to is known before.
    package var lane: Lane { .progress }

    package var retry: RetryBudget {
      switch self {
      case .watch: .persistent
      case .examine, .migrate, .adopt: .bounded
      }
    }
  }

  package static func effects(of state: State) -> [Effect] {
    guard let policy = state.policy else { return [] }
    switch state.phase {
    case .idle: return [.watch(policy.place)]
    case .examining(let errand, let number):
      let versions = state.versions.map(\.client)
      let uploads = state.uploads.filter { upload in
        if case .ask(let ask) = errand, upload.isOf(ask.service, ask.digest) { return true }
        return versions.contains { upload.isOf($0.service, $0.digest) }
      }
      return [
        .watch(policy.place),
        .examine(
          ExamineOrder(
            number: number, policy: policy, errand: errand, versions: versions, uploads: uploads,
            survey: state.survey)),
      ]
    // While it is being changed there is no telling what a look would find.
    case .applying(_, let examination, let migrations, let number):
      let order = MigrationOrder(
        place: policy.place, migrations: migrations, pending: examination.pending, on: examination.survey.schema)
      return [.migrate(order, number: number)]
    case .adopting(let adoption, let number): return [.watch(policy.place), .adopt(adoption, policy, number: number)]
    case .closed: return []
    }
  }
}
