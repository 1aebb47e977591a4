/// The article's first rule, taken literally: "error rate above 2x the pre-deploy baseline" in a window of 60 s,
/// looked at every second (research §0, §2.6).
package struct ArticleRule: Sendable {
  package static let windowSeconds = 60
  package static let ratio = 2.0
  private let baselineRate: Double
  private var window = SlidingCounts(seconds: windowSeconds)

  /// - Parameter baselineRate: share of errors in the history, 0 to 1.
  package init(baselineRate: Double) { self.baselineRate = baselineRate }

  /// True when the rule rolls back after this second.
  package mutating func rollsBack(after second: Deploy.Counts) -> Bool {
    window.add(second)
    return window.isFull
      && Double(window.total.errors) > ArticleRule.ratio * baselineRate * Double(window.total.requests)
  }
}

/// The counts of the last so many seconds.
struct SlidingCounts: Sendable {
  private var seconds: [Deploy.Counts]
  private var filled = 0
  private(set) var total = Deploy.Counts()

  init(seconds: Int) { self.seconds = Array(repeating: Deploy.Counts(), count: seconds) }

  var isFull: Bool { filled >= seconds.count }

  mutating func add(_ second: Deploy.Counts) {
    let at = filled % seconds.count
    total.requests += second.requests - seconds[at].requests
    total.errors += second.errors - seconds[at].errors
    seconds[at] = second
    filled += 1
  }

  /// Share of requests that did not fail; nil without any.
  var successRate: Double? {
    total.requests == 0 ? nil : 1 - Double(total.errors) / Double(total.requests)
  }
}
