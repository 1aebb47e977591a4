import Kernel
import RealModule
import Testing

@testable import Statistics

@Suite("Durations") struct DurationSampleTests {
  private func logNormal(_ count: Int, median: Double, deviation: Double, seed: UInt64) -> [Span] {
    var chance = Chance(seed: seed)
    return (0..<count).map { _ in .seconds(median * Double.exp(deviation * chance.normal())) }
  }

  @Test("too few claim no spread, none claim nothing")
  func few() {
    #expect(DurationSample().median == nil && DurationSample().tail == nil)
    let seven = DurationSample((1...7).map { .seconds(Double($0)) })
    #expect(seven.median == .seconds(4) && seven.tail == nil && seven.logDeviation == nil)
  }

  @Test("the newest two hundred count, and what is no duration does not")
  func bounded() {
    var sample = DurationSample()
    for number in 1...1_000 { sample.add(.seconds(Double(number))) }
    sample.add(.zero)
    sample.add(.seconds(-1))
    #expect(sample.count == 200 && sample.newest.first == .seconds(801) && sample.quantile(1) == .seconds(1_000))
    #expect(sample.tail == .seconds(998) && sample.median == .seconds(900))
  }

  @Test("median and spread of a log-normal are found")
  func spread() throws {
    let sample = DurationSample(logNormal(200, median: 600, deviation: 0.4, seed: 3))
    #expect(abs(try #require(sample.logDeviation) - 0.4) < 0.08)
    #expect(abs(try #require(sample.median).seconds - 600) < 60)
  }

  @Test("about one run in a hundred is beyond the tail, whether learned from 20 or 200", arguments: [20, 60, 200])
  func tail(count: Int) throws {
    var beyond = 0
    for seed in 1...2_000 as ClosedRange<UInt64> {
      let durations = logNormal(count + 1, median: 600, deviation: 0.4, seed: seed &* 7)
      let tail = try #require(DurationSample(Array(durations.dropLast())).tail)
      if durations[count] > tail { beyond += 1 }
    }
    #expect((6...50).contains(beyond), "\(beyond) of 2,000")
  }

  @Test("a book forgets the check that was unused for longest")
  func book() {
    var book = DurationBook()
    for number in 0..<64 { book.add(.seconds(1), to: "check \(number)") }
    book.add(.seconds(2), to: "check 0")
    book.add(.seconds(3), to: "new")
    #expect(book.samples.count == 64 && book.sample(of: "check 1") == nil)
    #expect(book.sample(of: "check 0")?.newest == [.seconds(1), .seconds(2)])
    #expect(book.sample(of: "new")?.median == .seconds(3))
  }
}
