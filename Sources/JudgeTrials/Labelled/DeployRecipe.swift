import RealModule
import Statistics

/// What one labelled deploy is made of, drawn from its seed; what its requests do is drawn afterwards.
struct DeployRecipe {
  /// A worsening of the new version alone.
  struct Trouble {
    let measure: DeployLabel.Measure
    /// In times of the history's rate, when it is full.
    let ratio: Double
    /// Seconds of the watch.
    let begins: Int
    /// From nothing to full, in seconds; 0 for at once.
    var grows = 0
    /// One route's traffic comes and goes: another exponential factor of mean 1 each 10 s.
    var fluctuates = false
  }
  /// What happens to both versions alike.
  struct Incident {
    let measure: DeployLabel.Measure
    /// The rate during it, at least.
    let rate: Double
    let seconds: Range<Int>
  }
  /// What becomes of the counts while no source can be believed.
  struct Loss {
    enum Way: CaseIterable {
      /// No counts, and the recording says so.
      case cut
      /// Counts that are wrong, and the recording says so: every request of the new version fails.
      case garbled
      /// No counts, and nobody says so.
      case silent
    }
    let way: Way
    /// Of the watch; to its end when the source never comes back.
    let seconds: Range<Int>
  }

  let kind: DeployLabel.Kind
  /// Of both versions together, on average.
  let requestsPerSecond: Double
  let errorRate: Double
  let slowRate: Double
  let traffic: Shape
  /// Errors of one client in a row, on average; 1 when each stands for itself.
  var clusterMean = 1.0
  /// Both versions' error rate at the end of the watch, in times of the history's.
  var drift = 1.0
  /// Whether the drift comes over the watch, or is there from its beginning.
  var driftsSlowly = false
  var trouble: Trouble?
  /// Share of slow requests that grows with the trouble.
  var slowsTo = 0.0
  var incident: Incident?
  /// Seconds of the watch in which instances end.
  var canaryEnds: [Int] = []
  var controlEnds: [Int] = []
  /// Requests of so many seconds are under way at an instance that ends, and fail with it.
  var underWaySeconds = 0.0
  var loss: Loss?

  private static let watch = LabelledDeploy.watchSeconds

  init(_ chance: inout Chance) {
    kind = DeployRecipe.kind(&chance)
    let isQuiet = kind.class == .lowTraffic
    requestsPerSecond = isQuiet ? chance.between(0.5, 8) : chance.between(20, 2000)
    errorRate = chance.between(0.0002, 0.01)
    slowRate = chance.between(0.0005, 0.005)
    let shapes: [Shape] = [.steady, .diurnal, .bursty]
    let any = shapes[chance.whole(0..<shapes.count)]
    switch kind {
    case .steady, .drifting, .retrying: traffic = .steady
    case .diurnal: traffic = .diurnal
    case .bursty: traffic = .bursty
    default: traffic = any
    }
    drawTrouble(&chance)
    drawSurroundings(&chance)
  }

  private static func kind(_ chance: inout Chance) -> DeployLabel.Kind {
    let kinds = DeployLabel.Kind.allCases
    var left = chance.whole(0..<kinds.reduce(0) { $0 + $1.weight })
    for kind in kinds {
      left -= kind.weight
      if left < 0 { return kind }
    }
    return .steady
  }

  private mutating func drawTrouble(_ chance: inout Chance) {
    switch kind {
    case .steady, .diurnal, .bursty, .drifting, .retrying, .dependencyFails, .dependencySlow, .hostRestarts,
      .blindHealthy, .quietHealthy:
      break
    case .atOnce: trouble = errors(worsening(2, &chance), from: 0)
    case .oneRoute:
      trouble = errors(worsening(2, &chance), from: 0)
      trouble?.fluctuates = true
    case .delayed: trouble = errors(worsening(2, &chance), from: chance.whole(60..<420))
    case .growing:
      trouble = errors(worsening(2, &chance), from: chance.whole(0..<120))
      trouble?.grows = chance.whole(60..<240)
    case .clustered:
      trouble = errors(worsening(2, &chance), from: 0)
      clusterMean = chance.between(2, 5)
    case .blindBad: trouble = errors(worsening(3, &chance), from: chance.whole(0..<300))
    case .quietBad: trouble = errors(worsening(5, &chance), from: 0)
    case .badVariable: trouble = errors(chance.between(0.1, 0.9) / errorRate, from: 0)
    case .slow, .hanging:
      let begins = chance.whole(0..<2) == 0 ? 0 : chance.whole(0..<300)
      trouble = Trouble(measure: .slow, ratio: chance.between(0.02, 0.6) / slowRate, begins: begins)
    case .crashLoop:
      canaryEnds = ends(from: chance.whole(0..<60), apart: 4, 20, &chance)
    case .outOfMemory:
      let first = chance.whole(40..<180)
      canaryEnds = ends(from: first, apart: Double(first) * 0.6, Double(first), &chance)
      // Some runtimes toil before they are killed.
      if chance.whole(0..<2) == 0 { slowsTo = chance.between(0.005, 0.05) }
    case .neverReady: break
    case .exhaustion:
      let begins = chance.whole(0..<120)
      let grows = chance.whole(30..<120)
      trouble = errors(chance.between(0.02, 0.3) / errorRate, from: begins)
      trouble?.grows = grows
      slowsTo = chance.between(0.05, 0.5)
      canaryEnds = ends(from: begins + grows / 2, apart: 15, 60, &chance)
    }
  }

  private mutating func drawSurroundings(_ chance: inout Chance) {
    switch kind {
    case .drifting:
      drift = 1 + 0.3 * chance.uniform()
      driftsSlowly = chance.whole(0..<2) == 0
    case .retrying: clusterMean = chance.between(2, 5)
    case .dependencyFails, .dependencySlow:
      let begins = chance.whole(0..<400)
      incident = Incident(
        measure: kind == .dependencyFails ? .errors : .slow, rate: chance.between(0.02, 0.6),
        seconds: begins..<min(begins + chance.whole(20..<200), Self.watch))
    case .hostRestarts:
      let begins = chance.whole(0..<400)
      canaryEnds = Array(ends(from: begins, apart: 5, 60, &chance).prefix(chance.whole(1..<4)))
      controlEnds = Array(ends(from: begins, apart: 5, 60, &chance).prefix(chance.whole(1..<4)))
    case .blindHealthy, .blindBad:
      let begins = chance.whole(10..<400)
      let isForGood = chance.whole(0..<4) == 0
      let lasts = chance.whole(20..<200)
      loss = Loss(
        way: Loss.Way.allCases[chance.whole(0..<3)],
        seconds: begins..<(isForGood ? Self.watch : min(begins + lasts, Self.watch)))
    default: break
    }
    if !canaryEnds.isEmpty { underWaySeconds = chance.between(0.01, 0.1) }
  }

  /// Up to a hundredfold, and to nine requests in ten.
  private func worsening(_ least: Double, _ chance: inout Chance) -> Double {
    min(chance.between(least, 100), 0.9 / errorRate)
  }

  private func errors(_ ratio: Double, from second: Int) -> Trouble {
    Trouble(measure: .errors, ratio: ratio, begins: second)
  }

  private func ends(from first: Int, apart least: Double, _ most: Double, _ chance: inout Chance) -> [Int] {
    var ends: [Int] = []
    var second = Double(first)
    while Int(second) < Self.watch {
      ends.append(Int(second))
      second += chance.between(least, most)
    }
    return ends
  }

  /// How much of the trouble there is, one a second of the watch.
  func profile(_ chance: inout Chance) -> [Double] {
    guard let trouble else { return Array(repeating: 0, count: Self.watch) }
    var factor = 1.0
    return (0..<Self.watch).map { second in
      if trouble.fluctuates, second % Deploy.windowSeconds == 0 { factor = chance.exponential() }
      guard second >= trouble.begins else { return 0 }
      if trouble.grows == 0 { return factor }
      return min(Double(second - trouble.begins + 1) / Double(trouble.grows), 1) * factor
    }
  }
}

extension Chance {
  /// Evenly spread over the logarithms from `low` to `high`, both above 0.
  fileprivate mutating func between(_ low: Double, _ high: Double) -> Double {
    low * Double.exp(uniform() * Double.log(high / low))
  }
  fileprivate mutating func whole(_ range: Range<Int>) -> Int {
    range.lowerBound + Int(uniform() * Double(range.count))
  }
}
