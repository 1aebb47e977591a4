import Kernel
import Rollouts
import Synchronization

/// What guards must know that other effects learn: confirmed shares, and what runs. Written by the effects that route
/// and run, read by watches.
final class GuardBoard: Sendable {
  private struct Confirmed {
    let shares: [TrafficShare]
    let since: Instant
  }
  private struct Board {
    var confirmed: [StreamID: Confirmed] = [:]
    var running: [DeploymentID: (deployment: Deployment, memoryLimit: Int64?)] = [:]
  }
  private let board = Mutex(Board())

  /// Shares are about to move: until they are confirmed nobody knows them.
  func moving(_ stream: StreamID) { board.withLock { $0.confirmed[stream] = nil } }

  /// The same shares confirmed again, after the router lost its state or endpoints changed, are news too.
  func confirmed(_ shares: [TrafficShare], of stream: StreamID, at: Instant) {
    board.withLock { $0.confirmed[stream] = Confirmed(shares: shares, since: at) }
  }

  /// Nil while shares move.
  func shares(of stream: StreamID, canary: DeploymentID, control: DeploymentID?) -> GuardShares? {
    board.withLock { board in
      board.confirmed[stream].map { confirmed in
        func percent(_ deployment: DeploymentID?) -> Int {
          confirmed.shares.first { $0.deployment == deployment }?.percent ?? 0
        }
        return GuardShares(canary: percent(canary), control: percent(control), since: confirmed.since)
      }
    }
  }

  func running(_ deployment: Deployment, memoryLimit: Int64?) {
    board.withLock { $0.running[deployment.id] = (deployment, memoryLimit) }
  }
  func retired(_ deployment: DeploymentID) { board.withLock { $0.running[deployment] = nil } }
  func deployment(_ id: DeploymentID) -> Deployment? { board.withLock { $0.running[id]?.deployment } }
  func memoryLimit(of id: DeploymentID) -> Int64? { board.withLock { $0.running[id]?.memoryLimit } }
}

/// What guards are told beside bins, until the next bin takes it in: nothing that is slow may hold a bin up.
final class WatchInbox: Sendable {
  enum Reading: Sendable {
    case usage([InstanceUsage], at: Instant)
    case answer(CheckName, CheckAnswer, at: Instant)
  }
  /// Ten minutes of seconds wait for a source of bins that is held up; older ones are let go.
  private static let kept = 600
  private let readings = Mutex<[Reading]>([])

  func put(_ reading: Reading) {
    readings.withLock { readings in
      readings.append(reading)
      if readings.count > WatchInbox.kept { readings.removeFirst() }
    }
  }

  func takeAll() -> [Reading] {
    readings.withLock { readings in
      defer { readings = [] }
      return readings
    }
  }
}
