import Testing

@testable import Drivers

struct RepeatedFailuresTests {
  /// Requests 100 ms apart, as (client, failed); how many were repeats.
  private func repeats(_ requests: [(String, Bool)], everyMs: Int64 = 100) -> Int {
    var failures = RepeatedFailures()
    return requests.enumerated().count { index, request in
      failures.isRepeat(client: request.0, isError: request.1, endedMs: 1_000_000 + Int64(index) * everyMs)
    }
  }

  @Test func aClientsRetriesCountOnce() {
    // Every twentieth request is the one client's, and fails; ten failures, of which the first is none.
    let requests = (0..<200).map { $0 % 20 == 0 ? ("retrier", true) : ("c\($0)", false) }
    #expect(repeats(requests) == 9)
  }

  @Test func whatHitsEverybodyIsNoRepeat() {
    // Forty clients in turn; every second round fails.
    let requests = (0..<200).map { ("c\($0 % 40)", $0 / 40 % 2 == 0) }
    #expect(repeats(requests) <= 10)
  }

  @Test func oneAddressInFrontOfEverybodyNeverRepeats() {
    #expect(repeats((0..<200).map { ("proxy", $0 % 3 == 0) }) == 0)
  }

  @Test func aCallerWithMuchOfTheTrafficIsToldInFull() {
    // Three requests in ten are the one caller's, and all of them fail.
    let requests = (0..<200).map { $0 % 10 < 3 ? ("caller", true) : ("c\($0)", false) }
    #expect(repeats(requests) == 0)
  }

  @Test func afterAWhileAFailureIsNewAgain() {
    let requests = (0..<100).map { $0 % 50 == 0 ? ("retrier", true) : ("c\($0)", false) }
    #expect(repeats(requests, everyMs: 1000) == 0)
  }
}
