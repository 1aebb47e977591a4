import Kernel

/// Tells a client's retries from failures that hit everybody, for one deployment.
///
/// A client that fails, and fails again within 10 s, tells of one fault, not of two; unless it sends so large a share of
/// the requests that its failures are no more than its share of all of them. One address in front of everybody, a proxy
/// or a test, is such a client: it never repeats.
struct RepeatedFailures {
  /// Two stretches of this length are remembered, so a failure is for 10 to 20 s.
  static let memoryMs: Int64 = 10_000
  /// Clients told apart in one stretch; further ones are never repeats, and the judge is as it was without them.
  static let mostClients = 20_000

  /// Whoever sends a tenth of the requests is no impatient person but a caller that the service lives by: its failures
  /// are told in full.
  static let largestShare = 0.1

  private struct Stretch {
    var requests = 0
    var failures = 0
    var clients: [String: (requests: Int, failures: Int)] = [:]
  }
  private var number: Int64 = 0
  private var current = Stretch()
  private var before = Stretch()

  /// Takes a request; true when it is a repeat.
  mutating func isRepeat(client: String, isError: Bool, endedMs: Int64) -> Bool {
    turn(to: endedMs / Self.memoryMs)
    current.requests += 1
    if isError { current.failures += 1 }
    guard current.clients[client] != nil || current.clients.count < Self.mostClients else { return false }
    var mine = current.clients[client] ?? (0, 0)
    mine.requests += 1
    if isError { mine.failures += 1 }
    current.clients[client] = mine
    guard isError else { return false }
    let earlier = before.clients[client] ?? (0, 0)
    let share = Double(mine.requests + earlier.requests) / Double(current.requests + before.requests)
    guard share < Self.largestShare else { return false }
    let explained = share * Double(current.failures + before.failures)
    return Double(mine.failures + earlier.failures - 1) > explained
  }

  /// Lines come nearly in order; a late one counts in the stretch that is now.
  private mutating func turn(to number: Int64) {
    guard number > self.number else { return }
    before = number == self.number + 1 ? current : Stretch()
    current = Stretch()
    self.number = number
  }
}
