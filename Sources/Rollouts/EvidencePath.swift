import Kernel

/// Gathers bins into the points of the picture: one a second at first, then, whenever the path is full, twice as
/// coarse, so that a watch of any length keeps its shape in bounded memory.
struct EvidencePath: Sendable {
  /// Points kept; more than a picture has pixels for on a phone.
  static let longestPath = 600
  static let finestResolution = Span.seconds(1)

  private var resolution = EvidencePath.finestResolution
  private var since: Instant?
  private var canary = RequestCounts.zero
  private var control = RequestCounts.zero

  mutating func absorb(_ bin: EvidenceBin, canary: DeploymentID, control: DeploymentID?) {
    since = since ?? bin.from
    self.canary = self.canary + bin.counts(of: canary)
    if let control { self.control = self.control + bin.counts(of: control) }
  }

  /// The point in the making is as long as a point is.
  func isDue(at now: Instant) -> Bool { since.map { now - $0 >= resolution } ?? false }

  /// Ends the point in the making, so that the moment of a decision is on the path.
  mutating func close(at now: Instant, tests: [TestState], into path: inout [EvidencePoint]) {
    guard since != nil else { return }
    if path.count >= EvidencePath.longestPath {
      path = EvidencePath.halved(path)
      resolution = resolution * 2
    }
    let evidence = tests.map { RuleEvidence(rule: $0.rule, logEvidence: $0.logEvidence, threshold: $0.threshold) }
    path.append(EvidencePoint(at: now, canary: canary, control: control, evidence: evidence))
    since = nil
    canary = .zero
    control = .zero
  }

  /// Each two neighbours as one, with the later one's evidence: no request is lost.
  private static func halved(_ path: [EvidencePoint]) -> [EvidencePoint] {
    stride(from: 0, to: path.count, by: 2).map { index in
      let first = path[index]
      guard index + 1 < path.count else { return first }
      let second = path[index + 1]
      return EvidencePoint(
        at: second.at, canary: first.canary + second.canary, control: first.control + second.control,
        evidence: second.evidence)
    }
  }
}
