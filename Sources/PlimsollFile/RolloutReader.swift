import Kernel
import Rollouts
import Yams

/// Reads the keys of a rollout's policy, which an environment and a service's environment share.
struct RolloutReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  /// Requests/s; beyond, nobody rolls out with one HAProxy.
  static let traffics = 0.001...1_000_000
  /// Less than a tenth worse is nobody's release.
  static let errorRatios = 1.1...1000
  static let latencyFactors = 1.0...1000

  func read(_ fields: [String: Node], _ subject: String) -> RolloutDraft {
    var draft = RolloutDraft()
    draft.plan = StepsReader(reading).read(fields, subject)
    draft.stepMinimum = fields["step-minimum"].flatMap { reading.span($0, "\(subject).step-minimum") }
    draft.finalWatch = fields["final-watch"].flatMap { reading.span($0, "\(subject).final-watch") }
    draft.holdback = fields["holdback"].flatMap { holdback($0, "\(subject).holdback") }
    draft.preview = fields["preview"].flatMap { node in
      PreviewReader(reading).read(node, "\(subject).preview").map { Placed(value: $0, node: node) }
    }
    draft.drill = fields["drill"].flatMap { reading.flag($0, "\(subject).drill") }
    draft.judged = fields["judged"].flatMap { reading.flag($0, "\(subject).judged") }
    draft.scarcity = fields["when-scarce"].flatMap { scarcity($0, "\(subject).when-scarce") }
    draft.startLimit = fields["start-limit"].flatMap { reading.limit($0, "\(subject).start-limit") }
    draft.crashLimit = fields["crash-limit"].flatMap { reading.whole($0, "\(subject).crash-limit", in: 1...100) }
    draft.keep = fields["keep"].flatMap { reading.whole($0, "\(subject).keep", in: 1...20) }
    draft.expectation.traffic = fields["traffic"].flatMap {
      reading.number($0, "\(subject).traffic", in: Self.traffics)
    }
    if let node = fields["baseline"] { BaselineReader(reading).read(node, "\(subject).baseline", into: &draft) }
    draft.guards = fields["guards"].flatMap { EvidenceReader(reading).guards($0, "\(subject).guards") }
    draft.watch = fields["watch"].map { node in
      Placed(value: EvidenceReader(reading).watch(node, "\(subject).watch"), node: node)
    }
    if let node = fields["rollback"] { thresholds(node, "\(subject).rollback", into: &draft) }
    return draft
  }

  private func thresholds(_ node: Node, _ subject: String, into draft: inout RolloutDraft) {
    guard let fields = reading.fields(node, subject, RolloutDraft.thresholdKeys) else { return }
    draft.errorRatio = fields["error-ratio"].flatMap {
      reading.number($0, "\(subject).error-ratio", in: Self.errorRatios)
    }
    draft.latencyFactor = fields["latency-factor"].flatMap {
      reading.number($0, "\(subject).latency-factor", in: Self.latencyFactors)
    }
    draft.ceiling = fields["ceiling"].flatMap { ceiling($0, "\(subject).ceiling") }
    draft.budget = BudgetReader(reading).read(fields, node, subject)
    draft.mustDetect = fields["must-detect"].flatMap {
      reading.number($0, "\(subject).must-detect", in: StepsReader.ratios)
    }
  }

  /// The judge would read a share beyond its range as the nearest one within: nobody's wish is bent silently.
  private func ceiling(_ node: Node, _ subject: String) -> Double? {
    guard let share = reading.share(node, subject) else { return nil }
    let range = JudgePolicy.ceilings
    guard range.contains(share) else {
      let limits = "\(range.lowerBound * 100)% to \(range.upperBound * 100)%"
      reading.fail(node, "\(subject): expected a share from \(limits), found \(share * 100)%")
      return nil
    }
    return share
  }

  private func holdback(_ node: Node, _ subject: String) -> Placed<Int>? {
    reading.value(node, subject, expected: "a whole percent from 0% to 49%, such as 5%") { text in
      parsePercent(text).flatMap { Rollout.Policy.holdbacks.contains($0) ? $0 : nil }
    }.map { Placed(value: $0, node: node) }
  }

  private func scarcity(_ node: Node, _ subject: String) -> Rollout.WhenScarce? {
    reading.value(node, subject, expected: "'hold', 'advance after 30m' or 'ask after 30m'") { text in
      if text == "hold" { return .hold }
      for (words, make) in Self.patiences where text.hasPrefix(words) {
        return parseSpan(String(text.dropFirst(words.count))).map(make)
      }
      return nil
    }
  }
  private static let patiences: [(String, @Sendable (Span) -> Rollout.WhenScarce)] = [
    ("advance after ", { .advance(after: $0) }), ("ask after ", { .ask(after: $0) }),
  ]
}
