/// How the requests and errors of a service behave, healthy or not.
package enum Shape: String, CaseIterable, Codable, Sendable {
  /// One rate of requests, one rate of errors, every request for itself.
  case steady
  /// Traffic swings by 60 % up and down within twenty minutes.
  case diurnal
  /// Traffic jumps to five times the usual for seconds.
  case bursty
  /// The error rate itself fluctuates: a new gamma-distributed factor (shape 1, mean 1) every 10 s, the same for both
  /// versions, as from a dependency that they share.
  case overdispersed
  /// The same, but each version has factors of its own.
  case overdispersedApart
  /// Errors come in runs from one client that retries: geometric runs of 5 on average, about a second apart. The
  /// evidence tells which errors are repeats of one client's.
  case clustered
  /// The same behind one address: the evidence cannot tell clients apart.
  case clusteredUnseen
  /// During the deploy both versions fail 1.3 times as often as in the history.
  case driftUp
  /// During the deploy both versions fail 0.77 times as often as in the history.
  case driftDown
}

/// One setting of the benchmark: what a deploy is made of, apart from its seed.
package struct Cell: Hashable, Codable, Sendable {
  /// Share of requests that fail in the history, 0 to 1.
  package let errorRate: Double
  /// Requests a second on the new version, the same at all steps (`Deploy`).
  package let requestsPerSecond: Double
  package let shape: Shape
  /// How many times as often the new version fails as the old; 1 is a healthy deploy.
  package let worsening: Double

  package init(errorRate: Double, requestsPerSecond: Double, shape: Shape, worsening: Double = 1) {
    self.errorRate = errorRate
    self.requestsPerSecond = requestsPerSecond
    self.shape = shape
    self.worsening = worsening
  }

  /// Issue "Rollouts that judge well", benchmarks: baseline error rates, requests/s on the canary, worsenings.
  package static let errorRates = [0.0005, 0.001, 0.01]
  package static let rates: [Double] = [5, 20, 100, 500]
  package static let worsenings: [Double] = [2, 5, 20, 100]

  /// Sorted by shape, error rate, traffic.
  package static func all(worsening: Double = 1, shapes: [Shape] = Shape.allCases) -> [Cell] {
    shapes.flatMap { shape in
      errorRates.flatMap { errorRate in
        rates.map { Cell(errorRate: errorRate, requestsPerSecond: $0, shape: shape, worsening: worsening) }
      }
    }
  }

  /// As it is asked for and printed: "steady/0.1/20", or "steady/0.1/20/5x" for a bad deploy; the error rate in percent.
  package var name: String {
    let healthy = "\(shape.rawValue)/\(Cell.plain(errorRate * 100))/\(Cell.plain(requestsPerSecond))"
    return worsening == 1 ? healthy : "\(healthy)/\(Cell.plain(worsening))x"
  }

  /// Hundredths are enough for all rates above.
  private static func plain(_ value: Double) -> String {
    let rounded = (value * 100).rounded() / 100
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }

  /// A number of this cell alone, so that no two cells share their chance.
  var seed: UInt64 {
    var mixed = UInt64(errorRate * 1e6) &* 0x100_0003
    mixed = (mixed ^ UInt64(requestsPerSecond)) &* 0x100_0003
    mixed = (mixed ^ UInt64(Shape.allCases.firstIndex(of: shape) ?? 0)) &* 0x100_0003
    return (mixed ^ UInt64(worsening * 100)) &* 0x9e37_79b9_7f4a_7c15
  }
}
