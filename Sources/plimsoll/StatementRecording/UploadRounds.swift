import API
import Foundation
import Kernel
import Migrations
import StatementProxy
import Synchronization

/// Sends what a sidecar has recorded, while it records and at its end. A server that is away is told later: everything
/// is kept here, and what was sent is sent again with what came since.
final class UploadRounds: Sendable {
  private let recorder: StatementRecorder
  private let upload: StatementUpload
  private let notice: @Sendable (String) -> Void
  private let state = Mutex(State())
  private let rounds = Mutex<Task<Void, Never>?>(nil)

  private struct State {
    /// All that the server has; nil while it has nothing.
    var sent: StatementSet?
    /// What the last round failed with; nil while all is well.
    var failure: String?
  }

  /// A migration is judged minutes after a version came to staging.
  static let interval = Duration.seconds(60)
  /// At the end the server is tried for so long, so often.
  static let farewell = Duration.seconds(10)
  static let pause = Duration.seconds(1)

  init(_ recorder: StatementRecorder, _ upload: StatementUpload, notice: @escaping @Sendable (String) -> Void) {
    self.recorder = recorder
    self.upload = upload
    self.notice = notice
  }

  func start(every interval: Duration = UploadRounds.interval) {
    let task = Task { [self] in
      while !Task.isCancelled {
        try? await Task.sleep(for: interval)
        if !Task.isCancelled { _ = await attempt() }
      }
    }
    rounds.withLock { $0 = task }
  }

  /// Ends the rounds and sends the last.
  /// - Returns: why not everything was sent; nil when it was.
  func stop(within farewell: Duration = UploadRounds.farewell) async -> String? {
    let task = rounds.withLock { task in
      defer { task = nil }
      return task
    }
    task?.cancel()
    await task?.value
    let deadline = ContinuousClock.now + farewell
    while let failure = await attempt() {
      guard ContinuousClock.now < deadline else { return failure }
      try? await Task.sleep(for: Self.pause)
    }
    return nil
  }

  /// - Returns: why it failed; nil when the server has everything.
  private func attempt() async -> String? {
    let recording = recorder.recording()
    let set = recording.statementSet
    let sent = state.withLock { $0.sent }
    // Counts alone are no news to the server.
    guard !set.statements.isEmpty, sent.map({ $0.joined(by: set) != nil }) ?? true else { return nil }
    do {
      let receipt = try await upload.send(recording)
      let wasFailing = state.withLock { state in
        defer { (state.sent, state.failure) = (set, nil) }
        return state.failure != nil
      }
      if wasFailing { notice("\(upload.client.base) has what was recorded now.") }
      for sentence in receipt.decided { notice(sentence) }
      return nil
    } catch {
      let why = Self.words(error)
      let isNews = state.withLock { state in
        defer { state.failure = why }
        return state.failure != why
      }
      if isNews { notice("what was recorded could not be sent and is kept: \(why)") }
      return why
    }
  }

  private static func words(_ error: any Error) -> String {
    switch error {
    case let unreached as Unreached: unreached.outage.sentence
    case let outage as Outage: outage.sentence
    case let failure as Failure: failure.sentence
    case let refusal as Refusal: refusal.sentence
    default: "\(error)"
    }
  }
}
