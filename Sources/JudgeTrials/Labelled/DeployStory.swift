import Statistics

/// What the requests of one labelled deploy did, drawn second by second from its recipe.
///
/// Requests that end well, fail and are slow are independent Poisson streams, whose means follow the traffic, the
/// drift, an incident and the trouble. Errors of retrying clients come as runs: geometric lengths, about a second
/// between two.
struct DeployStory {
  private let recipe: DeployRecipe
  private let profile: [Double]
  /// Expected requests, one a second.
  let historyVolumes: [Double]
  let canaryVolumes: [Double]
  private let controlVolumes: [Double]
  private(set) var history: [Deploy.Counts]
  private(set) var canary: [Deploy.Counts?]
  private(set) var control: [Deploy.Counts?]

  init(_ recipe: DeployRecipe, profile: [Double], _ chance: inout Chance) {
    self.recipe = recipe
    self.profile = profile
    var shape = TrafficShape(phase: chance.uniform())
    historyVolumes = (0..<LabelledDeploy.deploySecond).map { second in
      recipe.requestsPerSecond
        * shape.factor(recipe.traffic, at: Double(second - LabelledDeploy.deploySecond), &chance)
    }
    let totals = (0..<LabelledDeploy.watchSeconds).map { second in
      recipe.requestsPerSecond * shape.factor(recipe.traffic, at: Double(second), &chance)
    }
    // A version that is never ready has no share.
    let shares = totals.indices.map { second in
      recipe.kind == .neverReady ? 0 : LabelledDeploy.steps.last { $0.second <= second }?.share ?? 0
    }
    canaryVolumes = zip(totals, shares).map { $0 * $1 }
    controlVolumes = zip(totals, shares).map { $0 * (1 - $1) }
    history = Array(repeating: Deploy.Counts(), count: historyVolumes.count)
    canary = Array(repeating: recipe.kind == .neverReady ? nil : Deploy.Counts(), count: totals.count)
    control = Array(repeating: Deploy.Counts(), count: totals.count)
  }

  mutating func draw(_ chance: inout Chance) {
    let usual = Rates(errors: recipe.errorRate, slow: recipe.slowRate)
    for second in history.indices {
      add(volume: historyVolumes[second], usual, to: &history, at: second, &chance)
    }
    var new = canary.map { $0 ?? Deploy.Counts() }
    var old = control.map { $0 ?? Deploy.Counts() }
    for second in new.indices {
      let both = rates(at: second)
      let worse = worsened(both, at: second)
      let delay = recipe.kind == .hanging && worse.slow > both.slow ? LabelledDeploy.hangingSeconds : 0
      add(volume: canaryVolumes[second], worse, slowAfter: delay, to: &new, at: second, &chance)
      add(volume: controlVolumes[second], both, to: &old, at: second, &chance)
    }
    fail(canaryVolumes, at: recipe.canaryEnds, &new, &chance)
    fail(controlVolumes, at: recipe.controlEnds, &old, &chance)
    canary = zip(canary, new).map { $0 == nil ? nil : $1 }
    control = old
  }

  private struct Rates {
    var errors: Double
    var slow: Double
  }

  /// Of both versions.
  private func rates(at second: Int) -> Rates {
    let part = recipe.driftsSlowly ? Double(second) / Double(LabelledDeploy.watchSeconds) : 1
    var rates = Rates(errors: recipe.errorRate * (1 + (recipe.drift - 1) * part), slow: recipe.slowRate)
    if let incident = recipe.incident, incident.seconds.contains(second) {
      switch incident.measure {
      case .errors: rates.errors = max(rates.errors, incident.rate)
      case .slow: rates.slow = max(rates.slow, incident.rate)
      }
    }
    return rates
  }

  private func worsened(_ usual: Rates, at second: Int) -> Rates {
    var rates = usual
    if let trouble = recipe.trouble {
      let factor = 1 + (trouble.ratio - 1) * profile[second]
      switch trouble.measure {
      case .errors: rates.errors = min(rates.errors * factor, ReferenceEffect.highestRate)
      case .slow: rates.slow = min(rates.slow * factor, ReferenceEffect.highestRate)
      }
      if recipe.slowsTo > 0 { rates.slow = max(rates.slow, recipe.slowsTo * min(profile[second], 1)) }
    } else if recipe.slowsTo > 0, recipe.canaryEnds.contains(where: { $0 >= second && $0 - second < Self.toil }) {
      rates.slow = max(rates.slow, recipe.slowsTo)
    }
    // A request counts once.
    rates.slow = min(rates.slow, 1 - rates.errors)
    return rates
  }

  /// Seconds before its end in which a runtime short of memory is slow.
  static let toil = 10

  private func add(
    volume: Double, _ rates: Rates, slowAfter delay: Int = 0, to arm: inout [Deploy.Counts], at second: Int,
    _ chance: inout Chance
  ) {
    let slow = chance.poisson(volume * rates.slow)
    arm[second].add(Deploy.Counts(requests: chance.poisson(volume * max(1 - rates.errors - rates.slow, 0))))
    if arm.indices.contains(second + delay) { arm[second + delay].add(Deploy.Counts(requests: slow, slow: slow)) }
    guard recipe.clusterMean > 1 else {
      let errors = chance.poisson(volume * rates.errors)
      arm[second].add(Deploy.Counts(requests: errors, errors: errors))
      return
    }
    for _ in 0..<chance.poisson(volume * rates.errors / recipe.clusterMean) {
      var at = Double(second) + chance.uniform()
      for _ in 0..<chance.geometric(mean: recipe.clusterMean) {
        guard arm.indices.contains(Int(at)) else { break }
        arm[Int(at)].add(Deploy.Counts(requests: 1, errors: 1))
        at += Deploy.clusterGapSeconds * chance.exponential()
      }
    }
  }

  /// What was under way at an instance that ended.
  private func fail(_ volumes: [Double], at ends: [Int], _ arm: inout [Deploy.Counts], _ chance: inout Chance) {
    for second in ends {
      let errors = chance.poisson(volumes[second] * recipe.underWaySeconds)
      arm[second].add(Deploy.Counts(requests: errors, errors: errors))
    }
  }
}
