import Foundation
import Kernel
import Subprocess
import Synchronization

import struct Crypto.SHA256

/// One run from checkout to report.
struct CommandWorkshop: Sendable {
  let folder: String
  let forge: any Forge
  let blobs: any BlobStore & Sendable
  let searchPath: String
  let diskFloorBytes: Int64
  let diskAmpleBytes: Int64
  let fills = Mishaps()
  let vanishings = Mishaps()
  let now: @Sendable () -> Instant

  /// The run's folder: sixteen digits of the key's hash, so that any key is a short and legal name.
  private func place(of key: String) -> String {
    "\(folder)/" + hex(SHA256.hash(data: Array(key.utf8)).prefix(8))
  }

  func remove(_ key: String) {
    try? removeTree(at: place(of: key))
  }

  func carryOut(_ order: RunOrder, stop: StopSwitch) async -> Result<RunReport, Outage> {
    do throws(Outage) {
      return .success(try await attempt(order, place: place(of: order.key), stop: stop))
    } catch {
      remove(order.key)
      return .failure(error)
    }
  }

  private func attempt(_ order: RunOrder, place: String, stop: StopSwitch) async throws(Outage) -> RunReport {
    try prepare(place)
    try await forge.checkOut(order.commit, of: order.repository, into: place + "/work")
    let startedAt = now()
    let space = LeastSpace(place: place, floor: diskFloorBytes, atStart: freeBytes(at: place))
    var (end, log) = try await execute(
      order.command, environment: order.environment, place: place, timeLimit: order.timeLimit, stop: stop,
      watching: space)
    let endedAt = now()
    space.note(freeBytes(at: place))
    if end != .exited(code: 0), end != .cancelled, space.bytes < diskFloorBytes {
      guard let own = space.filledByItself(atLeast: diskAmpleBytes), fills.count(order) >= CommandRunner.diskFillLimit
      else {
        throw Outage(
          "disk", "the disk of \(folder) was full while a command ran, so its failure proves nothing; free space")
      }
      log.append(note("\(own), \(CommandRunner.diskFillLimit) times: that is its failure"))
    }
    if end != .exited(code: 0), end != .cancelled, !FileManager.default.fileExists(atPath: place) {
      guard vanishings.count(order) >= CommandRunner.vanishedLimit else {
        throw Outage(
          "runner",
          "a run's folder in \(folder) was removed while its command ran, so its failure proves nothing; keep cleaners "
            + "of old files away from there")
      }
      log.append(note("its folder was removed, \(CommandRunner.vanishedLimit) times: that is its failure"))
    }
    var outputFolder: String?
    if let named = order.output, end == .exited(code: 0) {
      outputFolder = filled(named, in: place + "/work")
      if outputFolder == nil { log.append(note("the command wrote nothing into '\(named)'")) }
    }
    switch end {
    case .timedOut: log.append(note("killed: it had not ended within its time limit of \(order.timeLimit.seconds) s"))
    case .cancelled: log.append(note("killed: it is no longer wanted"))
    case .exited, .signalled: break
    }
    // What filled the disk goes before the log is to be stored on it.
    if outputFolder == nil { remove(order.key) }
    let bytes = log.bytes
    return RunReport(
      end: end, log: try blobs.put(bytes), logTail: lastLines(of: bytes), startedAt: startedAt, endedAt: endedAt,
      outputFolder: outputFolder)
  }

  private func note(_ text: String) -> ArraySlice<UInt8> { Array("\n[plimsoll: \(text)]\n".utf8)[...] }

  /// Why no command can be run now, in words; nil when one can.
  var problem: String? {
    let files = FileManager.default
    var isFolder: ObjCBool = false
    guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue, access(folder, W_OK) == 0 else {
      return "the folder \(folder) for runs cannot be written; make it writable"
    }
    guard freeBytes(at: folder) >= leastBytes else {
      return "the disk of \(folder) is full, so no command can be run; free space"
    }
    return access("/bin/sh", X_OK) == 0 ? nil : "/bin/sh cannot be run; install it"
  }

  /// Free bytes without which no command is begun.
  private var leastBytes: Int64 { min(diskFloorBytes, CommandRunner.diskFloorBytes) }

  private func prepare(_ place: String) throws(Outage) {
    do {
      try removeTree(at: place)
      for name in ["work", "home", "tmp"] {
        try FileManager.default.createDirectory(atPath: "\(place)/\(name)", withIntermediateDirectories: true)
      }
    } catch {
      throw Outage("disk", "the folder \(place) for a run cannot be made; free or permit space", sources: ["\(error)"])
    }
    guard freeBytes(at: place) >= leastBytes else {
      throw Outage("disk", "the disk of \(folder) is full, so no command can be run; free space")
    }
  }

  private func freeBytes(at path: String) -> Int64 {
    var facts = statvfs()
    guard statvfs(path, &facts) == 0 else { return .max }
    return Int64(facts.f_bavail) * Int64(facts.f_frsize)
  }

  /// The output's real path when it is a folder inside the checkout that holds something; nil otherwise, also when a
  /// symbolic link leads out of the checkout.
  private func filled(_ named: String, in checkout: String) -> String? {
    guard let inside = realpath(checkout, nil), let found = realpath("\(checkout)/\(named)", nil) else { return nil }
    defer {
      free(inside)
      free(found)
    }
    let (root, path) = (String(cString: inside), String(cString: found))
    guard path == root || path.hasPrefix(root + "/"),
      let present = try? FileManager.default.contentsOfDirectory(atPath: path), !present.isEmpty
    else { return nil }
    return path
  }

  private func execute(
    _ command: String, environment own: [EnvironmentVariable], place: String, timeLimit: Span, stop: StopSwitch,
    watching space: LeastSpace
  ) async throws(Outage) -> (RunEnd, BoundedLog) {
    if stop.isFlipped { return (.cancelled, BoundedLog()) }
    let drain = try OutputDrain()
    let leader = SessionLeader()
    var platform = PlatformOptions()
    platform.createSession = true
    let environment =
      [
        ("PATH", searchPath), ("HOME", place + "/home"), ("TMPDIR", place + "/tmp"), (ProcessFamily.mark, place + "/"),
      ].map { EnvironmentVariable(name: $0.0, value: $0.1) } + own
    let configuration = Subprocess.Configuration(
      executable: .path("/bin/sh"), arguments: ["-c", command], environment: .custom(environment.map { rawEntry($0) }),
      workingDirectory: .init(place + "/work"), platformOptions: platform)

    enum Happening { case ended(RunEnd), failed(String), timeUp, unwanted }
    let outcome = await withTaskGroup(of: Happening.self) { group in
      group.addTask {
        do {
          let result = try await Subprocess.run(
            configuration, input: .none,
            output: .fileDescriptor(.init(rawValue: drain.writeEnd), closeAfterSpawningProcess: true),
            error: .combinedWithOutput
          ) { execution in
            leader.pid = execution.processIdentifier.value
          }
          switch result.terminationStatus {
          case .exited(let code): return .ended(.exited(code: Int(code)))
          case .signaled(let number): return .ended(.signalled(number: Int(number)))
          }
        } catch {
          return .failed("\(error)")
        }
      }
      group.addTask {
        try? await Task.sleep(for: .milliseconds(timeLimit.milliseconds))
        return .timeUp
      }
      group.addTask {
        await stop.wait()
        return .unwanted
      }
      group.addTask {
        while !Task.isCancelled {
          space.note(freeBytes(at: place))
          try? await Task.sleep(for: LeastSpace.look)
        }
        return .unwanted
      }
      var verdict: RunEnd?
      while let happening = await group.next() {
        switch happening {
        case .ended(let end):
          group.cancelAll()
          return Happening.ended(verdict ?? end)
        case .failed:
          group.cancelAll()
          return happening
        case .timeUp, .unwanted:
          guard verdict == nil else { continue }
          if case .timeUp = happening { verdict = .timedOut } else { verdict = .cancelled }
          // Again and again until its end is seen: the process may be about to start only now.
          group.addTask {
            while !Task.isCancelled {
              await ProcessFamily(session: leader.pid, markPrefix: place + "/").end()
              try? await Task.sleep(for: ProcessFamily.look)
            }
            return .unwanted
          }
        }
      }
      return .failed("the command's end was not seen")
    }
    // Whatever the command left behind goes before its folder does; it also holds the log open.
    await ProcessFamily(session: leader.pid, markPrefix: place + "/").kill()
    let log = await drain.finish()
    guard case .ended(let end) = outcome else {
      if case .failed(let why) = outcome {
        throw Outage("system", "/bin/sh could not be started for a command; see the cause", sources: [why])
      }
      throw Outage("system", "/bin/sh could not be started for a command")
    }
    return (end, log)
  }
}

/// The least free space of a command's disk while it ran, and who had taken it. Compilers remove what they could not
/// finish, so the space that is left behind a failure proves nothing.
private final class LeastSpace: Sendable {
  /// Between two looks. Writing the last `diskFloorBytes` takes a disk of 1.6 GB/s this long.
  static let look = Duration.milliseconds(10)
  private let place: String
  private let floor: Int64
  private let atStart: Int64
  private let least = Mutex(Int64.max)
  /// The most that the run's own folder held when the disk was full.
  private let own = Mutex(Int64(0))

  init(place: String, floor: Int64, atStart: Int64) {
    self.place = place
    self.floor = floor
    self.atStart = atStart
  }

  var bytes: Int64 { least.withLock { $0 } }

  func note(_ free: Int64) {
    let isNewLow = least.withLock { least in
      defer { least = min(least, free) }
      return free < least
    }
    guard isNewLow, free < floor else { return }
    let held = Self.bytes(in: place)
    own.withLock { $0 = max($0, held) }
  }

  /// In words, when the disk had ample space at the start and the command's own files took most of it; nil when
  /// somebody else may have.
  func filledByItself(atLeast ample: Int64) -> String? {
    let held = own.withLock { $0 }
    guard atStart >= ample, held > atStart / 2 else { return nil }
    return "the command filled the disk: of \(atStart >> 20) MiB that were free its own files took \(held >> 20) MiB"
  }

  /// What the files of a folder take on disk. O(files); what vanishes meanwhile counts nothing.
  private static func bytes(in folder: String) -> Int64 {
    guard let files = FileManager.default.enumerator(atPath: folder) else { return 0 }
    var total: Int64 = 0
    while let name = files.nextObject() as? String {
      var status = stat()
      if lstat("\(folder)/\(name)", &status) == 0 { total += Int64(status.st_blocks) * 512 }
    }
    return total
  }
}

/// How often the same mishap befell each command, for the last `CommandRunner.rememberedRuns` commands that it befell.
/// Forgotten with the process: then it is tried as often again.
final class Mishaps: Sendable {
  private struct Command: Hashable {
    let repository: RepositoryName
    let commit: CommitID
    let command: String
  }
  private struct Book {
    var counts: [Command: Int] = [:]
    /// Oldest first.
    var order: [Command] = []
  }
  private let book = Mutex(Book())

  /// Counts one more.
  /// - Returns: how often it was, this one among them.
  func count(_ order: RunOrder) -> Int {
    let command = Command(repository: order.repository, commit: order.commit, command: order.command)
    return book.withLock { book in
      if book.counts[command] == nil { book.order.append(command) }
      book.counts[command, default: 0] += 1
      if book.order.count > CommandRunner.rememberedRuns { book.counts[book.order.removeFirst()] = nil }
      return book.counts[command] ?? 1
    }
  }
}

/// The process that leads a command's session, once it is known.
private final class SessionLeader: Sendable {
  private let known = Mutex<pid_t?>(nil)
  var pid: pid_t? {
    get { known.withLock { $0 } }
    set { known.withLock { $0 = newValue } }
  }
}
