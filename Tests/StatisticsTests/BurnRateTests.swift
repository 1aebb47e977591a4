import Kernel
import Statistics
import Testing

private let month = Span.minutes(30 * 24 * 60)
private func minutes(_ count: Double) -> Span { .minutes(count) }

@Suite("Burn rates") struct BurnRateTests {
  @Test("the factors of the workbook's table for 30 days") func factors() {
    let factors = BurnRate.pairs.map { ($0.factor(objectiveWindow: month) * 1e9).rounded() / 1e9 }
    #expect(factors == [14.4, 6, 3, 1])
    // A week's budget is a quarter of a month's, and so must last.
    #expect(abs(BurnRate.pairs[0].factor(objectiveWindow: minutes(7 * 24 * 60)) - 3.36) < 1e-9)
  }

  /// Research of rollouts §3: 1 h times 1.44 % over the error rate.
  @Test(
    "how long until the fast page at 99.9 %",
    arguments: [(1.0, 51.84), (0.5, 103.68), (0.1, 518.4), (0.05, 1036.8), (0.02, 2592.0)])
  func timeToPage(_ errorRate: Double, _ seconds: Double) throws {
    let time = try #require(
      BurnRate.time(untilBurning: BurnRate.pairs[0], errorRate: errorRate, target: 0.999, objectiveWindow: month))
    #expect(abs(time.seconds - seconds) < 0.01)
  }

  @Test("too few errors never burn") func never() {
    for (pair, errorRate) in [(BurnRate.pairs[0], 0.0143), (BurnRate.pairs[3], 0.0009)] {
      #expect(BurnRate.time(untilBurning: pair, errorRate: errorRate, target: 0.999, objectiveWindow: month) == nil)
    }
  }

  /// Even traffic of 100 requests/s with errors since so many seconds, counted over every window.
  private func finding(errorsFor seconds: Double, at rate: Double, target: Double = 0.999) -> BurnRate.Finding {
    let counts = BurnRate.windows(objectiveWindow: month).map { window in
      BudgetWindow(
        window: window, requests: window.seconds * 100, errors: min(seconds, window.seconds) * 100 * rate)
    }
    return BurnRate.finding(target: target, objectiveWindow: month, counts: counts)
  }

  @Test("the fast pair burns from that second on, not before; the slow pairs later")
  func burns() {
    #expect(finding(errorsFor: 51, at: 1).burning == nil)
    #expect(finding(errorsFor: 52, at: 1).burning?.pair == BurnRate.pairs[0])
    #expect(finding(errorsFor: 517, at: 0.1).burning == nil)
    #expect(finding(errorsFor: 519, at: 0.1).burning?.pair == BurnRate.pairs[0])
    // 0.8 % errors: eight times too fast pages only when 5 % of the budget is gone, after 4.5 h.
    #expect(finding(errorsFor: 4.4 * 3600, at: 0.008).burning == nil)
    #expect(finding(errorsFor: 4.6 * 3600, at: 0.008).burning?.pair == BurnRate.pairs[1])
    // Twice too fast is a ticket after a day and a half.
    #expect(finding(errorsFor: 35 * 3600, at: 0.002).burning == nil)
    #expect(finding(errorsFor: 37 * 3600, at: 0.002).burning?.pair == BurnRate.pairs[3])
  }

  @Test("what has ended burns no more, though the long window still shows it") func ended() throws {
    var counts = BurnRate.windows(objectiveWindow: month).map {
      BudgetWindow(window: $0, requests: $0.seconds, errors: min(600, $0.seconds / 2))
    }
    func first() -> BurnRate.PairFinding {
      BurnRate.finding(target: 0.999, objectiveWindow: month, counts: counts).pairs[0]
    }
    #expect(first().burns)
    counts[0] = BudgetWindow(window: minutes(5), requests: 300, errors: 0)
    #expect(!first().burns)
    #expect(try #require(first().longRate) > first().factor)
  }

  @Test("the budget left closes the gate when it is spent; knowing nothing closes none") func budget() throws {
    func left(_ errors: Double) -> BurnRate.Finding {
      BurnRate.finding(
        target: 0.99, objectiveWindow: month, counts: [BudgetWindow(window: month, requests: 10_000, errors: errors)])
    }
    #expect(abs(try #require(left(0).budgetLeft) - 1) < 1e-9)
    #expect(abs(try #require(left(25).budgetLeft) - 0.75) < 1e-9)
    #expect(!left(99).isBudgetSpent)
    #expect(left(101).isBudgetSpent)
    #expect(abs(try #require(left(200).budgetLeft) + 1) < 1e-9)
    let nothing = BurnRate.finding(target: 0.99, objectiveWindow: month, counts: [])
    #expect(nothing.budgetLeft == nil && !nothing.isBudgetSpent && nothing.burning == nil)
  }

  @Test("a gate opens again when a share is left and the short windows of both pages are calm") func recovered() {
    func recovered(spent: Double, fast: Double, slow: Double) -> Bool {
      BurnRate.finding(
        target: 0.99, objectiveWindow: month,
        counts: [
          BudgetWindow(window: month, requests: 1e6, errors: 1e4 * spent),
          BudgetWindow(window: minutes(5), requests: 1e4, errors: 100 * fast),
          BudgetWindow(window: minutes(30), requests: 1e4, errors: 100 * slow),
        ]
      ).isRecovered
    }
    #expect(BurnRate.recoveredShare == 0.02)
    #expect(recovered(spent: 0.97, fast: 7.1, slow: 2.9))
    #expect(!recovered(spent: 0.985, fast: 0, slow: 0))
    #expect(!recovered(spent: 0.5, fast: 7.3, slow: 0))
    #expect(!recovered(spent: 0.5, fast: 0, slow: 3.1))
    let silent = BurnRate.finding(
      target: 0.99, objectiveWindow: month, counts: [BudgetWindow(window: month, requests: 10, errors: 0)])
    #expect(!silent.isRecovered, "without a request nobody knows")
  }

  @Test("fewer than ten errors spend nothing and burn nothing, however few requests there were") func few() throws {
    func finding(_ errors: Double) -> BurnRate.Finding {
      BurnRate.finding(
        target: 0.999, objectiveWindow: month,
        counts: BurnRate.windows(objectiveWindow: month).map {
          BudgetWindow(window: $0, requests: 400, errors: errors)
        })
    }
    #expect(abs(try #require(finding(1).budgetLeft) + 1.5) < 1e-9, "the figure is what it is")
    #expect(!finding(9).isBudgetSpent && finding(9).burning == nil)
    #expect(finding(10).isBudgetSpent && finding(10).paging?.pair == BurnRate.pairs[0])
    #expect(!finding(9).isRecovered, "what was closed waits for a share of the budget")
  }

  @Test("odd counts are read as the nearest possible ones") func oddCounts() throws {
    let over = BudgetWindow(window: month, requests: 10, errors: 20)
    #expect(over.errors == 10)
    #expect(BudgetWindow(window: month, requests: -1, errors: -1).requests == 0)
    let all = BurnRate.finding(target: 1, objectiveWindow: month, counts: [over])
    #expect(try #require(all.budgetLeft).isFinite && all.isBudgetSpent)
  }

  @Test("the windows to count over, each once") func windows() {
    #expect(
      BurnRate.windows(objectiveWindow: minutes(24 * 60)).map { $0.seconds / 60 }
        == [5, 30, 60, 120, 360, 1440, 4320])
    #expect(BurnRate.windows(objectiveWindow: month).count == 8)
  }
}
