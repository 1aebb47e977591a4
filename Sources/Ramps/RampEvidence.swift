import Kernel

/// What a ramp is judged on, told by whoever gathers it.
///
/// The port stands beside the judge and not in `Kernel`, because it speaks of cohorts and guardrails.
package protocol RampEvidence: Sendable {
  /// All that is told of a ramp from now on, and of its earlier epochs what comes late. One batch a second, an empty one
  /// when nothing came, as long as it is read; a second is told when it is whole (`SecondBuffer`).
  ///
  /// - Throws: `Outage` when the source cannot be reached; the caller opens it again. A stream that ends is an outage.
  func tellings(of ramp: RampSource) async throws(Outage) -> AsyncStream<[RampTelling]>
  /// A share of the ramp is in force. Tellings carry the epochs that were told here; telling one again, or later with
  /// the instant at which clients had it, is harmless.
  func allocated(_ allocation: RampAllocation, of ramp: RampSource) async
  /// What each guardrail usually sees here, all cohorts together, in the policy's order; nil where nothing is known.
  func usual(of ramp: RampSource) async throws(Outage) -> [UsualTraffic?]
  /// When anybody was last seen with the variant in effect; nil when nobody was since then.
  ///
  /// - Parameters:
  ///   - variant: nil for any variant of the flag, as after it was switched off.
  ///   - since: evaluations of before do not count.
  func shown(_ flag: FlagKey, in environment: EnvironmentName, variant: String?, since: Instant) async throws(Outage)
    -> Instant?
}

/// A share of a ramp, as those who attribute exposures need to know it.
package struct RampAllocation: Codable, Equatable, Sendable {
  package let epoch: Int
  /// The first version of the environment's definitions that gives it out; nil where it is not known.
  package let version: Int?
  package let began: Instant
  /// When clients had it, or the time for it was up; nil until then.
  package let settled: Instant?
  package init(epoch: Int, version: Int?, began: Instant, settled: Instant?) {
    self.epoch = epoch
    self.version = version
    self.began = began
    self.settled = settled
  }
}

/// Whose evidence.
package struct RampSource: Codable, Equatable, Sendable {
  package let flag: FlagKey
  package let environment: EnvironmentName
  /// What the treatment gets; everybody else whom the ramp reaches is the control.
  package let variant: String
  /// Counts the flag's ramps.
  package let ramp: Int
  /// Whose requests are looked at; nil for all that name the flag.
  package let service: ServiceName?
  package let policy: RampPolicy
  package init(
    flag: FlagKey, environment: EnvironmentName, variant: String, ramp: Int, service: ServiceName?, policy: RampPolicy
  ) {
    self.flag = flag
    self.environment = environment
    self.variant = variant
    self.ramp = ramp
    self.service = service
    self.policy = policy
  }
}

package enum RampTelling: Codable, Equatable, Sendable {
  case second(CohortSecond, guardrail: Int)
  /// Units that got a variant for the first time in an epoch.
  case units(Cohorts, epoch: Int, second: Instant)
}
