import Flags
import Foundation
import Testing

/// What evaluation and loading cost, in CPU time of this thread, so that neighbours count little. Runs when
/// `PLIMSOLL_BENCH` is set; quote figures of a release build (`swift test -c release`).
@Suite(
  "Bench: flags", .enabled(if: ProcessInfo.processInfo.environment["PLIMSOLL_BENCH"] != nil, "PLIMSOLL_BENCH is unset"))
struct EvaluationBench {
  private static let flags = 10_000
  private static let kinds = ["static", "targeting", "targeting with fractional"]
  private static let rules = [
    "", #","targeting":{"if":[{"in":[{"var":"country"},["SE","DE","NO"]]},"on","off"]}"#,
    #","targeting":{"if":[{"in":[{"var":"country"},["SE","DE","NO"]]},{"fractional":[["on",50],["off",50]]},"off"]}"#,
  ]

  private static func definitions() -> String {
    let entries = (0..<flags).map { number in
      """
      "service-flag-\(number)":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"\
      \(rules[number % rules.count])}
      """
    }
    return "{\"flags\":{\(entries.joined(separator: ","))}}"
  }

  private func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
    let start = now()
    try body()
    return now() - start
  }

  private func median(_ rounds: Int, _ measure: () throws -> Double) rethrows -> Double {
    var values: [Double] = []
    for _ in 0..<rounds { values.append(try measure()) }
    return values.sorted()[rounds / 2]
  }

  @Test("evaluation by key among 10,000 flags, loading, one change")
  func costs() throws {
    var text = Self.definitions()
    text.makeContiguousUTF8()
    var set = try FlagSet(json: text)
    let load = try median(9) { try nanoseconds { set = try FlagSet(json: text) } }
    print("load of \(Self.flags) flags: \(load / 1e6) ms")
    let change = try median(9) {
      try nanoseconds {
        set = try set.replacing("service-flag-7", with: "{\"state\":\"ENABLED\",\"variants\":{\"on\":true}}")
      }
    }
    print("one change: \(change / 1e6) ms")
    set = try FlagSet(json: text)
    let context = try EvaluationContext(
      json: #"{"targetingKey":"user-4711","country":"SE","email":"a@b.se","plan":"gold","version":"1.2.3"}"#)
    for (kind, name) in Self.kinds.enumerated() {
      let keys = (0..<Self.flags).filter { $0 % Self.rules.count == kind }.map { "service-flag-\($0)" }
      var errors = 0
      let cost = median(9) {
        nanoseconds {
          for key in keys where set.evaluate(key, for: context, at: 1_764_000_000).reason == .error { errors += 1 }
        } / Double(keys.count)
      }
      print("\(name): \(cost) ns")
      #expect(errors == 0)
    }
  }
}
