import Kernel

/// When an entry will probably have landed, if it lands: from now.
package struct Forecast: Codable, Equatable, Sendable {
  /// One in ten lands before.
  package let earliest: Span
  package let likely: Span
  /// One in ten lands after.
  package let latest: Span
  /// What the lengths above were scaled from; kept, so that the book can learn from the outcome.
  package let estimate: Span
  package let crowd: Crowd

  /// The share of landings that fall between `earliest` and `latest`.
  package static let confidence = 0.8

  package init(earliest: Span, likely: Span, latest: Span, estimate: Span, crowd: Crowd) {
    self.earliest = earliest
    self.likely = likely
    self.latest = latest
    self.estimate = estimate
    self.crowd = crowd
  }

  package func covers(_ span: Span) -> Bool { earliest <= span && span <= latest }

  /// "about 14 min (9 to 32 min)".
  package var words: String { "about \(likely.plainly) (\(earliest.plainly) to \(latest.plainly))" }

  /// How full the queue is for an entry; outcomes are compared within one of these.
  package enum Crowd: String, Codable, CaseIterable, Sendable {
    case first
    /// A slot for each of those ahead, and for it.
    case withinSlots
    /// Within four rounds of the slots.
    case waiting
    case far
  }
}

/// What a forecast stands on.
package struct ForecastGrounds: Equatable, Sendable {
  /// Entries ahead in line that share a lane with it.
  package let ahead: Int
  package let slots: Int
  /// Of one build.
  package let duration: Span
  package let rates: FailureRates
  /// How long its own newest build, or that of those right ahead, has run; zero when it waits.
  package let running: Span
  /// Entries in one build, 1 or more, as the planner makes them now.
  package let batch: Int
  package init(ahead: Int, slots: Int, duration: Span, rates: FailureRates, running: Span = .zero, batch: Int = 1) {
    self.ahead = ahead
    self.slots = slots
    self.duration = duration
    self.rates = rates
    self.running = running
    self.batch = batch
  }

  /// Rounds of CI until it has landed, times a round, less what has run.
  ///
  /// A round of w speculative builds resolves (1 − (1 − q)^w)/q of them on average before the first red one throws away
  /// those behind (research/merge-queue.md §2.6). It is a scale, not a promise: the book corrects it by what happened.
  package var estimate: Span {
    let red = min(max(rates.change + rates.flake, 0), 1)
    let window = max(slots, 1)
    let green = (0..<window).reduce(1.0) { product, _ in product * (1 - red) }
    let resolved = (red > 0 ? (1 - green) / red : Double(window)) * Double(max(batch, 1))
    let rounds = max(1, Double(ahead + 1) / resolved)
    let left = duration.seconds * rounds - min(running.seconds, duration.seconds * Self.mostElapsed)
    return .seconds(max(left, Self.shortest.seconds))
  }

  package var crowd: Forecast.Crowd {
    if ahead == 0 { return .first }
    let width = max(slots, 1) * max(batch, 1)
    if ahead < width { return .withinSlots }
    return ahead < 4 * width ? .waiting : .far
  }

  /// A run past this part of the usual time may yet take long.
  private static let mostElapsed = 0.9
  /// A push and what goes with it.
  private static let shortest = Span.seconds(5)
}

/// What became of forecasts, and so how wide the next must be: the interval that would have held 80 % of the newest
/// outcomes, made wider by each miss and narrower by each hit.
///
/// Conformal prediction on the ratio of outcome to estimate. The rule of Gibbs and Candès ("Adaptive conformal inference
/// under distribution shift", NeurIPS 2021, equation 2) moves the width here and not the level, because in a long line
/// all outcomes known are old ones and the next may lie beyond them all: the share holds in the long run even then.
package struct ForecastBook: Codable, Equatable, Sendable {
  /// In the order of `Crowd.allCases`.
  private var shelves: [Shelf] = Forecast.Crowd.allCases.map { _ in Shelf() }

  private struct Shelf: Codable, Equatable, Sendable {
    /// Outcome over estimate, in thousandths; oldest first, at most `capacity`.
    var ratios: [Int] = []
    /// What the distances from the median to both ends are multiplied by.
    var width = 1.0
  }

  /// Newest outcomes kept of each crowd.
  package static let capacity = 200
  /// Before so many outcomes the interval is the one below.
  package static let least = 20
  /// Thousandths of the estimate, before anything is learned: wide, and said to be a guess by that.
  static let unlearned = (low: 600, middle: 1_000, high: 2_500)
  /// Of it a miss widens by 80 %, a hit narrows by 20 %, so that they balance at four hits to a miss.
  static let step = 0.04
  static let widthLimits = 0.5...20
  /// Thousandths of the median: no end is nearer to it, before it is widened.
  static let leastDistance = 30

  package init() {}

  package func forecast(_ grounds: ForecastGrounds) -> Forecast {
    let (estimate, crowd) = (grounds.estimate, grounds.crowd)
    let shelf = shelves[Self.index(of: crowd)]
    let sorted = shelf.ratios.sorted()
    func scaled(_ thousandths: Int) -> Span { Span(milliseconds: estimate.milliseconds * Int64(thousandths) / 1000) }
    guard sorted.count >= Self.least else {
      let guess = Self.unlearned
      return Forecast(
        earliest: scaled(guess.low), likely: scaled(guess.middle), latest: scaled(guess.high), estimate: estimate,
        crowd: crowd)
    }
    let middle = sorted[(sorted.count - 1) / 2]
    // Ranks of a sample of n + 1, of which the outcome to come is one.
    let outside = Int((1 - Forecast.confidence) / 2 * Double(sorted.count + 1))
    let low = sorted[max(outside, 1) - 1]
    let high = sorted[sorted.count - max(outside, 1)]
    func distance(_ ratio: Int) -> Int {
      Int(Double(max(abs(ratio - middle), middle * Self.leastDistance / 1000)) * shelf.width)
    }
    return Forecast(
      earliest: scaled(max(middle - distance(low), 0)), likely: scaled(middle), latest: scaled(middle + distance(high)),
      estimate: estimate, crowd: crowd)
  }

  /// An entry landed `took` after the forecast was given. Those ejected or withdrawn teach nothing.
  package mutating func learn(_ forecast: Forecast, took: Span) {
    let index = Self.index(of: forecast.crowd)
    let ratio = took.seconds / max(forecast.estimate.seconds, 0.001)
    if shelves[index].ratios.count >= Self.least {
      let error = forecast.covers(took) ? 0.0 : 1.0
      let moved = shelves[index].width * (1 + Self.step * (error - (1 - Forecast.confidence)))
      shelves[index].width = min(max(moved, Self.widthLimits.lowerBound), Self.widthLimits.upperBound)
    }
    if shelves[index].ratios.count >= Self.capacity { shelves[index].ratios.removeFirst() }
    shelves[index].ratios.append(Int(min(max(ratio, 0), 1_000) * 1000))
  }

  package func outcomes(of crowd: Forecast.Crowd) -> Int { shelves[Self.index(of: crowd)].ratios.count }

  private static func index(of crowd: Forecast.Crowd) -> Int { Forecast.Crowd.allCases.firstIndex(of: crowd) ?? 0 }
}
