/// What befalls a simulated ramp, treatment and control alike.
package enum RampShape: String, CaseIterable, Codable, Sendable {
  /// Each error for itself.
  case steady
  /// Errors in runs of one unit, five on average.
  case bursts
  /// Every five-hundredth unit that comes is broken: it fails every five seconds for minutes.
  case broken
  /// Once a minute, for five seconds on average, errors and slowness are twenty times as frequent.
  case incidents
  /// Traffic and rates swing by 60 % in twenty minutes.
  case wave
  /// Every five minutes on average, rates or traffic are three times what they were, or a third.
  case steps
  /// `bursts`, from a source that does not know units.
  case unseenBursts
}

/// One kind of ramp: traffic, what befalls it, and what the variant does.
package struct RampCell: Hashable, Codable, Sendable {
  package let requestsPerSecond: Double
  package let shape: RampShape
  /// Percent; one for a stage that lasts for ever.
  package let stages: [Double]
  /// Times as many errors as the control has; 1 harms nobody.
  package let ratio: Double
  /// Seconds before the variant begins to harm.
  package let onset: Int
  /// Errors alone, or errors, latency and conversions.
  package let guardrails: Int

  package init(
    requestsPerSecond: Double, shape: RampShape, stages: [Double], ratio: Double = 1, onset: Int = 0, guardrails: Int
  ) {
    self.requestsPerSecond = requestsPerSecond
    self.shape = shape
    self.stages = stages
    self.ratio = ratio
    self.onset = onset
    self.guardrails = guardrails
  }

  /// Issue "Flags: deploy is not release", ramps: loads, baseline, exposures; research §4.3: ratios.
  package static let loads: [Double] = [100, 1000]
  package static let exposures: [Double] = [1, 5, 25]
  package static let ratios: [Double] = [2, 5, 20]
  package static let errorRate = 0.005
  /// Of requests, as P99 within the objective leaves room for.
  package static let slowRate = 0.005
  package static let conversionRate = 0.05
  package static let stageSeconds = 600
  package static let rampSeconds = 1800
  /// One unit in a hundred makes a request each second.
  static let unitsPerRequest = 100.0
  /// Units that come anew, for each request.
  static let newUnitsPerRequest = 0.05
  package static let conversionSeconds = 120
  /// Until every client knows a new stage.
  package static let settleSeconds = 5

  /// "bursts/1000", "steady/1000/25 %/2x".
  package var name: String {
    let load = "\(shape.rawValue)/\(Int(requestsPerSecond))"
    guard ratio != 1 else { return load }
    let late = onset > 0 ? ", late" : ""
    return "\(load)/\(Int(stages[0])) %/\(Int(ratio))x\(late)"
  }

  /// Ramps that harm nobody, at 1, 5 and 25 % for ten minutes each.
  package static var harmless: [RampCell] {
    RampShape.allCases.flatMap { shape in
      loads.map { RampCell(requestsPerSecond: $0, shape: shape, stages: exposures, guardrails: 3) }
    }
  }

  /// Ramps that harm from their first second, at one exposure.
  package static func harmful(guardrails: Int) -> [RampCell] {
    loads.flatMap { load in
      exposures.flatMap { percent in
        ratios.map {
          RampCell(requestsPerSecond: load, shape: .steady, stages: [percent], ratio: $0, guardrails: guardrails)
        }
      }
    }
  }

  /// The same two of the bars, after twenty minutes without harm.
  package static func late(guardrails: Int) -> [RampCell] {
    [(1.0, 5.0), (25, 2)].map { percent, ratio in
      RampCell(
        requestsPerSecond: 1000, shape: .steady, stages: [percent], ratio: ratio, onset: 1200, guardrails: guardrails)
    }
  }

  /// A number of this cell alone.
  var seed: UInt64 {
    var mixed = UInt64(requestsPerSecond) &* 0x100_0003
    mixed = (mixed ^ UInt64(RampShape.allCases.firstIndex(of: shape) ?? 0)) &* 0x100_0003
    mixed = (mixed ^ UInt64(stages[0] * 100) ^ UInt64(onset)) &* 0x100_0003
    return (mixed ^ UInt64(ratio * 100)) &* 0x9e37_79b9_7f4a_7c15
  }
}
