import RealModule

/// How much a test must see before it decides, in the middle of all runs.
package enum SampleSize {
  /// The median of the k-th event's time, in times of the mean gap, is k less this (Poisson's median: Choi,
  /// Proceedings of the American Mathematical Society 121, 1994).
  private static let medianShift = 1.0 / 3
  /// More are not planned with.
  private static let mostEvents = 1 << 20

  /// Requests within which half of all steady streams at `rate` reach ln evidence `threshold`, rounded up. Evidence
  /// rises with an event, so the test decides at its k-th one, with the least k that suffices where the k-th usually
  /// comes. Nil when no number does.
  package static func requests(at rate: Double, test: RegressionTest, threshold: Double) -> Int? {
    guard rate > test.nullRate else { return nil }
    func requests(_ events: Int) -> Double { (Double(events) - medianShift) / rate }
    func suffices(_ events: Int) -> Bool {
      test.logEvidence(events: events, trials: Int(requests(events))) >= threshold
    }
    var most = 1
    while !suffices(most) {
      most *= 2
      if most > mostEvents { return nil }
    }
    var least = most / 2
    while most - least > 1 {
      let middle = (least + most) / 2
      if suffices(middle) { most = middle } else { least = middle }
    }
    let needed = requests(most).rounded(.up)
    return needed < Double(Int32.max) ? max(Int(needed), most) : nil
  }

  /// The same for a rate that fluctuates, whose windows of `perWindow` requests are told apart: a worsening that goes on
  /// steadily, looked at ten times a window.
  package static func requests(
    at rate: Double, test: RegressionTest, threshold: Double, perWindow: Double
  ) -> Int? {
    guard rate > test.nullRate, perWindow > 0 else { return nil }
    var course = RegressionTest.Course()
    for look in 1...(mostWindows * looksAWindow) {
      let trials = Int(perWindow * Double(look) / Double(looksAWindow))
      let events = min(Int(Double(trials) * rate + medianShift), trials)
      if test.logEvidence(after: course, events: events, trials: trials) >= threshold { return max(trials, 1) }
      if look.isMultiple(of: looksAWindow) { test.close(&course, events: events, trials: trials) }
    }
    return nil
  }

  /// Three hours: a fluctuating rate that shows nothing by then is said to show nothing.
  private static let mostWindows = 1080
  private static let looksAWindow = 10
  /// More windows are read as so many, each with more requests, which tells less.
  private static let mostWindowsWithin = 60

  /// What `events` in `trials`, evenly spread over `windows`, say.
  private static func evidence(_ test: RegressionTest, events: Int, trials: Int, windows: Int) -> Double {
    guard test.spread > 0, windows > 1 else { return test.logEvidence(events: events, trials: trials) }
    let windows = min(windows, mostWindowsWithin)
    var course = RegressionTest.Course()
    for window in 1..<windows {
      test.close(&course, events: events * window / windows, trials: trials * window / windows)
    }
    return test.logEvidence(after: course, events: events, trials: trials)
  }

  /// The smallest multiple of `rate`, from `smallest` to all requests failing, that half of all streams show within
  /// `requests`; nil when none does. Never rises with more requests.
  ///
  /// - Parameter windows: that the requests came in, where the rate fluctuates.
  package static func detectableRatio(
    within requests: Int, of rate: Double, tests: [RegressionTest], threshold: Double, smallest: Double,
    windows: Int = 1
  ) -> Double? {
    guard rate > 0, rate < 1, requests > 0 else { return nil }
    func isSeen(_ ratio: Double) -> Bool {
      let rate = min(ratio * rate, 1)
      // As many events as usually come within the requests; if fewer suffice, so do these.
      let events = Int(Double(requests) * rate + medianShift)
      return events > 0 && events <= requests
        && tests.allSatisfy { test in
          rate > test.nullRate
            && evidence(
              test, events: events, trials: Int((Double(events) - medianShift) / rate), windows: windows) >= threshold
        }
    }
    let largest = 1 / rate
    guard largest > smallest, isSeen(largest) else { return nil }
    if isSeen(smallest) { return smallest }
    var low = Double.log(smallest)
    var high = Double.log(largest)
    // 2^-12 of ln 10,000: the ratio to 0.3 %.
    for _ in 0..<12 {
      let middle = (low + high) / 2
      if isSeen(Double.exp(middle)) { high = middle } else { low = middle }
    }
    return Double.exp(high)
  }
}
