import Foundation
import Kernel
import Testing

@testable import Rollouts

private typealias Story = ObservationStory

/// One of every case, in the order of the enumeration.
private let goldenEvents: [Observation.Event] = {
  let (old, new) = (Story.version("1.4.1"), Story.version("1.4.2"))
  let conviction = Story.conviction(at: 72)
  return [
    .configured(Story.policy(.metric("build_info", label: "version"))),
    .found(old, at: Story.at(0)),
    .versionsSeen([old, new], at: Story.at(60)),
    .deployed(Observation.Deployed(id: 1, version: new, previous: old, at: Story.at(60), source: .label)),
    .evidenceNoted(1, verdict: Story.good, checkpoint: Story.checkpoint, at: Story.at(61)),
    .wouldHaveRolledBack(1, conviction),
    .wentBack(1, to: old, source: .person, at: Story.at(372)),
    .settled(
      Observation.Settlement(
        deployment: 1, judgement: .wouldHaveRolledBack(conviction), team: .rolledBack(at: Story.at(372)), serving: old,
        at: Story.at(375))),
    .corrected(
      1, .kept, by: Observation.Correction(deployment: nil, did: .kept, actor: "ada", reason: "it was ours"),
      at: Story.at(900)),
    .unconfigured(abandoned: 2, at: Story.at(1000)),
    .announced(id: "shop/production/observed/1", target: 0),
    .announcementAbandoned(id: "shop/production/observed/1", target: 1, why: "the receiver answers 404"),
  ]
}()

@Suite("Observation on the wire") struct ObservationGoldenTests {
  @Test("every event is written as it always was, and read back")
  func goldens() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appending(path: "Goldens/observation-events.jsonl")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = try goldenEvents.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    if ProcessInfo.processInfo.environment["PLIMSOLL_UPDATE"] == "1" {
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try (lines.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
    }
    let stored = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(stored.count == goldenEvents.count)
    for (event, (line, golden)) in zip(goldenEvents, zip(lines, stored)) {
      #expect(line == golden, "\(event.name)")
      #expect(try JSONDecoder().decode(Observation.Event.self, from: Data(golden.utf8)) == event)
      #expect(golden.hasPrefix("{\"\(event.name)\":"))
    }
  }

  @Test("a version is one line of text, and has an arm of its own")
  func versions() throws {
    func check(_ text: String, isVersion: Bool) {
      #expect((ObservedVersion(rawValue: text) != nil) == isVersion, "\(text)")
    }
    check("1.4.2", isVersion: true)
    check("registry.example.org/shop@sha256:0123", isVersion: true)
    check("", isVersion: false)
    check(" v1", isVersion: false)
    check("v1\nv2", isVersion: false)
    check("v1\u{2028}v2", isVersion: false)
    check(String(repeating: "v", count: 121), isVersion: false)

    let arms = (0..<1000).map {
      VersionSource.label("version").arm(of: Story.version("v\($0)"), Story.service, Story.environment)
    }
    #expect(Set(arms).count == arms.count)
    // Legal ids: they are read back from checkpoints and series.
    #expect(arms.allSatisfy { DeploymentID(rawValue: $0.rawValue) == $0 })
    let reported = VersionSource.reported.arm(of: Story.version("v1"), Story.service, Story.environment)
    #expect(!arms.contains(reported))
    #expect(DeploymentID(rawValue: reported.rawValue) == reported)
  }
}
