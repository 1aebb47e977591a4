/// What one instance uses now and has used since it began: for memory growth and processor time per request before
/// either becomes an outage.
package struct InstanceUsage: Codable, Equatable, Sendable {
  package let deployment: DeploymentID
  package let instance: Int
  /// Names the process: another one has counted from zero.
  package let run: UInt64
  /// Bytes, all of its processes together.
  package let residentBytes: Int64
  /// Seconds of processor time since it began.
  package let processorSeconds: Double
  package init(
    deployment: DeploymentID, instance: Int, run: UInt64, residentBytes: Int64, processorSeconds: Double
  ) {
    self.deployment = deployment
    self.instance = instance
    self.run = run
    self.residentBytes = residentBytes
    self.processorSeconds = processorSeconds
  }
}
