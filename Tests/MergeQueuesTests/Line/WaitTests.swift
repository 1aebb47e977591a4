import Foundation
import Kernel
import Statistics
import Testing

@testable import MergeQueues

@Suite("Waits") struct WaitTests {
  private func at(_ seconds: Int64) -> Instant { Instant(milliseconds: 1_000_000 + seconds * 1000) }

  @Test("a life in parts: what each minute went to")
  func life() {
    var book = WaitBook(at: at(0), cause: .missingCheck, detail: "lint")
    book.turn(to: .merging, at: at(10))
    book.turn(to: .waitingForSlot, at: at(11))
    book.turn(to: .runningCI, at: at(41))
    book.turn(to: .behindPredecessor, at: at(101))
    book.turn(to: .landing, at: at(131))
    book.end(at: at(133))
    let spans = book.parts(at: at(900)).map { "\($0.cause.rawValue) \($0.span.milliseconds / 1000)" }
    #expect(
      spans == [
        "missingCheck 10", "merging 1", "waitingForSlot 30", "runningCI 60", "behindPredecessor 30", "landing 2",
      ])
    #expect(book.whole(at: at(900)) == .seconds(133))
  }

  @Test("a push past the queue takes the work that it threw away, and only that")
  func reset() {
    var book = WaitBook(at: at(0), cause: .waitingForSlot)
    book.turn(to: .runningCI, at: at(10))
    // A culprit ahead: the first run was lost to the line, not to a push.
    book.rebuild(at: at(30))
    book.turn(to: .waitingForSlot, at: at(30))
    book.turn(to: .merging, at: at(50))
    book.turn(to: .runningCI, at: at(51))
    book.reset(at: at(71))
    #expect(
      book.parts(at: at(81)) == [
        WaitPart(cause: .waitingForSlot, span: .seconds(30)), WaitPart(cause: .runningCI, span: .seconds(30)),
        WaitPart(cause: .externalReset, span: .seconds(21)),
      ])
    book.reset(at: at(81))
    #expect(book.parts(at: at(81))[.externalReset] == .seconds(31))
    #expect(book.parts(at: at(81))[.runningCI] == .seconds(20))
  }

  @Test("the parts are the whole, whatever happens and whenever it is asked", arguments: 1...300 as ClosedRange<UInt64>)
  func sums(seed: UInt64) throws {
    var chance = Chance(seed: seed)
    var now: Int64 = 0
    var book = WaitBook(at: at(0), cause: .merging)
    for _ in 0..<40 {
      // Now and then a clock that stands still or goes back.
      now += Int64(chance.uniform() * 100) - 5
      let instant = Instant(milliseconds: 1_000_000 + now * 7)
      switch chance.uniform() {
      case ..<0.7:
        let cause = WaitCause.allCases[Int(chance.uniform() * Double(WaitCause.allCases.count))]
        book.turn(to: cause, detail: chance.uniform() < 0.2 ? "lint" : nil, at: instant)
      case ..<0.85: book.reset(at: instant)
      case ..<0.98: book.rebuild(at: instant)
      default: book.end(at: instant)
      }
      let asked = instant + .seconds(chance.uniform() * 50)
      let parts = book.parts(at: asked)
      #expect(parts.whole == book.whole(at: asked))
      #expect(parts.allSatisfy { $0.span > .zero })
      #expect(parts.map(\.cause) == parts.map(\.cause).sorted())
      #expect(try JSONDecoder().decode(WaitBook.self, from: JSONEncoder().encode(book)) == book)
    }
  }

  @Test("an ended book stays as it is")
  func ended() {
    var book = WaitBook(at: at(0), cause: .runningCI)
    book.end(at: at(5))
    let closed = book
    book.turn(to: .paused, at: at(9))
    book.reset(at: at(9))
    book.rebuild(at: at(9))
    book.end(at: at(9))
    #expect(book == closed && book.hasEnded && book.parts(at: at(99)).whole == .seconds(5))
  }

  @Test(
    "spans in words",
    arguments: [
      (0, "0 s"), (89, "89 s"), (90, "2 min"), (2_460, "41 min"), (7_200, "2 h"), (7_500, "2 h 5 min"),
      (200_000, "2 days"), (-5, "0 s"),
    ])
  func words(seconds: Double, words: String) { #expect(Span.seconds(seconds).plainly == words) }
}

@Suite("Levers") struct LeverTests {
  private func check(
    _ minutes: [(WaitCause, Double)], slots: Int, expecting lever: Levers.Lever, _ words: String,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let parts = minutes.map { WaitPart(cause: $0.0, span: .minutes($0.1)) }
    let levers = Levers(parts: parts, slots: slots)
    #expect(levers.lever == lever, sourceLocation: location)
    #expect(levers.sentence == words, sourceLocation: location)
  }

  @Test("which one helps, and by how much")
  func helps() {
    check(
      [(.waitingForSlot, 29), (.runningCI, 12)], slots: 2, expecting: .parallelism,
      "Of 41 min, 29 min were spent waiting for a slot. More slots would help most: 4 slots instead of 2: about 15 min "
        + "less; CI twice as fast: about 21 min less.")
    check(
      [(.waitingForSlot, 90), (.runningCI, 12)], slots: 2, expecting: .parallelism,
      "Of 102 min, 90 min were spent waiting for a slot. More slots would help most: 4 slots instead of 2: about 45 min "
        + "less (11 would bring it under 30 min); CI twice as fast: about 51 min less.")
    check(
      [(.runningCI, 30), (.behindPredecessor, 10)], slots: 4, expecting: .ciSpeed,
      "Of 40 min, 30 min were spent running CI. Faster CI would help most: CI twice as fast: about 20 min less; more "
        + "slots: nothing.")
    check(
      [(.frozen, 120), (.runningCI, 10)], slots: 4, expecting: .neither,
      "Of 2 h 10 min, 2 h were spent frozen. Neither faster CI nor more slots would help much: CI twice as fast: about "
        + "5 min less.")
    check([], slots: 4, expecting: .neither, "Nothing has been waited for.")
    #expect(Levers(parts: [WaitPart(cause: .waitingForSlot, span: .minutes(60))], slots: 64).lever == .ciSpeed)
  }

  /// Runs of one length each, one an entry, first come first served: what the entry `place` waits for and takes.
  private func line(slots: Int, run: Double, place: Int) -> [WaitPart] {
    var free = [Double](repeating: 0, count: slots)
    for _ in 0..<place {
      free.sort()
      free[0] += run
    }
    return [
      WaitPart(cause: .waitingForSlot, span: .minutes(free.min() ?? 0)),
      WaitPart(cause: .runningCI, span: .minutes(run)),
    ].filter { $0.span > .zero }
  }

  @Test("the savings are those of a line that really has the slots or the speed", arguments: [8, 20, 64, 200])
  func honest(place: Int) {
    let now = line(slots: 2, run: 10, place: place)
    let levers = Levers(parts: now, slots: 2)
    let wider = line(slots: 4, run: 10, place: place).whole
    let faster = line(slots: 2, run: 5, place: place).whole
    // A line moves in whole runs: one run of difference is rounding.
    #expect(abs(now.whole.seconds - levers.savedByMoreSlots.seconds - wider.seconds) <= 600)
    #expect(abs(now.whole.seconds - levers.savedByFasterCI.seconds - faster.seconds) <= 1)
    if let enough = levers.slotsForTarget { #expect(line(slots: enough, run: 10, place: place).whole <= .minutes(30)) }
  }
}
