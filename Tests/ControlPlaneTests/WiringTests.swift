import ControlPlane
import Foundation
import Kernel
import MergeQueues
import Promotions
import Rollouts
import Testing

private let at = Instant(milliseconds: 1_000)
private let order = Promotion.Order(
  service: Facts.harbor, repository: Facts.repository, commit: Facts.commit("a"), ordinal: 7, title: "Tides",
  author: "ada", landedAt: at, build: Promotion.BuildStep(command: "./build", output: "dist", timeLimit: .minutes(5)),
  stages: [Promotion.Stage(environment: Facts.production, checks: [], soak: .zero)])
private let artifact = StoredArtifact(digest: Facts.digest("1"), provenance: Facts.digest("2"), files: 1, bytes: 1)
private let log = Facts.digest("f")
private let smoke = Facts.parsed(CheckName(rawValue: "smoke"))
private let main = Facts.trunk

private func offer(_ letter: String) -> Rollout.Offer {
  Rollout.Offer(
    digest: Facts.digest("1"), commit: Facts.commit(letter), ordinal: 7, title: "Tides", author: "ada", landedAt: at,
    override: false)
}
private func deployment(_ letter: String) -> Deployment {
  Deployment(
    service: Facts.harbor, environment: Facts.production, digest: Facts.digest("1"), commit: Facts.commit(letter),
    configuration: Facts.digest("3"), sealedConfiguration: Facts.digest("4"))
}
private func started(_ kind: Rollout.Kind, _ letter: String, over old: String?) -> Rollout.Event {
  .started(
    Rollout.RolloutStart(
      id: 1, kind: kind, offer: offer(letter), deployment: deployment(letter), knownGood: old.map(deployment),
      steps: [100], at: at))
}
private let condemnation = Condemnation(
  rollout: 1, deployment: deployment("a"), scope: .digest, cause: .logic, rule: "errorRate", sentence: "It failed.",
  conviction: nil, decidedAt: at)

/// `stream <- input`, in order.
private func routes(_ event: StreamEvent, of stream: StreamID) -> [String] {
  Wiring.route(event, of: stream, at: 7, on: at, Facts.topology()).map { "\($0.stream) <- \(word($0.input))" }
}
private func word(_ input: StreamInput) -> String {
  switch input {
  case .queue(.configure): "configure"
  case .queue(.retire): "retire"
  case .queue(.recall(let services)): "recall \(services.map(\.rawValue).joined(separator: " "))"
  case .delivery(.unconfigure): "unconfigure"
  case .build(.withdrawn(let environment)): "withdrawn \(environment)"
  case .delivery(.configure): "configure"
  case .delivery(.offer(let offer)): "offer \(offer.commit.short) \(offer.ordinal)"
  case .build(.begin(let order)): "begin \(order.commit.short) \(order.ordinal) \(order.title)"
  case .build(.taken(let environment)): "taken \(environment)"
  case .build(.superseded(let environment, let by, let below)): "superseded \(environment) \(by.short) below \(below)"
  case .build(.condemned(let environment, let reason)): "condemned \(environment): \(reason)"
  case .build(.served(let environment, let digest, _)): "served \(environment) \(digest.short)"
  default: "something else"
  }
}
private let a = "build:harbor/\(Facts.commit("a"))"
private let b = "build:harbor/\(Facts.commit("b"))"

@Suite("Wiring") struct WiringTests {
  private func check(
    _ event: StreamEvent, of stream: StreamID, _ expected: [String], _ location: SourceLocation = #_sourceLocation
  ) { #expect(routes(event, of: stream) == expected, sourceLocation: location) }

  @Test("settings reach every queue and every environment") func settings() {
    check(
      .settings(.applied(Facts.topology())), of: .settings,
      ["queue:harbor/main <- configure", "delivery:harbor/production <- configure"])
    check(
      .settings(.left([Facts.delivery, Facts.queue])), of: .settings,
      ["delivery:harbor/production <- unconfigure", "queue:harbor/main <- retire"])
    check(.settings(.joined([Facts.harbor])), of: .settings, ["queue:harbor/main <- recall harbor"])
    check(.settings(.joined([Facts.parsed(ServiceName(rawValue: "gone"))])), of: .settings, [])
  }

  @Test("what becomes the trunk is built") func queue() {
    let landing = MergeQueue.Landing(
      entry: 1, branch: main, head: Facts.commit("c"), author: "ada", title: "Tides", commit: Facts.commit("a"),
      tree: Facts.parsed(TreeID(rawValue: String(repeating: "d", count: 40))), previousTrunk: Facts.commit("e"),
      submittedAt: at, at: at)
    check(.queue(.landed(landing)), of: Facts.queue, ["\(a) <- begin aaaaaaaaaa 7 Tides"])
    check(
      .queue(.trunkMoved(from: nil, to: Facts.commit("a"), at: at)), of: Facts.queue,
      ["\(a) <- begin aaaaaaaaaa 7 trunk as found"])
    check(
      .queue(.trunkMoved(from: Facts.commit("b"), to: Facts.commit("a"), at: at)), of: Facts.queue,
      ["\(a) <- begin aaaaaaaaaa 7 pushed to the trunk directly"])
    check(.queue(.landed(landing)), of: StreamID(.queue, "harbor/other"), [])
    let inside = MergeQueue.Landing(
      entry: 2, branch: main, head: Facts.commit("c"), author: "ada", title: "Ebbs", commit: Facts.commit("b"),
      tree: landing.tree, previousTrunk: Facts.commit("c"), submittedAt: at, at: at, isTip: false, build: 1)
    check(.queue(.landed(inside)), of: Facts.queue, [])
    check(
      .queue(.recalled(trunk: Facts.commit("a"), services: [Facts.harbor], at: at)), of: Facts.queue,
      ["\(a) <- begin aaaaaaaaaa 7 trunk as found"])
    check(.queue(.recalled(trunk: Facts.commit("a"), services: [], at: at)), of: Facts.queue, [])
  }

  @Test("other queue events mean nothing elsewhere") func queueSilence() {
    let commit = Facts.commit("a")
    let tree = Facts.parsed(TreeID(rawValue: String(repeating: "d", count: 40)))
    let key = EffectKey("watch-trunk")
    let facts = MergeQueue.EntryFacts(id: 1, branch: main, head: commit, author: "ada", title: "Tides", submittedAt: at)
    let ejection = MergeQueue.Ejection(
      entry: 1, branch: main, head: commit, author: "ada", title: "Tides", reason: .conflict, log: nil, sentence: "",
      against: [], at: at)
    let silent: [MergeQueue.Event] = [
      .configured(Facts.topology().queues[0]), .submitted(facts), .withdrawn(entry: 1, reason: "", at: at),
      .prepared(entry: 1, base: commit, assumed: [], commit: commit, tree: tree, at: at),
      .conflicted(entry: 1, base: commit, assumed: [], paths: [], detail: "", at: at),
      .contained(entry: 1, base: commit, assumed: [], at: at),
      .testPassed(entry: 1, commit: commit, log: log, startedAt: at, endedAt: at),
      .testFailed(
        entry: 1, commit: commit, end: .timedOut, reason: "", log: log, startedAt: at, endedAt: at),
      .candidateDropped(entry: 1, commit: commit, because: .recipeChanged, at: at), .ejected(ejection),
      .troubled(entry: nil, key: key, why: "", at: at), .recovered(key: key, at: at), .retired(at: at),
      .runBegan(build: 1, run: 1, subject: MergeQueue.Subject(commit: commit, tree: tree), at: at),
      .landingBegan(build: 1, members: [1], commit: commit, expecting: commit, at: at),
      .buildDropped(build: 1, because: .lineChanged, at: at), .thawed(at: at),
    ]
    for event in silent { check(.queue(event), of: Facts.queue, []) }
  }

  @Test("a request is offered to its environment; the rest of a promotion is its own") func build() {
    let place = Facts.production
    check(
      .build(.requested(Promotion.Request(order, environment: place, artifact: artifact, override: false, at: at))),
      of: Facts.build("a"), ["delivery:harbor/production <- offer aaaaaaaaaa 7"])
    let silent: [Promotion.Event] = [
      .begun(order), .built(Promotion.BuildResult(artifact: artifact, log: log, startedAt: at, endedAt: at)),
      .buildFailed(reason: "", log: nil), .provenanceVerified(environment: place, builder: ""),
      .provenanceRejected(environment: place, reason: ""), .taken(environment: place, at: at),
      .superseded(environment: place, by: Facts.commit("b")), .condemned(environment: place, reason: ""),
      .served(environment: place, at: at),
      .checkPassed(environment: place, name: smoke, log: log, startedAt: at, endedAt: at),
      .checkFailed(environment: place, name: smoke, reason: "", log: log, startedAt: at, endedAt: at),
      .soakBegan(environment: place, until: at), .passed(environment: place, at: at), .completed, .halted(reason: ""),
      .resumed(Promotion.Resumption(environment: nil, override: false, reason: "")), .renewed(order),
    ]
    for event in silent { check(.build(event), of: Facts.build("a"), []) }
  }

  @Test("what an environment decides goes back to the promotion") func delivery() {
    func told(_ event: Rollout.Event, _ expected: [String], _ location: SourceLocation = #_sourceLocation) {
      check(.delivery(event), of: Facts.delivery, expected, location)
    }
    told(started(.forward, "a", over: nil), ["\(a) <- taken production"])
    told(
      started(.forward, "a", over: "b"),
      ["\(a) <- taken production", "\(b) <- superseded production aaaaaaaaaa below 7"])
    told(started(.forward, "a", over: "a"), ["\(a) <- taken production"])
    told(started(.rollback, "a", over: "b"), [])
    told(.superseded(offer("a"), by: Facts.commit("b")), ["\(a) <- superseded production bbbbbbbbbb below 8"])
    told(.refusedUnconfigured(offer("a")), ["\(a) <- withdrawn production"])
    told(
      .unconfigured(Rollout.Unconfiguration(rollout: 1, commits: [Facts.commit("a"), Facts.commit("b")], at: at)),
      ["\(a) <- withdrawn production", "\(b) <- withdrawn production"])
    told(.refusedCondemned(offer("a")), ["\(a) <- condemned production: its digest is condemned in production"])
    told(.condemned(condemnation), ["\(a) <- condemned production: It failed."])
    told(.completed(1, deployment: deployment("a"), at: at), ["\(a) <- served production 111111111111"])
    told(.confirmed(offer("b"), deployment: deployment("a"), at: at), ["\(b) <- served production 111111111111"])
  }

  @Test("the rest of a rollout is its own, and a stream with a strange name routes nothing") func deliverySilence() {
    let id = deployment("a").id
    let silent: [Rollout.Event] = [
      .configured(Facts.rollout(Facts.production)), .offered(offer("a")), .startExtended(1, until: at),
      .baselineMeasured(1, .none), .placed(1, digest: Facts.digest("1"), endpoints: 1),
      .stepEntered(1, index: 0, percent: 10, at: at), .routed(shares: [], at: at),
      .stepPassed(1, index: 0, verdict: nil), .restored(1, to: nil, at: at), .retired(id),
      .lifted(Facts.digest("1"), reason: ""), .instanceEnded(id, end: .outOfMemory, inRow: 1, at: at),
      .announced(id: "x", target: 0), .announcementAbandoned(id: "x", target: 0, why: ""),
      .troubled(EffectKey("x"), why: ""), .closed(at: at),
    ]
    for event in silent { check(.delivery(event), of: Facts.delivery, []) }
    check(.delivery(.condemned(condemnation)), of: StreamID(.delivery, "harbor"), [])
  }
}

@Suite("Events on the wire") struct WireTests {
  private func check(_ event: StreamEvent, type: String, _ json: String, _ location: SourceLocation = #_sourceLocation)
    throws
  {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    #expect(event.type == type, sourceLocation: location)
    let data = try encoder.encode(event)
    #expect(String(decoding: data, as: UTF8.self) == json, sourceLocation: location)
    #expect(try JSONDecoder().decode(StreamEvent.self, from: data) == event, sourceLocation: location)
  }

  @Test("one of every kind: the kind, then the case, then its facts") func goldens() throws {
    try check(
      .settings(.applied(Topology())), type: "settings.applied",
      #"{"settings":{"applied":{"_0":{"queues":[],"services":[]}}}}"#)
    try check(
      .settings(.left([Facts.delivery])), type: "settings.left",
      #"{"settings":{"left":{"_0":["delivery:harbor/production"]}}}"#)
    try check(
      .settings(.joined([Facts.harbor])), type: "settings.joined", #"{"settings":{"joined":{"_0":["harbor"]}}}"#)
    try check(
      .queue(.recovered(key: EffectKey("watch-trunk"), at: at)), type: "queue.recovered",
      #"{"queue":{"recovered":{"at":1000,"key":"watch-trunk"}}}"#)
    try check(
      .build(.passed(environment: Facts.production, at: at)), type: "build.passed",
      #"{"build":{"passed":{"at":1000,"environment":"production"}}}"#)
    try check(
      .delivery(.announced(id: "x", target: 0)), type: "delivery.announced",
      #"{"delivery":{"announced":{"id":"x","target":0}}}"#)
  }

  @Test(
    "an event of no kind or of two is not decoded", arguments: ["{}", #"{"train":{}}"#, #"{"queue":{},"build":{}}"#])
  func malformed(json: String) {
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(StreamEvent.self, from: Data(json.utf8)) }
  }
}
