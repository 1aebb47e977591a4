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
    /// When it was sent last, new or not.
    var sentAt: ContinuousClock.Instant?
    /// What the last round failed with; nil while all is well.
    var failure: String?
  }

  /// A migration is judged minutes after a version came to staging.
  static let interval = Duration.seconds(60)
  /// What the server has it may lose, restored from a copy or because too many others came: all is sent again so often,
  /// which changes nothing where it is known.
  static let refresh = Duration.seconds(1800)
  /// At the end the server is tried for so long, so often.
  static let farewell = Duration.seconds(10)
  static let pause = Duration.seconds(1)
  private let refresh: Duration

  init(
    _ recorder: StatementRecorder, _ upload: StatementUpload, refresh: Duration = UploadRounds.refresh,
    notice: @escaping @Sendable (String) -> Void
  ) {
    self.recorder = recorder
    self.upload = upload
    self.refresh = refresh
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

  /// Ends the rounds and sends the last. Whoever stops a container waits no longer than `farewell`, whatever the server
  /// does meanwhile.
  /// - Returns: why not everything was sent; nil when it was.
  func stop(within farewell: Duration = UploadRounds.farewell) async -> String? {
    let task = rounds.withLock { task in
      defer { task = nil }
      return task
    }
    task?.cancel()
    let deadline = ContinuousClock.now + farewell
    let (ends, end) = AsyncStream.makeStream(of: Ending.self)
    let sending = Task { [self] in
      await task?.value
      while let failure = await attempt() {
        guard ContinuousClock.now < deadline, !Task.isCancelled else { return _ = end.yield(.failed(failure)) }
        try? await Task.sleep(for: Self.pause)
      }
      end.yield(.sent)
    }
    let timer = Task { [self] in
      try? await Task.sleep(until: deadline)
      end.yield(.failed(state.withLock { $0.failure } ?? "\(upload.client.base) did not answer within \(farewell)."))
    }
    defer {
      sending.cancel()
      timer.cancel()
    }
    for await ending in ends {
      switch ending {
      case .sent: return nil
      case .failed(let why): return why
      }
    }
    return nil
  }

  private enum Ending: Sendable {
    case sent
    case failed(String)
  }

  /// - Returns: why it failed; nil when the server has everything.
  private func attempt() async -> String? {
    let recording = recorder.recording()
    let set = recording.statementSet
    let (sent, sentAt) = state.withLock { ($0.sent, $0.sentAt) }
    // Counts alone are no news to the server.
    let isNews = sent.map { set.news(over: $0) != nil } ?? true
    let isOld = sentAt.map { ContinuousClock.now - $0 >= refresh } ?? true
    // That everything was left out is news too: without it the version would pass for one that sends nothing.
    guard !set.statements.isEmpty || set.leftOut > 0, isNews || isOld else { return nil }
    do {
      let receipt = try await upload.send(recording)
      let wasFailing = state.withLock { state in
        defer { (state.sent, state.sentAt, state.failure) = (set, .now, nil) }
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
