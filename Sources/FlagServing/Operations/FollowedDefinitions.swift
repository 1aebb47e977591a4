import Flags
import Glibc
import Kernel
import Synchronization

/// Feeds a store from a file, as long as it is run. A faulty file leaves the version before serving and is told of.
package final class FollowedDefinitions: Sendable {
  /// What came of the last look that found something new.
  package struct Report: Sendable, Equatable {
    /// Nil while the file is as it should be.
    package var fault: String?
    /// When the fault was first seen, or the last good text was read; seconds since 1970.
    package var since: Double
    /// Texts read that were no definitions, or no file.
    package var faults = 0
  }

  /// Between two looks. A look costs one `stat`.
  package static let interval = Duration.milliseconds(100)
  /// A fault is told only when it is still there after so many looks: an editor may be half way through saving.
  private static let looksBeforeFault = 3

  private let path: String
  private let store: FlagStore
  private let clock: @Sendable () -> Double
  private let state: Mutex<State>

  private struct State {
    var seen: Stamp?
    var faultyLooks = 0
    var pending: String?
    var report: Report
  }

  /// What of a file changes when its content does.
  private struct Stamp: Equatable {
    let inode: UInt64
    let size: Int64
    let seconds: Int
    let nanoseconds: Int
  }

  package init(_ path: String, store: FlagStore, clock: @escaping @Sendable () -> Double) {
    self.path = path
    self.store = store
    self.clock = clock
    state = Mutex(State(report: Report(since: clock())))
  }

  package var report: Report { state.withLock { $0.report } }

  /// Reads the file for the first time.
  ///
  /// - Parameter version: the first version's number; nil for 1. The process before may have served others.
  /// - Throws: `Refusal` with place and sentence when it holds no definitions; `Outage` when it cannot be read.
  package func begin(version: Int? = nil) throws {
    let stamp = Self.stamp(path)
    let text = try Self.read(path)
    do throws(FlagRefusal) {
      try store.publish(definitions: text, version: version, at: clock())
    } catch {
      throw Refusal(.malformed, "\(path):\(error)")
    }
    state.withLock { $0.seen = stamp }
  }

  /// Looks until the task is cancelled.
  ///
  /// - Parameter told: called with every change of what is to be told.
  package func follow(_ told: @Sendable (Change) -> Void) async {
    while !Task.isCancelled {
      do { try await Task.sleep(for: Self.interval) } catch { return }
      if let change = look() { told(change) }
    }
  }

  package enum Change: Sendable, Equatable {
    case served(version: Int, flags: Int)
    case faulty(String)
    case mended
  }

  /// Looks once: a file that is not as before is read.
  package func look() -> Change? {
    let stamp = Self.stamp(path)
    let (seen, wasFaulty) = state.withLock { ($0.seen, $0.faultyLooks > 0 || $0.report.fault != nil) }
    // A faulty file is read again even when it looks the same: two writes can fall into one tick of its clock.
    guard stamp != seen || wasFaulty else { return nil }
    do {
      let text = try Self.read(path)
      let before = store.current.version
      do throws(FlagRefusal) {
        let served = try store.publish(definitions: text, at: clock())
        let wasTold = state.withLock { state in
          defer {
            state.seen = stamp
            state.faultyLooks = 0
            if state.report.fault != nil || served.version != before { state.report.since = clock() }
            state.report.fault = nil
          }
          return state.report.fault != nil
        }
        if served.version != before { return .served(version: served.version, flags: served.flags.count) }
        return wasTold ? .mended : nil
      } catch {
        return note("\(path):\(error)", stamp)
      }
    } catch {
      return note("\(error)", stamp)
    }
  }

  private func note(_ fault: String, _ stamp: Stamp?) -> Change? {
    state.withLock { state in
      state.faultyLooks = state.seen == stamp ? state.faultyLooks + 1 : 1
      state.seen = stamp
      guard state.faultyLooks >= Self.looksBeforeFault, state.report.fault != fault else { return nil }
      state.report = Report(fault: fault, since: clock(), faults: state.report.faults + 1)
      return .faulty(fault)
    }
  }

  private static func stamp(_ path: String) -> Stamp? {
    var facts = stat()
    guard stat(path, &facts) == 0 else { return nil }
    #if canImport(Glibc)
      let time = facts.st_mtim
    #else
      let time = facts.st_mtimespec
    #endif
    return Stamp(
      inode: UInt64(facts.st_ino), size: Int64(facts.st_size), seconds: time.tv_sec, nanoseconds: time.tv_nsec)
  }

  private static func read(_ path: String) throws(Outage) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Outage("definitions", "cannot read \(path): \(String(cString: strerror(errno))).")
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = piece.withUnsafeMutableBytes { systemRead(descriptor, $0.baseAddress, $0.count) }
      guard count >= 0 else {
        throw Outage("definitions", "cannot read \(path): \(String(cString: strerror(errno))).")
      }
      if count == 0 { break }
      bytes.append(contentsOf: piece[..<count])
      guard bytes.count <= FlagSet.sizeLimit else {
        throw Outage("definitions", "\(path) has more than \(FlagSet.sizeLimit) bytes: split it into sets.")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Outage("definitions", "\(path) is no UTF-8: save it as such.")
    }
    return text
  }
}

/// `read` of the system, whose name a method here has too.
private func systemRead(_ descriptor: CInt, _ room: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  read(descriptor, room, count)
}
