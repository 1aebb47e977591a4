import Kernel

/// What a place and the schema that its service lives on owe each other: the place says which versions must stay fit,
/// the schema says which kept ones it would fail, and none of those is gone back to. Without a database none of it is.
extension Rollout {
  static func schemaBars(_ bars: [SchemaBar], in state: State) -> [Event] {
    guard state.policy?.database != nil, state.bars != bars else { return [] }
    return [.barsNoted(bars)]
  }

  /// Asked when nothing else follows in a turn, so that a turn says it at most once.
  static func versionsHeld(in state: State) -> [Event] {
    guard state.policy?.database != nil else { return [] }
    let versions = state.heldVersions
    return state.saidVersions == versions ? [] : [.versionsHeld(versions)]
  }

  /// A rollback whose target the schema would fail by now goes to the nearest that it would not, at once; where there is
  /// none, what serves stays, as if it was asked now.
  ///
  /// Only while nothing was sent to the target: what serves runs and is not condemned before that. Once requests are on
  /// their way to it, turning round would take longer than the moment that is left, and what was left is condemned.
  static func turned(_ course: Course, by bar: SchemaBar, in state: State, _ turn: TurnContext) -> [Event] {
    let why = "\(state.databaseWords) would fail \(course.canary.commit.short) by now: \(bar.why.withoutStop)"
    let abandoned = Event.rollbackAbandoned(course.id, why: why, at: turn.now)
    // Never to a version that was passed over, nor from one that was to serve again to one before it.
    guard let serving = state.knownGood.first, let target = state.allowedTarget(from: serving),
      course.start.offer.ordinal < serving.offer.ordinal, target.offer.ordinal < course.start.offer.ordinal
    else { return [abandoned] }
    let reason = course.start.reason ?? "A person rolled it back."
    return [
      abandoned,
      .started(
        RolloutStart(
          id: state.nextRollout, kind: .rollback, offer: target.offer, deployment: target.deployment,
          knownGood: serving.deployment, steps: [100],
          reason: "\(reason) (not to \(course.canary.commit.short): \(why))".onOneLine(upTo: turnedReasonLimit),
          at: turn.now)),
    ]
  }

  /// Of a reason, its words on the way, and two targets that were barred meanwhile, in characters.
  private static let turnedReasonLimit = 3 * reasonLimit

  // MARK: Words

  /// Which kept versions are no targets and why, in one sentence each; nil when all are.
  package static func barReason(_ state: State) -> String? {
    let sentences = state.knownGood.dropFirst().compactMap { entry in
      state.bar(of: entry).map {
        "No rollback goes to \(entry.deployment.commit.short), which \(state.databaseWords) would fail: "
          + "\($0.why.withoutStop)."
      }
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: " ")
  }

  /// Why a kept version is no target, and which one is.
  static func barred(_ entry: KnownGood, _ bar: SchemaBar, insteadOf serving: KnownGood, in state: State) -> Refusal {
    let next =
      if let allowed = state.allowedTarget(from: serving) ?? state.knownGood.dropFirst().first(where: state.allows) {
        "roll back to \(allowed.deployment.digest.rawValue) instead, the nearest that fits."
      } else {
        "nothing else that is kept fits, so land a fix that does."
      }
    return Refusal(
      .notNow,
      "\(entry.deployment.digest.short) may not come back to \(state.placeWords), because \(state.databaseWords) would "
        + "fail it: \(bar.why.withoutStop); \(next)")
  }

  /// What a rollback that names nothing leaves out on its way to `target`, for its reason; empty when nothing.
  static func passedOver(on target: KnownGood, from serving: KnownGood, in state: State) -> String {
    let passed = state.olderTargets(than: serving).prefix { $0.deployment.id != target.deployment.id }
    guard let nearest = passed.first, let bar = state.bar(of: nearest) else { return "" }
    let commits = passed.map(\.deployment.commit.short).joined(separator: ", ")
    return " (past \(commits), which \(state.databaseWords) would fail: \(bar.why.withoutStop))"
  }
}

extension Rollout.State {
  // MARK: What is held

  /// What runs here, is about to, or is kept to be returned to, each digest once: who serves, then what moves, then what
  /// is kept, newest first. What left is held until the router confirmed that it gets nothing; once the place is closed, nothing
  /// is.
  package var heldVersions: [HeldVersion] {
    var held: [HeldVersion] = []
    func hold(_ version: HeldVersion) {
      if !held.contains(where: { $0.digest == version.digest }) { held.append(version) }
    }
    let kept = isRetired ? [] : knownGood
    if let serving = kept.first { hold(serving.held(.serving)) }
    if let offer = running?.start.offer { hold(HeldVersion(offer, .rollingOut)) }
    // What waits for its turn, or for a thaw, was granted too.
    if !isRetired {
      if case .sealing(let offer) = phase { hold(HeldVersion(offer, .rollingOut)) }
      if let pending { hold(HeldVersion(pending, .rollingOut)) }
    }
    for deployment in departing {
      // Whatever leaves was said when it came, and is known by that.
      guard let said = saidVersions?.first(where: { $0.digest == deployment.digest }) else { continue }
      hold(HeldVersion(digest: said.digest, commit: said.commit, ordinal: said.ordinal, standing: .rollingOut))
    }
    for entry in kept.dropFirst() { hold(entry.held(.target)) }
    return held
  }

  /// What requests may still reach although it is on its way out.
  private var departing: [Deployment] {
    var deployments = running?.start.knownGood.map { [$0] } ?? []
    if case .closing(let stopping) = phase { deployments += stopping }
    let stoppable = self.stoppable
    return deployments + retiring.filter { leaving in !stoppable.contains { $0.id == leaving.id } }
  }

  /// Another database knows nothing of this place yet, and what the one before said is void.
  mutating func follow(_ database: DatabaseName?) {
    guard policy?.database != database else { return }
    saidVersions = nil
    bars = []
  }

  // MARK: What may come back

  /// Nil where the version may come back.
  package func bar(of entry: KnownGood) -> SchemaBar? { bar(of: entry.deployment) }
  func bar(of deployment: Deployment) -> SchemaBar? { bars.first { $0.digest == deployment.digest } }
  package func allows(_ entry: KnownGood) -> Bool { bar(of: entry) == nil }

  /// Kept versions that are not newer than the one that serves, the nearest first: after a rollback past a version, that
  /// version is still kept, and going back again must not go forward.
  func olderTargets(than serving: KnownGood) -> [KnownGood] {
    knownGood.dropFirst().filter { $0.offer.ordinal <= serving.offer.ordinal }
  }

  /// Where a rollback goes that names nothing; nil when it can go nowhere.
  package func allowedTarget(from serving: KnownGood) -> KnownGood? {
    olderTargets(than: serving).first(where: allows)
  }

  /// Without those that left. Who serves goes on to; where it left, the first that the schema allows takes over, and one
  /// that it would fail only when there is no other: it fails some requests, and nobody would fail all.
  func knownGood(without left: (KnownGood) -> Bool) -> [KnownGood] {
    var rest = knownGood.filter { !left($0) }
    guard rest.first?.deployment.id != knownGood.first?.deployment.id, let index = rest.firstIndex(where: allows)
    else { return rest }
    rest.insert(rest.remove(at: index), at: 0)
    return rest
  }

  /// "harbor in production"
  fileprivate var placeWords: String { policy.map { "\($0.service) in \($0.environment)" } ?? "this place" }
  var databaseWords: String { policy?.database?.rawValue ?? "its database" }
}

extension KnownGood {
  fileprivate func held(_ standing: HeldVersion.Standing) -> HeldVersion {
    HeldVersion(digest: deployment.digest, commit: offer.commit, ordinal: offer.ordinal, standing: standing)
  }
}

extension HeldVersion {
  fileprivate init(_ offer: Rollout.Offer, _ standing: Standing) {
    self.init(digest: offer.digest, commit: offer.commit, ordinal: offer.ordinal, standing: standing)
  }
}

extension String {
  /// For the middle of a sentence.
  var withoutStop: Substring { hasSuffix(".") ? dropLast() : self[...] }
}
