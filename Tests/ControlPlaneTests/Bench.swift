import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// Names that these tests use.
enum Facts {
  static func parsed<Name>(_ name: Name?) -> Name {
    guard let name else { preconditionFailure("a test names something illegal") }
    return name
  }
  static let harbor = parsed(ServiceName(rawValue: "harbor"))
  static let repository = parsed(RepositoryName(rawValue: "harbor"))
  static let trunk = parsed(BranchName(rawValue: "main"))
  static let staging = parsed(EnvironmentName(rawValue: "staging"))
  static let production = parsed(EnvironmentName(rawValue: "production"))
  static let queue = StreamID.queue(repository, trunk)
  static let delivery = StreamID.delivery(harbor, production)
  static func build(_ letter: String) -> StreamID { .build(harbor, commit(letter)) }
  /// `letter` is a hexadecimal digit.
  static func commit(_ letter: String) -> CommitID { parsed(CommitID(rawValue: String(repeating: letter, count: 40))) }
  static func digest(_ letter: String) -> Digest {
    parsed(Digest(rawValue: "sha256:" + String(repeating: letter, count: 64)))
  }
  static let start = Instant(milliseconds: 1_000_000)

  static func rollout(
    _ environment: EnvironmentName, of service: ServiceName = harbor, keep: Int = 3, database: DatabaseName? = nil
  ) -> Rollout.Policy {
    Rollout.Policy(
      service: service, environment: environment, stepMinimum: .seconds(10), finalWatch: .seconds(30), judged: false,
      judge: JudgePolicy(sloP99: .seconds(0.2)), scarcity: .hold, startLimit: .seconds(60), keep: keep,
      announceTargets: 0, database: database)
  }
  static func topology(
    slots: Int = 2, keep: Int = 3, environments: [EnvironmentName] = [production], services: [ServiceName] = [harbor]
  ) -> Topology {
    Topology(
      queues: [
        MergeQueue.Policy(
          repository: repository, trunk: trunk, slots: slots, method: .squash, messageTemplate: "{title}",
          command: "./test", timeLimit: .minutes(15), capacity: 10)
      ],
      services: services.map { service in
        Topology.Service(
          name: service, repository: repository, trunk: trunk,
          build: Promotion.BuildStep(command: "./build", output: "dist", timeLimit: .minutes(5)),
          environments: environments.map { environment in
            Topology.Environment(
              stage: Promotion.Stage(environment: environment, checks: [], soak: .zero),
              rollout: rollout(environment, of: service, keep: keep))
          })
      })
  }
  static func submission(_ number: Int) -> StreamInput {
    .queue(
      .submit(
        MergeQueue.Submission(
          branch: parsed(BranchName(rawValue: "change-\(number)")), head: commit("c"), author: "ada", title: "Change")))
  }
  static let built = built("d")
  static func built(_ letter: String) -> StreamInput {
    .build(
      .built(
        Promotion.BuildResult(
          artifact: StoredArtifact(digest: digest(letter), provenance: digest("e"), files: 1, bytes: 1),
          log: digest("f"), startedAt: start, endedAt: start)))
  }
}

/// An engine over a ledger that survives it; each look at the clock is one told to it.
final class Bench {
  let ledger: TestLedger
  let dispatcher = Recorder()
  let engine: Engine<TestLedger, Recorder>
  var now = Facts.start
  private var replies: UInt64 = 0

  init(on ledger: TestLedger = TestLedger(), now: Instant = Facts.start) {
    self.ledger = ledger
    self.now = now
    engine = Engine(store: ledger, dispatcher: dispatcher, checksInvariants: true, chance: { 7 })
  }

  /// With the topology in force and the trunk seen at `a`.
  static func settled() throws -> Bench {
    let bench = Bench()
    try bench.engine.recover(now: bench.now)
    bench.post(.settings(.apply(Facts.topology())), to: .settings)
    bench.run()
    bench.observe(.queue(.trunkObserved(Facts.commit("a"))), "watch-trunk", of: Facts.queue)
    bench.run()
    return bench
  }

  /// The process died and another comes back.
  func restarted() throws -> Bench {
    let bench = Bench(on: ledger, now: now + .seconds(1))
    try bench.engine.recover(now: bench.now)
    return bench
  }

  func post(_ input: StreamInput, to stream: StreamID, lane: Lane = .progress) {
    engine.post(.letter(Letter(to: stream, input, cause: .pulse, lane: lane)))
  }
  func observe(_ input: StreamInput, _ key: String, of stream: StreamID) {
    engine.post(.letter(Letter(to: stream, input, cause: .observed(effect: EffectKey(key)))))
  }
  /// Posts a request; its reply is found by the number.
  @discardableResult func ask(_ input: StreamInput, of stream: StreamID) -> ReplyID {
    replies += 1
    let id = ReplyID(replies)
    engine.post(.letter(Letter(to: stream, input, cause: .request(id: "r\(replies)"), reply: id)))
    return id
  }
  /// The effect's latest run is over.
  func end(_ key: String, of stream: StreamID, failure: Outage? = nil) {
    guard let start = dispatcher.starts(of: key).last(where: { $0.stream == stream }) else { return }
    engine.post(.ended(stream: stream, key: EffectKey(key), fence: start.fence, lane: .progress, failure: failure))
  }

  /// Takes turns until nothing waits, or a pause is on.
  @discardableResult func run() -> [Reply] {
    var all: [Reply] = []
    for _ in 0..<100 {
      all += engine.run(now: now).replies
      if !engine.hasWork { break }
    }
    return all
  }
  func wait(_ span: Span) { now = now + span }

  /// The delivery does all that it wants, until it wants nothing new.
  func rollOut() {
    for _ in 0..<20 {
      guard case .delivery(let state)? = engine.state(of: Facts.delivery) else { return }
      let before = ledger.all.count
      for effect in Rollout.effects(of: state) {
        let input: Rollout.Input? =
          switch effect {
          case .seal(let offer, _, _):
            .sealed(
              ordinal: offer.ordinal, configuration: Facts.digest("8"), sealedConfiguration: Facts.digest("9"))
          case .run(let deployment, let limit):
            .ready(deployment.id, digest: deployment.digest, endpoints: 1, limit: limit)
          case .route(let routing): .routed(routing, at: now)
          case .wake(_, let key): .woke(key)
          case .retire(let deployment): .retired(deployment.id)
          case .close: .closed(at: now)
          case .measureBaseline, .watch, .collectAftermath, .countServed, .watchBudget, .announce: nil
          }
        if case .wake(let at, _) = effect { now = max(now, at) }
        if let input { observe(.delivery(input), effect.key.text, of: Facts.delivery) }
        run()
      }
      if ledger.all.count == before { return }
    }
  }
}

extension Outcome {
  /// For expectations: `accepted 1`, `refused`, `unavailable`.
  var word: String {
    switch self {
    case .accepted(let events): "accepted \(events.count)"
    case .refused: "refused"
    case .unavailable: "unavailable"
    }
  }
}
