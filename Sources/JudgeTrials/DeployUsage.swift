import Kernel
import RealModule
import Rollouts
import Statistics

/// What the instances of one deploy use, second by second, for the guards: two of each version, with a memory limit.
///
/// Healthy ones warm up over five seconds to five minutes to 0.6 to 1.3 times the old version's memory, half of them
/// with a collector's saw-tooth of up to a quarter, and one in eight fills a cache to 45 to 65 % of the limit and stops.
/// Figures are uneven by 3 % from second to second. Requests cost some milliseconds each, uneven by 40 %, up to four
/// times as much in a new instance's first minute, beside a time that an instance uses without any. Chance of its own:
/// the requests of a deploy do not depend on it.
package struct DeployUsage: Sendable {
  package enum Fault: String, CaseIterable, Codable, Sendable {
    case none
    /// Memory grows evenly from the deploy on, to the limit within 2.5 to 12 minutes.
    case leak
    /// A request costs 2.5 to 6 times as much, at an equal share or more of requests an instance.
    case dearRequests
  }

  package static let instances = 2
  package static let limit: Int64 = 512_000_000
  private static let usual = 180e6

  package let fault: Fault
  /// Bytes a second, and how many times as much a request costs; 0 and 1 without a fault.
  package let leak: Double
  package let dearness: Double

  private let level: Double
  private let warmSeconds: Double
  private let tooth: Double
  private let toothSeconds: Double
  private let cache: Double
  private let cacheSeconds: Double
  private let idle: Double
  private let cost: Double
  private let coldSeconds: Double
  private let coldness: Double
  private var chance: Chance

  package init(seed: UInt64, fault: Fault = .none) {
    var chance = Chance(seed: (seed &+ 0x75_7361_6765) &* 0xd134_2543_de82_ef95)
    func between(_ low: Double, _ high: Double) -> Double { low + (high - low) * chance.uniform() }
    self.fault = fault
    level = DeployUsage.usual * between(0.6, 1.3)
    warmSeconds = 5 * Double.exp(between(0, Double.log(60)))
    tooth = chance.uniform() < 0.5 ? between(0, 0.25) : 0
    toothSeconds = between(15, 180)
    cache = chance.uniform() < 0.125 ? between(0.45, 0.65) * Double(DeployUsage.limit) : 0
    cacheSeconds = between(60, 400)
    idle = between(0.01, 0.3)
    cost = 0.001 * Double.exp(between(0, Double.log(8)))
    coldSeconds = between(0, 60)
    coldness = between(1, 4)
    let left = Double(DeployUsage.limit) - level
    let leakSeconds = between(150, 720)
    leak = fault == .leak ? left / leakSeconds : 0
    let factor = between(2.5, 6)
    dearness = fault == .dearRequests ? factor : 1
    self.chance = chance
  }

  /// Seconds after the deploy in which the leak meets the limit.
  package var limitSecond: Double { leak > 0 ? (Double(DeployUsage.limit) - level) / leak : .infinity }

  private func newBytes(_ second: Double) -> Double {
    let cached = cache > 0 ? (cache - level) * min(second / cacheSeconds, 1) : 0
    let warm = level * (1 - 0.8 * Double.exp(-second / warmSeconds))
    return (warm + max(cached, 0)) * sawTooth(second) + leak * second
  }
  private func oldBytes(_ second: Double) -> Double { DeployUsage.usual * sawTooth(second + 40) }
  private func sawTooth(_ second: Double) -> Double {
    let turns = second / toothSeconds
    return 1 - tooth + tooth * (turns - turns.rounded(.down))
  }

  /// Processor time so far, of each version.
  package struct Meter: Sendable {
    var new = 0.0
    var old = 0.0
    package init() {}
  }

  /// - Parameters:
  ///   - second: since the deploy.
  ///   - requests: of the new and the old version in the second before.
  package mutating func looks(
    at second: Int, requests: (new: Int, old: Int), canary: DeploymentID, control: DeploymentID, _ meter: inout Meter
  ) -> [InstanceUsage] {
    let cold = Double(second) < coldSeconds ? coldness : 1
    let each = Double(DeployUsage.instances)
    meter.new += idle + Double(requests.new) * cost * dearness * cold * uneven(0.4) / each
    meter.old += idle + Double(requests.old) * cost * uneven(0.4) / each
    let bytes = [newBytes(Double(second)), oldBytes(Double(second))]
    return (0..<DeployUsage.instances).flatMap { number in
      [(canary, bytes[0], meter.new), (control, bytes[1], meter.old)].map { deployment, bytes, processor in
        InstanceUsage(
          deployment: deployment, instance: number, run: 1, residentBytes: Int64(bytes * uneven(0.03)),
          processorSeconds: processor)
      }
    }
  }

  private mutating func uneven(_ part: Double) -> Double { 1 - part + 2 * part * chance.uniform() }
}
