import Foundation
import Kernel
import RealModule
import Statistics
import Testing

@testable import MergeQueues

@Suite("Forecasts") struct ForecastTests {
  private func grounds(_ ahead: Int, slots: Int = 4, running: Double = 0, batch: Int = 1) -> ForecastGrounds {
    ForecastGrounds(
      ahead: ahead, slots: slots, duration: .minutes(10), rates: FailureRates(change: 0.1, flake: 0),
      running: .minutes(running), batch: batch)
  }

  @Test("an estimate grows with the line, falls with slots, batches and time run")
  func estimate() {
    #expect(grounds(0).estimate == .minutes(10))
    #expect(grounds(0, running: 4).estimate == .minutes(6))
    #expect(grounds(0, running: 400).estimate == .minutes(1))
    // (1 - 0.9^4)/0.1 = 3.439 resolved in a round.
    #expect(abs(grounds(9).estimate.seconds - 6_000 / 3.439) < 1)
    #expect(grounds(20).estimate > grounds(9).estimate)
    #expect(grounds(20, slots: 8).estimate < grounds(20).estimate)
    #expect(grounds(20, batch: 4).estimate < grounds(20).estimate)
    #expect([0, 3, 4, 15, 16].map { grounds($0).crowd } == [.first, .withinSlots, .waiting, .waiting, .far])
  }

  @Test("before it has learned, an interval is wide; after, it is what happened")
  func learns() throws {
    var book = ForecastBook()
    let guess = book.forecast(grounds(0))
    #expect(guess.earliest == .minutes(6) && guess.likely == .minutes(10) && guess.latest == .minutes(25))
    for number in 1...200 { book.learn(guess, took: .minutes(5 + Double(number) / 20)) }
    let learned = book.forecast(grounds(0))
    #expect(abs(learned.likely.seconds - 600) < 30)
    #expect(learned.earliest > .minutes(7) && learned.latest < .minutes(13))
    #expect(learned.words.hasPrefix("about 10 min ("))
    let other = book.forecast(grounds(9))
    #expect(other.latest.milliseconds == other.estimate.milliseconds * 5 / 2, "another crowd learns by itself")
    #expect(try JSONDecoder().decode(ForecastBook.self, from: JSONEncoder().encode(book)) == book)
    for _ in 0..<500 { book.learn(guess, took: .minutes(10)) }
    #expect(book.outcomes(of: .first) == ForecastBook.capacity)
  }

  /// A queue of speculative builds, one change each: a red one leaves and those behind it begin anew. Bad changes come in
  /// clusters, and the load swings from idle to more than the slots can take, as on a working day.
  private func simulate(seed: UInt64, slots: Int, changes: Int) -> (inside: Int, outside: Int, byCrowd: [[Int]]) {
    struct Waiting {
      let arrived: Double
      let isBad: Bool
      let duration: Double
      let forecast: Forecast
      var began: Double?
    }
    var chance = Chance(seed: seed)
    var book = ForecastBook()
    var durations = DurationSample()
    var line: [Waiting] = []
    var (now, nextArrival, arrivals, wasBad) = (0.0, 0.0, 0, false)
    var tally = Forecast.Crowd.allCases.map { _ in [0, 0] }
    var (reds, ends) = (0.0, 1.0)
    // Of a round, at the 8 % that clusters of .06 and .3 come to.
    let resolved = (1 - Double.pow(0.92, Double(slots))) / 0.08
    while arrivals < changes || !line.isEmpty {
      for index in line.indices.prefix(slots) where line[index].began == nil { line[index].began = now }
      let head = line.first.flatMap { head in head.began.map { $0 + head.duration } } ?? .infinity
      if arrivals < changes, nextArrival < head {
        now = nextArrival
        let swing = 0.6 + 0.5 * Double.sin(now / 14_400)
        nextArrival += chance.exponential() * 600 / (resolved * swing)
        wasBad = chance.uniform() < (wasBad ? 0.3 : 0.06)
        let usual = durations.median ?? .seconds(600)
        let grounds = ForecastGrounds(
          ahead: line.count, slots: slots, duration: usual, rates: FailureRates(change: reds / ends, flake: 0))
        line.append(
          Waiting(
            arrived: now, isBad: wasBad, duration: 600 * Double.exp(0.3 * chance.normal()),
            forecast: book.forecast(grounds)))
        arrivals += 1
      } else {
        now = max(now, head)
        let done = line.removeFirst()
        ends += 1
        durations.add(.seconds(done.duration))
        if done.isBad {
          reds += 1
          for index in line.indices { line[index].began = nil }
        } else {
          let took = Span.seconds(now - done.arrived)
          let crowd = Forecast.Crowd.allCases.firstIndex(of: done.forecast.crowd) ?? 0
          if book.outcomes(of: done.forecast.crowd) >= ForecastBook.least {
            tally[crowd][done.forecast.covers(took) ? 0 : 1] += 1
          }
          book.learn(done.forecast, took: took)
        }
      }
    }
    return (tally.reduce(0) { $0 + $1[0] }, tally.reduce(0) { $0 + $1[1] }, tally)
  }

  @Test("75 to 85 % of landings fall inside of the 80 % interval", arguments: [(1, 2), (2, 4), (3, 8), (4, 20)])
  func calibrated(seed: Int, slots: Int) {
    let (inside, outside, byCrowd) = simulate(seed: UInt64(seed), slots: slots, changes: 4_000)
    let share = Double(inside) / Double(inside + outside)
    #expect(inside + outside > 3_000)
    #expect((0.75...0.85).contains(share), "\(share) of \(inside + outside), by crowd \(byCrowd)")
  }
}
