import ControlPlane
import Kernel
import MergeQueues
import Migrations
import Promotions
import Rollouts

/// Names and policies of a small place with one service and one database.
struct HarborNames {
  let service = Self.parsed(ServiceName(rawValue: "harbor"))
  let repository = Self.parsed(RepositoryName(rawValue: "harbor"))
  let main = Self.parsed(BranchName(rawValue: "main"))
  var queue: StreamID { .queue(repository, main) }

  private static func parsed<Name>(_ name: Name?) -> Name {
    guard let name else { preconditionFailure("a test names something illegal") }
    return name
  }
  func branch(_ name: String) -> BranchName { Self.parsed(BranchName(rawValue: name)) }
  func commit(_ letter: Character) -> CommitID {
    Self.parsed(CommitID(rawValue: String(repeating: letter, count: 40)))
  }
  func digest(_ letter: Character) -> Digest {
    Self.parsed(Digest(rawValue: "sha256:" + String(repeating: letter, count: 64)))
  }
  func digest(of commit: CommitID) -> Digest { digest(commit.rawValue.first ?? "0") }
  func letter(_ digest: Digest) -> String { String(digest.hex.prefix(1)) }
  func letter(_ id: DeploymentID, in state: Rollout.State) -> String {
    let known = state.knownGood.map(\.deployment) + [state.live?.canary].compactMap(\.self)
    return known.first { $0.id == id }.map { letter($0.digest) } ?? "?"
  }

  /// Three versions are kept. One that is not ready after ten minutes is given up.
  func topology(_ place: SchemaPlace, strict: Bool) -> Topology {
    let rollout = Rollout.Policy(
      service: service, environment: place.environment, stepMinimum: .seconds(10), finalWatch: .seconds(30),
      judged: false, judge: JudgePolicy(sloP99: .seconds(0.2)), scarcity: .hold, startLimit: .minutes(10), keep: 3,
      announceTargets: 0, database: place.database)
    return Topology(
      queues: [
        MergeQueue.Policy(
          repository: repository, trunk: main, slots: 1, method: .squash, messageTemplate: "{title}",
          command: "./test", timeLimit: .minutes(15), capacity: 10,
          requirements: MergeQueue.Policy.Requirements(schemas: [place.description]))
      ],
      services: [
        Topology.Service(
          name: service, repository: repository, trunk: main,
          build: Promotion.BuildStep(command: "./build", output: "dist", timeLimit: .minutes(5)),
          environments: [
            Topology.Environment(
              stage: Promotion.Stage(environment: place.environment, checks: [], soak: .zero, database: place.database),
              rollout: rollout)
          ])
      ],
      databases: [
        DatabaseSchema.Policy(
          place: place, repository: repository, trunk: main, path: "db",
          services: [DatabaseSchema.Use(service: service, repository: repository, statements: "statements.sql")],
          strict: strict)
      ])
  }
}

/// A ledger that is a list.
final class ListLedger: EventStore {
  typealias Event = StreamEvent
  typealias State = StreamState
  private(set) var all: [RecordedEvent<StreamEvent>] = []
  private var cursor: Position = 0

  func append(_ events: [NewEvent<StreamEvent>], routedThrough: Position?) throws(AppendFailure) -> [Position] {
    let positions = events.map { event in
      all.append(RecordedEvent(position: Position(all.count + 1), event))
      return Position(all.count)
    }
    if let routedThrough { cursor = max(cursor, routedThrough) }
    return positions
  }
  func events(of stream: StreamID, after version: Version, limit: Int) throws(Outage) -> [RecordedEvent<StreamEvent>] {
    Array(all.filter { $0.stream == stream && $0.version > version }.prefix(limit))
  }
  func events(after position: Position, limit: Int) throws(Outage) -> [RecordedEvent<StreamEvent>] {
    Array(all.dropFirst(Int(position)).prefix(limit))
  }
  func streams() throws(Outage) -> [(stream: StreamID, version: Version)] {
    Set(all.map(\.stream)).sorted().map { stream in (stream, Version(all.count { $0.stream == stream })) }
  }
  func snapshot(of stream: StreamID) throws(Outage) -> Snapshot<StreamState>? { nil }
  func save(_ snapshot: Snapshot<StreamState>) throws(Outage) {}
  func routingCursor() throws(Outage) -> Position { cursor }
}

/// Notes which effects were started, for their fences.
final class StartedEffects: EffectDispatcher {
  private var fences: [(key: EffectKey, stream: StreamID, fence: Fence)] = []
  func start(_ effect: StreamEffect, of stream: StreamID, fence: Fence) {
    fences.append((effect.key, stream, fence))
  }
  func cancel(_ key: EffectKey, of stream: StreamID, fence: Fence) {}
  func fence(of key: EffectKey, in stream: StreamID) -> Fence? {
    fences.last { $0.key == key && $0.stream == stream }?.fence
  }
}
