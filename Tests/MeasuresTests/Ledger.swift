import Kernel
import MergeQueues
import Promotions
import Rollouts

@testable import Measures

/// A fact with its place, as the ledger would tell it.
struct Told {
  let fact: Fact
  let position: Position
  let at: Instant
}

let harbor = ServiceName(rawValue: "harbor")!
let ferry = ServiceName(rawValue: "ferry")!
let staging = EnvironmentName(rawValue: "staging")!
let production = EnvironmentName(rawValue: "production")!
let day = minute(0)..<minute(24 * 60)

func minute(_ count: Double) -> Instant { Instant(milliseconds: Int64(count * 60_000)) }
func minutes(_ count: Double) -> Span { .minutes(count) }
func digest(_ number: Int) -> Digest {
  let hex = String(number, radix: 16)
  return Digest(rawValue: "sha256:" + String(repeating: "0", count: 64 - hex.count) + hex)!
}
func commit(_ number: Int) -> CommitID {
  let hex = String(number, radix: 16)
  return CommitID(rawValue: String(repeating: "0", count: 40 - hex.count) + hex)!
}
/// Change `number` of a service is commit `number`, built to digest `number`.
func deployment(_ number: Int, of service: ServiceName = harbor, in environment: EnvironmentName = production)
  -> Deployment
{
  Deployment(
    service: service, environment: environment, digest: digest(number), commit: commit(number),
    configuration: digest(0xc0), sealedConfiguration: digest(0x5ea))
}

/// Tells facts about one service, whose repository has its name.
struct Teller {
  let service: ServiceName
  var told: [Told] = []
  init(_ service: ServiceName = harbor) { self.service = service }

  private var repository: RepositoryName { RepositoryName(rawValue: service.rawValue)! }
  private var queue: StreamID { StreamID.queue(repository, BranchName(rawValue: "main")!) }

  mutating func tell(_ fact: Fact, _ position: Position, _ at: Double) {
    told.append(Told(fact: fact, position: position, at: minute(at)))
  }
  mutating func landed(_ number: Int, _ position: Position, submitted: Double, at: Double) {
    let landing = MergeQueue.Landing(
      entry: number, branch: BranchName(rawValue: "change")!, head: commit(number), author: "ada", title: "Change",
      commit: commit(number), tree: TreeID(rawValue: String(repeating: "1", count: 40))!, previousTrunk: commit(0),
      submittedAt: minute(submitted), at: minute(at))
    tell(.queue(queue, .landed(landing)), position, at)
  }
  mutating func committed(_ position: Position, at instants: [Double]) {
    let facts = instants.map {
      CommitFacts(commit: commit(0), author: "ada", title: "Change", committedAt: minute($0))
    }
    tell(.commits(queue, facts), position, 0)
  }
  mutating func begun(_ number: Int, _ position: Position, ordinal: Int64, landed: Double) {
    let order = order(number, ordinal, landed)
    tell(.build(StreamID.build(service, commit(number)), .begun(order)), position, landed)
  }
  /// The trunk came back to the change.
  mutating func renewed(_ number: Int, _ position: Position, ordinal: Int64, landed: Double) {
    let order = order(number, ordinal, landed)
    tell(.build(StreamID.build(service, commit(number)), .renewed(order)), position, landed)
  }
  private func order(_ number: Int, _ ordinal: Int64, _ landed: Double) -> Promotion.Order {
    let stages = [staging, production].map { Promotion.Stage(environment: $0, checks: [], soak: .zero) }
    return Promotion.Order(
      service: service, repository: repository, commit: commit(number), ordinal: ordinal, title: "Change",
      author: "ada", landedAt: minute(landed),
      build: Promotion.BuildStep(command: "make", output: "out", timeLimit: .minutes(5)), stages: stages)
  }
  mutating func served(_ number: Int, in environment: EnvironmentName = production, _ position: Position, at: Double) {
    let event = Promotion.Event.served(environment: environment, at: minute(at))
    tell(.build(StreamID.build(service, commit(number)), event), position, at)
  }
  mutating func started(
    _ rollout: RolloutID, as kind: Rollout.Kind = .forward, _ number: Int, ordinal: Int64,
    in environment: EnvironmentName = production, _ position: Position, at: Double
  ) {
    let offer = Rollout.Offer(
      digest: digest(number), commit: commit(number), ordinal: ordinal, title: "Change", author: "ada",
      landedAt: minute(0), override: false)
    let start = Rollout.RolloutStart(
      id: rollout, kind: kind, offer: offer, deployment: deployment(number, of: service, in: environment),
      knownGood: nil, steps: [10, 50, 100], at: minute(at))
    tell(.delivery(StreamID.delivery(service, environment), .started(start)), position, at)
  }
  mutating func completed(
    _ rollout: RolloutID, _ number: Int, in environment: EnvironmentName = production, _ position: Position, at: Double
  ) {
    let event = Rollout.Event.completed(
      rollout, deployment: deployment(number, of: service, in: environment), at: minute(at))
    tell(.delivery(StreamID.delivery(service, environment), event), position, at)
  }
  /// Change `number` built to what change `serving` built to, which serves already.
  mutating func confirmed(_ number: Int, serving: Int, ordinal: Int64, _ position: Position, at: Double) {
    let offer = Rollout.Offer(
      digest: digest(serving), commit: commit(number), ordinal: ordinal, title: "Change", author: "ada",
      landedAt: minute(0), override: false)
    let event = Rollout.Event.confirmed(offer, deployment: deployment(serving, of: service), at: minute(at))
    tell(.delivery(StreamID.delivery(service, production), event), position, at)
  }
  mutating func condemned(
    _ rollout: RolloutID, _ number: Int, _ cause: CauseClass, in environment: EnvironmentName = production,
    _ position: Position, at: Double
  ) {
    let condemnation = Condemnation(
      rollout: rollout, deployment: deployment(number, of: service, in: environment), scope: .digest, cause: cause,
      rule: "errorRate", sentence: "It fails.", conviction: nil, decidedAt: minute(at))
    tell(.delivery(StreamID.delivery(service, environment), .condemned(condemnation)), position, at)
  }
  mutating func reported(
    _ rollout: RolloutID, _ number: Int, to known: Int?, _ cause: CauseClass, _ position: Position,
    firstBad: Double? = nil, detected: Double, decided: Double, lastBad: Double? = nil, restored: Double,
    requests: Int = 0, clientMinutes: Int? = nil
  ) {
    let report = RollbackReport(
      rollout: rollout, condemned: deployment(number, of: service), to: known.map { deployment($0, of: service) },
      cause: cause, sentence: "It fails.", firstBadAt: firstBad.map(minute), detectedAt: minute(detected),
      decidedAt: minute(decided), lastBadAt: lastBad.map(minute), restoredAt: minute(restored),
      requestsHurt: requests, clientMinutesHurt: clientMinutes ?? 0, evidence: clientMinutes.map { _ in digest(0xe) })
    tell(.delivery(StreamID.delivery(service, production), .reported(report)), position, restored)
  }
}

extension Book {
  init(_ told: [Told], capacity: Int = Book.defaultCapacity) {
    self.init(capacity: capacity)
    for one in told { record(one.fact, position: one.position, at: one.at) }
  }
}
