import API
import Foundation

/// `demo-report.json`: what the demo claims, and the numbers behind it. Times are milliseconds.
struct DemoReport: Codable {
  struct Claim: Codable {
    var claim: String
    var held: Bool
    var detail: String
  }
  struct Requests: Codable {
    var served: Int
    var failed: Int
    /// The bad version answered an error and named itself.
    var failedByTheBadVersion: Int
    /// Everything else that failed, whenever it did: lost on the way, or refused by the router.
    var failedBySwitches: Int
  }
  /// Of the ramp that was switched off.
  struct Ramp: Codable {
    /// What each stage would see, as stated before the first one.
    var stated: [String]
    var sharedAtMs: Int64?
    var convictedAtMs: Int64?
    var switchedOffAtMs: Int64
    var provedAtMs: Int64?
    /// Requests that failed from the first share to the proof, those by chance included.
    var failedRequests: Int
    var clients: Int
  }
  var claims: [Claim] = []
  /// The digest that serves each environment at the end.
  var digests: [String: String] = [:]
  var ejected: String?
  var firstBadResponseAtMs: Int64?
  var detectedAtMs: Int64?
  var decidedAtMs: Int64?
  var lastBadResponseAtMs: Int64?
  var restoredAtMs: Int64?
  var firstBadToRestoredMs: Int64?
  var requestsHurt: Int?
  var requests = Requests(served: 0, failed: 0, failedByTheBadVersion: 0, failedBySwitches: 0)
  var ramp: Ramp?
  var announced = false
  var durationMs: Int64 = 0

  var held: Bool { !claims.isEmpty && claims.allSatisfy(\.held) }

  mutating func claim(_ claim: String, _ held: Bool, _ detail: String) {
    claims.append(Claim(claim: claim, held: held, detail: detail))
  }
}
