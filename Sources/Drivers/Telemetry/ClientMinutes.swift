import Kernel

/// The worst that one client address met of one deployment in one minute.
struct ClientMinute: Hashable {
  let minute: Int64
  let deployment: DeploymentID
  let client: String
}

/// Who was served how, per minute: what *user-minutes hurt* is counted from.
///
/// The slowness threshold is only known when someone asks, so the slowest time is kept, exactly. Entries are bounded;
/// beyond the bound new clients are not taken, so the count of those hurt can only be too low.
struct ClientMinutes {
  /// Some 30 MB; a thousand distinct clients a minute for the whole history.
  static let greatest = 100_000
  struct Worst: Equatable {
    var durationMs: Int64 = 0
    var hadError = false
  }
  private(set) var worst: [ClientMinute: Worst] = [:]

  mutating func add(_ line: RequestLine, _ deployment: DeploymentID) {
    let key = ClientMinute(minute: line.endedMs / 60_000, deployment: deployment, client: line.client)
    guard worst[key] != nil || worst.count < Self.greatest else { return }
    worst[key, default: Worst()].durationMs = max(worst[key]?.durationMs ?? 0, line.durationMs)
    if line.isError { worst[key]?.hadError = true }
  }

  mutating func forget(before minute: Int64) { worst = worst.filter { $0.key.minute >= minute } }

  /// Whole minutes: the one that holds `fromMs` counts whole.
  func hurt(by deployment: DeploymentID, thresholdMs: Int64, fromMs: Int64) -> Int {
    worst.reduce(0) { sum, entry in
      let (key, value) = entry
      guard key.deployment == deployment, key.minute >= fromMs / 60_000 else { return sum }
      return sum + (value.hadError || value.durationMs > thresholdMs ? 1 : 0)
    }
  }

  /// `C minute deployment client duration error` for each client of a minute, sorted.
  func lines(of minute: Int64) -> String {
    worst.filter { $0.key.minute == minute }
      .map { "C \(minute) \($0.key.deployment) \($0.key.client) \($0.value.durationMs) \($0.value.hadError ? 1 : 0)\n" }
      .sorted().joined()
  }

  /// Takes a line of `lines(of:)`; passes over any other.
  mutating func add(line: Substring) {
    let words = line.split(separator: " ")
    guard words.count == 6, words[0] == "C", let minute = Int64(words[1]), worst.count < Self.greatest,
      let deployment = DeploymentID(rawValue: String(words[2])), let durationMs = Int64(words[4])
    else { return }
    worst[ClientMinute(minute: minute, deployment: deployment, client: String(words[3]))] = Worst(
      durationMs: durationMs, hadError: words[5] == "1")
  }
}
