import Kernel

/// What a rollout's judge saw and thought, second by second: the picture on its page.
package struct EvidenceSeries: Codable, Equatable, Sendable {
  package let stream: StreamID
  package let rollout: Int
  package let canary: DeploymentID
  package let control: DeploymentID?
  package let slowerThan: Span
  package var points: [EvidencePoint]
  package init(
    stream: StreamID, rollout: Int, canary: DeploymentID, control: DeploymentID?, slowerThan: Span,
    points: [EvidencePoint] = []
  ) {
    self.stream = stream
    self.rollout = rollout
    self.canary = canary
    self.control = control
    self.slowerThan = slowerThan
    self.points = points
  }
}
