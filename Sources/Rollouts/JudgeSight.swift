/// The smallest worsening that so many requests show, kept until they have grown by a twentieth: finding it costs as
/// much as judging a hundred bins.
struct Sight: Sendable {
  private var requests = -1
  private var viewCost = 0.0
  private var windows = 0
  private var found: Double?

  /// Requests in steps of a twentieth, rounded down, so that the answer depends on nothing but them.
  fileprivate static func round(_ requests: Int) -> Int {
    guard requests > 20 else { return requests }
    var step = 1
    while requests / step > 40 { step *= 2 }
    return requests / step * step
  }

  /// - Parameter windows: that they came in.
  mutating func look(within requests: Int, in windows: Int, _ viewCost: Double, _ plan: JudgePlan) {
    let rounded = Sight.round(requests)
    let windows = Sight.round(windows)
    if rounded == self.requests, viewCost == self.viewCost, windows == self.windows { return }
    self.requests = rounded
    self.viewCost = viewCost
    self.windows = windows
    found = plan.detectableRatio(within: rounded, viewCost: viewCost, windows: max(windows, 1))
  }

  func ratio(within requests: Int, in windows: Int, _ viewCost: Double, _ plan: JudgePlan) -> Double? {
    var sight = self
    sight.look(within: requests, in: windows, viewCost, plan)
    return sight.found
  }
}

/// How many requests *good* needs where the rate fluctuates by itself, kept until those in a window have changed by a
/// twentieth: finding it costs as much as judging hundreds of bins.
struct Need: Sendable {
  private var perWindow = -1
  private var viewCost = 0.0
  private var found: Int?

  /// - Parameters:
  ///   - ratio: always the same.
  ///   - perWindow: requests in `Judge.window`, on the canary.
  mutating func look(toSee ratio: Double, perWindow: Double, _ viewCost: Double, _ plan: JudgePlan) {
    let rounded = Sight.round(max(Int(perWindow), 1))
    if rounded == self.perWindow, viewCost == self.viewCost { return }
    self.perWindow = rounded
    self.viewCost = viewCost
    found = plan.requestsForGood(
      toSee: ratio, viewCost: viewCost, requestsPerSecond: Double(rounded) / Judge.window.seconds)
  }

  func requests(toSee ratio: Double, perWindow: Double, _ viewCost: Double, _ plan: JudgePlan) -> Int? {
    var need = self
    need.look(toSee: ratio, perWindow: perWindow, viewCost, plan)
    return need.found
  }
}
