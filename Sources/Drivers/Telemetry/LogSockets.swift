import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// The datagram sockets that HAProxy logs to, and a thread that does nothing but empty them.
///
/// Race: a lane holds eleven lines while nobody reads (`net.unix.max_dgram_qlen`), then HAProxy drops. So the thread
/// takes what there is and hands it on without looking at it.
final class LogSockets: @unchecked Sendable {
  // Unchecked: `lanes`, `bell` and `stopped` are guarded by `lock`; everything else is immutable.
  private struct Lane {
    let descriptor: Int32
    let inode: UInt64
  }
  private static let largestLine = 8192
  private static let receiveBuffer: Int32 = 4 * 1024 * 1024
  /// Where no pipe could be opened, a stop is noticed by looking.
  private static let pollMs: Int32 = 200

  private let folder: HAProxyFolder
  private let deliver: @Sendable ([[UInt8]]) -> Void
  private let lock = NSLock()
  private var lanes: [Lane] = []
  /// A pipe that wakes the thread when lanes were bound afresh or it is to stop, so that silence costs nothing.
  private var bell: (hear: Int32, ring: Int32)?
  private var stopped = false

  init(folder: HAProxyFolder, deliver: @escaping @Sendable ([[UInt8]]) -> Void) {
    self.folder = folder
    self.deliver = deliver
  }

  /// Binds all lanes afresh. HAProxy addresses each line by path, so it finds the new sockets without being told.
  func bind() throws(Outage) {
    try folder.checkLength()
    try? FileManager.default.createDirectory(
      atPath: folder.path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    var fresh: [Lane] = []
    for lane in 0..<HAProxyFolder.logLanes {
      guard let bound = Self.bindLane(folder.log(lane)) else {
        let reason = String(cString: strerror(errno))
        for lane in fresh { close(lane.descriptor) }
        throw Outage("telemetry", "cannot listen on \(folder.log(lane)): \(reason); fix the folder's rights")
      }
      fresh.append(bound)
    }
    lock.withLock {
      for lane in lanes { close(lane.descriptor) }
      lanes = fresh
      ring()
    }
  }

  /// Whether each path still leads to the socket that we read.
  func areIntact() -> Bool {
    let bound = lock.withLock { lanes }
    return bound.count == HAProxyFolder.logLanes
      && bound.enumerated().allSatisfy { Self.inode(folder.log($0.offset)) == $0.element.inode }
  }

  /// Reads until `stop`.
  func start() {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) == 0 {
      for end in ends {
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
      }
      lock.withLock { bell = (ends[0], ends[1]) }
    }
    let thread = Thread { [self] in
      while readOnce() {}
      lock.withLock {
        if let bell { for end in [bell.hear, bell.ring] { close(end) } }
        bell = nil
      }
    }
    thread.name = "plimsoll-log"
    thread.qualityOfService = .userInteractive
    thread.start()
  }

  func stop() {
    lock.withLock {
      stopped = true
      for lane in lanes { close(lane.descriptor) }
      lanes = []
      ring()
    }
  }

  /// A pipe that is full rings already.
  private func ring() {
    guard let bell else { return }
    var stroke: UInt8 = 1
    write(bell.ring, &stroke, 1)
  }

  private func readOnce() -> Bool {
    lock.lock()
    let (bound, bell, done) = (lanes, self.bell, stopped)
    lock.unlock()
    if done { return false }
    // poll(2) passes over a descriptor below zero.
    let descriptors: [Int32] = bound.map { $0.descriptor } + [bell?.hear ?? -1]
    var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    guard poll(&polls, nfds_t(polls.count), bell == nil ? Self.pollMs : -1) > 0 else { return true }
    if polls.removeLast().revents != 0, let bell {
      var strokes = [UInt8](repeating: 0, count: 64)
      while read(bell.hear, &strokes, strokes.count) > 0 {}
    }
    var lines: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: Self.largestLine)
    lock.withLock {
      // A lane that was bound afresh meanwhile is read in the next round.
      guard !stopped, lanes.first?.descriptor == bound.first?.descriptor else { return }
      for poll in polls where poll.revents & Int16(POLLIN) != 0 {
        while true {
          let count = recv(poll.fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
          guard count > 0 else { break }
          lines.append(Array(buffer[0..<count]))
        }
      }
    }
    if !lines.isEmpty { deliver(lines) }
    return true
  }

  private static func bindLane(_ path: String) -> Lane? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var size = receiveBuffer
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    unlink(path)
    guard UnixAddress.with(path, { Glibc.bind(descriptor, $0, $1) }) == 0, chmod(path, 0o600) == 0,
      let inode = inode(path)
    else {
      close(descriptor)
      return nil
    }
    return Lane(descriptor: descriptor, inode: inode)
  }

  private static func inode(_ path: String) -> UInt64? {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
  }
}
