import Foundation
import Kernel
import Migrations
import Synchronization

/// Keeps a file near what a recorder holds, so that a kill loses at most `interval`.
package final class RecordingWriter: Sendable {
  private let recorder: StatementRecorder
  private let file: RecordingFile
  private let notice: @Sendable (String) -> Void
  /// The recorder's changes that the file holds.
  private let written = Mutex(-1)
  private let rounds = Mutex<Task<Void, Never>?>(nil)

  package static let interval = Duration.seconds(2)

  /// `notice` is told once when writing begins to fail; every round tries again.
  package init(_ recorder: StatementRecorder, to file: RecordingFile, notice: @escaping @Sendable (String) -> Void) {
    self.recorder = recorder
    self.file = file
    self.notice = notice
  }

  /// Writes the file at once, so that a path that cannot be written is known before anything is recorded.
  package func start() throws(Outage) {
    try save()
    let task = Task { [self] in
      var hasFailed = false
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.interval)
        do {
          try save()
          hasFailed = false
        } catch {
          if !hasFailed { notice("\(error)") }
          hasFailed = true
        }
      }
    }
    rounds.withLock { $0 = task }
  }

  /// Ends the rounds and writes the last.
  package func stop() async throws(Outage) {
    let task = rounds.withLock { task in
      defer { task = nil }
      return task
    }
    task?.cancel()
    await task?.value
    try save()
  }

  private func save() throws(Outage) {
    // One writer at a time: the lock also orders the temporary file's use.
    let failure: Outage? = written.withLock { written in
      let changes = recorder.changes
      guard changes != written else { return nil }
      do throws(Outage) {
        try file.write(recorder.recording())
        written = changes
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }
}
