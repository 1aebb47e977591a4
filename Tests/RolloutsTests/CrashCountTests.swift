import Kernel
import Testing

@testable import Rollouts

@Suite("Ends of instances that both versions share")
struct CrashCountTests {
  /// Ends at one step, of as many instances of each version, with a crash limit of 3.
  struct Ends {
    var count = CrashCount()
    let instances: CrashCount.Instances
    init(new: Int?, old: Int?) { instances = CrashCount.Instances(new: new, old: old) }
    mutating func new(_ times: Int = 1, at second: Double) {
      for _ in 0..<times { count.note(at: Instant(milliseconds: 0) + .seconds(second), instances) }
    }
    mutating func old(_ times: Int = 1, inRow: Int = 1, at second: Double) {
      for _ in 0..<times {
        count.noteOld(inRow: inRow, at: Instant(milliseconds: 0) + .seconds(second), instances, crashLimit: 3)
      }
    }
    var counted: Int { count.counted(instances) }
  }

  @Test(
    "restarts of the machine end every instance of both and count nothing, however many there are",
    arguments: [(1, 1), (32, 32), (1, 4), (4, 1), (3, 7), (64, 64)])
  func machineRestarts(_ new: Int, _ old: Int) {
    var ends = Ends(new: new, old: old)
    for restart in 0..<3 {
      // The order of reports is nobody's promise.
      ends.new(new, at: Double(restart) * 600)
      ends.old(old, at: Double(restart) * 600 + 3)
    }
    #expect(ends.count.ends == 3 * new)
    #expect(ends.counted == 0)
  }

  @Test("four old instances excuse one new one's end for each restart of all four, and no four in a row")
  func oneAgainstFour() {
    var ends = Ends(new: 1, old: 4)
    ends.old(4, at: 0)
    ends.new(4, at: 5)
    #expect(ends.counted == 3)
    #expect(ends.count.counted(inRow: 4) == 3)
  }

  @Test("an old end excuses what ends within two minutes, and stays used for it")
  func lapse() {
    var late = Ends(new: 1, old: 1)
    late.old(3, inRow: 3, at: 0)
    late.new(3, at: 121)
    #expect(late.counted == 3)
    #expect(late.count.counted(inRow: 3) == 3)

    var inTime = Ends(new: 1, old: 1)
    inTime.old(3, inRow: 3, at: 0)
    inTime.new(3, at: 120)
    #expect(inTime.counted == 0)
    #expect(inTime.count.counted(inRow: 3) == 0)
    inTime.new(at: 7_200)
    #expect(inTime.counted == 1, "what was excused two hours ago does not come back")
  }

  @Test("an old version that ends now and then, and the new one not, lays up no excuses")
  func noStore() {
    var ends = Ends(new: 2, old: 2)
    for second in stride(from: 0.0, to: 500, by: 100) { ends.old(at: second) }
    ends.new(3, at: 500)
    #expect(ends.counted >= 1)
  }

  @Test("a version that ends itself and the old one counts in the end", arguments: [(1, 1), (4, 4), (1, 4), (4, 1)])
  func dragsAlong(_ new: Int, _ old: Int) {
    var ends = Ends(new: new, old: old)
    for round in 1...12 {
      ends.old(old, inRow: round, at: Double(round) * 10)
      ends.new(new, at: Double(round) * 10)
      #expect(ends.count.counted(inRow: round) == 0)
    }
    #expect(ends.counted == 0, "as long as crash-limit times four rounds")
    for round in 13...15 {
      ends.old(old, inRow: round, at: Double(round) * 10)
      ends.new(new, at: Double(round) * 10)
    }
    #expect(ends.count.counted(inRow: 15) == 3)
    #expect(ends.counted == 3 * new)
    #expect(ends.count.oldEnds == 12 * old)
  }

  @Test("a version whose instances are not known is taken to have as many as the other")
  func unknown() {
    var ends = Ends(new: 4, old: nil)
    ends.old(4, at: 0)
    ends.new(4, at: 0)
    #expect(ends.counted == 0)
  }
}
