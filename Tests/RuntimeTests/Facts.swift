import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// Names, orders and reports that these tests use.
enum Facts {
  static func parsed<Name>(_ name: Name?) -> Name {
    guard let name else { preconditionFailure("a test names something illegal") }
    return name
  }
  static let harbor = parsed(ServiceName(rawValue: "harbor"))
  /// Not named like the service, so that one cannot be mistaken for the other.
  static let repository = parsed(RepositoryName(rawValue: "fleet"))
  static let trunk = parsed(BranchName(rawValue: "main"))
  static let production = parsed(EnvironmentName(rawValue: "production"))
  static let queue = StreamID.queue(repository, trunk)
  static let delivery = StreamID.delivery(harbor, production)
  static let build = StreamID.build(harbor, commit("c"))
  static let start = Instant(milliseconds: 1_000_000)

  /// `letter` is a hexadecimal digit.
  static func commit(_ letter: String) -> CommitID { parsed(CommitID(rawValue: String(repeating: letter, count: 40))) }
  static func digest(_ letter: String) -> Digest {
    parsed(Digest(rawValue: "sha256:" + String(repeating: letter, count: 64)))
  }
  static func deployment(_ letter: String) -> Deployment {
    Deployment(
      service: harbor, environment: production, digest: digest(letter), commit: commit(letter),
      configuration: digest("0"), sealedConfiguration: digest("1"))
  }

  static func report(_ end: RunEnd, tail: String = "", output: String? = nil) -> RunReport {
    RunReport(
      end: end, log: digest("f"), logTail: tail, startedAt: start, endedAt: start + .seconds(2), outputFolder: output)
  }

  static let test = StreamEffect.queue(
    .test(
      build: 3, run: 1, commit: commit("c"), command: "./test", timeLimit: .minutes(15), repository: repository,
      recipe: 7))
  static let buildIt = StreamEffect.build(
    .build(
      service: harbor, repository: repository, commit: commit("c"),
      step: Promotion.BuildStep(command: "./build", output: "dist", timeLimit: .minutes(5))))
  static let check = StreamEffect.build(
    .check(
      environment: production,
      check: Promotion.Check(
        name: parsed(CheckName(rawValue: "smoke")), command: "./smoke", timeLimit: .minutes(1)),
      attempt: 1, service: harbor, digest: digest("d"), commit: commit("c")))
  static func route(_ percents: (Deployment, Int)..., preview: PreviewRoute? = nil) -> StreamEffect {
    .delivery(.route(routing(percents, preview: preview)))
  }
  static func routing(_ percents: [(Deployment, Int)], preview: PreviewRoute? = nil) -> Rollout.Routing {
    Rollout.Routing(percents.map { TrafficShare($0.0.id, percent: $0.1) }, preview, number: 7)
  }

  static func topology(capacity: Int = 10) -> Topology {
    Topology(
      queues: [
        MergeQueue.Policy(
          repository: repository, trunk: trunk, slots: 2, method: .squash, messageTemplate: "{title}",
          command: "./test", timeLimit: .minutes(15), capacity: capacity)
      ])
  }
  static func submission(_ number: Int) -> StreamInput {
    .queue(
      .submit(
        MergeQueue.Submission(
          branch: parsed(BranchName(rawValue: "change-\(number)")), head: commit("b"), author: "ada", title: "Change")))
  }
}
