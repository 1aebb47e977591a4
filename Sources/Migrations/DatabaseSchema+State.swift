import Kernel

// What the state says, for decisions and pages.

extension DatabaseSchema.State {
  /// What is being judged or applied.
  package var current: DatabaseSchema.Errand? {
    switch phase {
    case .examining(let errand, number: _): errand
    case .applying(let ask, _, migrations: _, number: _): .ask(ask)
    case .idle, .adopting, .closed: nil
    }
  }

  package var isApplying: Bool {
    switch phase {
    case .applying: true
    case .idle, .examining, .adopting, .closed: false
    }
  }

  /// "harbor 0123456789 is examined", for who waits; nil when nothing runs.
  package var business: String? {
    switch phase {
    case .examining(.ask(let ask), number: _): "the migrations of \(ask.service) \(ask.commit.short) are examined"
    case .examining(.review(let review), number: _): "the migrations of change #\(review.entry) are examined"
    case .examining(.audit, number: _): "all that lives on the schema is examined"
    case .applying(let ask, let examination, migrations: _, number: _):
      "\(examination.pending.map(\.name).joined(separator: ", ")) of \(ask.service) \(ask.commit.short) is applied"
    case .adopting: "the book of migrations is written"
    case .idle, .closed: nil
    }
  }

  /// How a version gets on with the schema as it is; nil when it was not judged on it.
  package func verdict(on client: SchemaClient) -> SchemaVerdict? {
    guard let schema = survey?.schema else { return nil }
    return verdict(of: client.service, client.digest, on: schema)
  }

  package func verdict(of service: ServiceName, _ digest: Digest, on schema: Digest) -> SchemaVerdict? {
    matrix.last {
      $0.schema == schema && $0.verdict.client.service == service && $0.verdict.client.digest == digest
    }?.verdict
  }

  /// Kept versions of a service that the schema as it is would fail, or is about to, oldest first. Of who was not judged
  /// on it yet, what was said last goes on.
  package func bars(of service: ServiceName) -> [SchemaBar] {
    guard phase != .closed else { return [] }
    let told = told.first { $0.service == service }?.bars ?? []
    return versions.filter { $0.service == service && !$0.isGranted }.compactMap { live in
      if case .applying(_, let examination, migrations: _, number: _) = phase,
        let coming = examination.verdicts.first(where: { $0.client.isSame(as: live.client) }), coming.fit == .breaks
      {
        return SchemaBar(digest: live.version.digest, why: coming.why)
      }
      guard let verdict = verdict(on: live.client) else { return told.first { $0.digest == live.version.digest } }
      return verdict.fit == .breaks ? SchemaBar(digest: live.version.digest, why: verdict.why) : nil
    }
  }

  /// The rollback floor that the schema sets for a service: the oldest kept version from which on none would fail; nil
  /// while nothing is barred.
  package func floor(of service: ServiceName) -> HeldVersion? {
    let kept = versions.filter { $0.service == service }.map(\.version)
    let barred = Set(bars(of: service).map(\.digest))
    guard let last = kept.lastIndex(where: { barred.contains($0.digest) }) else { return nil }
    return kept.indices.contains(last + 1) ? kept[last + 1] : nil
  }

  /// How far back a service may go.
  package struct Reach: Equatable, Sendable {
    /// The oldest kept version from which on none would fail; nil when not even the newest would do.
    package let floor: HeldVersion?
    /// Kept versions that would fail, oldest first.
    package let barred: [HeldVersion]
  }

  /// How far back each service may go, sorted by service: on the schema as it is, or once what was examined is applied.
  package func reaches(after examination: SchemaExamination? = nil) -> [(service: ServiceName, reach: Reach)] {
    Set(versions.map(\.service)).sorted().map { (service: ServiceName) -> (service: ServiceName, reach: Reach) in
      let kept = versions.filter { $0.service == service && !$0.isGranted }
      let bars = bars(of: service)
      let barred = kept.filter { live in
        let coming = examination?.verdicts.first { $0.client.isSame(as: live.client) }
        return coming?.fit == .breaks || bars.contains { $0.digest == live.version.digest }
      }
      let floor = if let last = barred.last { kept.first { $0 > last } } else { kept.first }
      return (service, Reach(floor: floor?.version, barred: barred.map(\.version)))
    }
  }

  /// The blob of what was sent of a version; nil when nothing was.
  package func upload(of service: ServiceName, _ digest: Digest) -> Digest? {
    uploads.first { $0.isOf(service, digest) }?.statements
  }

  /// Versions that a migration would endanger more than the team accepts, and for which nobody has answered: who let a
  /// version pass of which nothing is recorded need not say so at each migration. A version that comes is asked about.
  func risks(of examination: SchemaExamination, _ policy: DatabaseSchema.Policy) -> [SchemaVerdict] {
    policy.risks(of: examination).filter { risk in
      risk.fit != .unknown || risk.client.statements != nil || !waived.contains { $0.isSame(as: risk.client) }
        || examination.coming?.client.isSame(as: risk.client) == true
    }
  }

  /// What lives here was not all judged on the schema as it is.
  var wantsAudit: Bool {
    guard survey != nil, trouble == nil else { return false }
    return versions.contains { verdict(on: $0.client) == nil }
  }

  /// The one to name first: the worst, and of equals the one that users meet.
  func gravest(of risks: [SchemaVerdict]) -> SchemaVerdict? {
    func rank(_ verdict: SchemaVerdict) -> (Int, Int) {
      let live = versions.first { $0.service == verdict.client.service && $0.version.digest == verdict.client.digest }
      return (-verdict.fit.weight, live?.version.standing.rank ?? HeldVersion.Standing.target.rank + 1)
    }
    return risks.min { rank($0) < rank($1) }
  }

  /// "harbor 0123456789, which serves", for a refusal.
  func standing(of client: SchemaClient) -> String {
    let name = "\(client.service) \(client.commit.short)"
    guard let live = versions.first(where: { $0.service == client.service && $0.version.digest == client.digest })
    else { return name }
    if live.isGranted { return "\(name), which is on its way" }
    switch live.version.standing {
    case .serving: return "\(name), which serves"
    case .rollingOut: return "\(name), which is being rolled out"
    case .target: return "\(name), a rollback target (raise the floor above it if it may go)"
    }
  }
}

extension DatabaseSchema.Policy {
  func names(_ service: ServiceName) -> Bool { services.contains { $0.service == service } }

  /// Whether a migration of this nature may be applied.
  func accepts(_ fit: SchemaFit) -> Bool {
    switch fit {
    case .compatible: true
    case .hazard: !strict
    case .unknown: trusting
    case .breaks: false
    }
  }

  /// Versions that it would endanger more than the team accepts. Where nothing is pending the schema stays as it is,
  /// and nobody is endangered by the version to come.
  func risks(of examination: SchemaExamination) -> [SchemaVerdict] {
    let asked = examination.pending.isEmpty ? examination.coming.map { [$0] } ?? [] : examination.everyVerdict
    return asked.filter { !accepts($0.fit) }
  }
}

extension DatabaseSchema.Upload {
  /// Whether something was refused while nothing was recorded of this version.
  func mends(_ refused: DatabaseSchema.RefusedAsk) -> Bool {
    let examination = refused.examination
    return examination.everyVerdict.contains {
      $0.client.statements == nil && isOf($0.client.service, $0.client.digest)
    }
  }
}

extension SchemaFit {
  /// The worse, the more.
  var weight: Int {
    switch self {
    case .compatible: 0
    case .hazard: 1
    case .unknown: 2
    case .breaks: 3
    }
  }
}

extension HeldVersion.Standing {
  fileprivate var rank: Int {
    switch self {
    case .serving: 0
    case .rollingOut: 1
    case .target: 2
    }
  }
}

extension DatabaseSchema {
  static func examineKey(_ number: Int) -> EffectKey { EffectKey("examine/\(number)") }
  static func migrateKey(_ number: Int) -> EffectKey { EffectKey("migrate/\(number)") }
  static func adoptKey(_ number: Int) -> EffectKey { EffectKey("adopt/\(number)") }
}
