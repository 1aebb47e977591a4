import Glibc
import Kernel

/// How a new process takes over from the one before: over a Unix socket it gets the listening socket itself and the
/// version that is served, says when it is ready, and accepts when the old one has stopped accepting. Connections wait
/// in the one queue meanwhile, so none is refused; and never do two processes accept from it, which would wake both for
/// a connection that only one gets.
package enum Handover {
  /// What the new process has to know besides the socket.
  package struct State: Sendable, Equatable {
    /// The version served, so that the new process counts on.
    package let version: Int
    package let entityTag: String

    package init(version: Int, entityTag: String) {
      self.version = version
      self.entityTag = entityTag
    }
  }

  /// What the new process says when it is ready to accept. The old one answers by closing the connection.
  private static let ready = UInt8(ascii: "R")
  /// Seconds that either side waits for the other; loading the largest definitions takes some five.
  static let patience = 30
  private static let messageLimit = 256

  // MARK: The new process

  /// The old process's end, from which the new one has its socket.
  package final class Predecessor: Sendable {
    private let connection: CInt
    package let socket: ListeningSocket
    package let state: State

    fileprivate init(_ connection: CInt, _ socket: ListeningSocket, _ state: State) {
      self.connection = connection
      self.socket = socket
      self.state = state
    }

    deinit { systemClose(connection) }

    /// Tells the old process that this one is ready, and blocks until that one accepts no more, or is gone.
    ///
    /// After 30 s without an answer this returns too: an old process that hangs does not keep the new one from serving.
    package func dismiss() {
      var byte = Handover.ready
      guard systemSend(connection, &byte, 1, Handover.noSignal) == 1 else { return }
      _ = recv(connection, &byte, 1, 0)
    }
  }

  /// Asks the process that serves for its listening socket.
  ///
  /// - Returns: nil when no process is there.
  /// - Throws: `Outage` when one is there and gives nothing.
  package static func take(at path: String) throws(Outage) -> Predecessor? {
    guard let connection = try unixSocket(path, { connect($0, $1, $2) }) else { return nil }
    setPatience(connection)
    guard let (text, descriptor) = receive(connection) else {
      close(connection)
      throw Outage(
        "handover", "The process at \(path) gave no socket within \(patience) s: stop it, or serve on another port.")
    }
    let words = text.split(separator: " ").map(String.init)
    let state = State(version: words.first.flatMap { Int($0) } ?? 0, entityTag: words.count > 1 ? words[1] : "")
    return Predecessor(connection, ListeningSocket(owning: descriptor), state)
  }

  // MARK: The old process

  /// The place where a successor asks. One at a time.
  package final class Post: Sendable {
    private let listening: CInt
    private let path: String

    /// Waits at a path from now on, in place of whoever waited there.
    package init(at path: String) throws(Outage) {
      let temporary = "\(path).\(getpid())"
      unlink(temporary)
      guard
        let listening = try Handover.unixSocket(
          temporary,
          { descriptor, address, length in
            bind(descriptor, address, length) == 0 && listen(descriptor, 4) == 0 ? 0 : -1
          })
      else { throw Outage("handover", "cannot wait at \(path): does its folder exist?") }
      // Only its own user may take the socket away.
      chmod(temporary, 0o600)
      guard rename(temporary, path) == 0 else {
        systemClose(listening)
        throw Outage("handover", "cannot wait at \(path): \(String(cString: strerror(errno))).")
      }
      self.listening = listening
      self.path = path
    }

    /// Blocks until a successor is ready and this process accepts no more.
    ///
    /// - Parameters:
    ///   - state: asked when a successor comes.
    ///   - stopAccepting: called when it is ready; it begins to accept when this has returned.
    /// - Returns: false when the post was closed.
    package func serveSuccessor(
      _ socket: ListeningSocket, state: () -> State, stopAccepting: () -> Void
    ) -> Bool {
      while true {
        let connection = accept(listening, nil, nil)
        if connection < 0 {
          if errno == EINTR || errno == ECONNABORTED { continue }
          return false
        }
        defer { systemClose(connection) }
        Handover.setPatience(connection)
        let now = state()
        guard socket.withDescriptor({ Handover.pass("\(now.version) \(now.entityTag)", $0, to: connection) }) else {
          continue
        }
        var answer: UInt8 = 0
        // A successor that fails before it is ready closes the connection, and this process goes on as if none had come.
        if recv(connection, &answer, 1, 0) == 1, answer == Handover.ready {
          stopAccepting()
          return true
        }
      }
    }

    /// Ends waiting, when no successor came, and takes the path away.
    package func end() {
      unlink(path)
      shutdown(listening, CInt(SHUT_RDWR))
    }

    deinit { systemClose(listening) }
  }

  // MARK: The wire

  #if canImport(Glibc)
    private static let noSignal = CInt(MSG_NOSIGNAL)
  #else
    private static let noSignal: CInt = 0
  #endif

  /// Opens a socket at a path and does one thing with it.
  ///
  /// - Returns: the descriptor; nil when the thing failed.
  /// - Throws: `Outage` for a path that a Unix socket cannot have.
  private static func unixSocket(
    _ path: String, _ act: (CInt, UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) throws(Outage) -> CInt? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < room else {
      throw Outage("handover", "The path \(path) is longer than \(room - 1) bytes: choose a shorter one.")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    #if canImport(Glibc)
      let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    #else
      let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
    #endif
    guard descriptor >= 0 else { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        act(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  private static func setPatience(_ connection: CInt) {
    var limit = timeval(tv_sec: patience, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Bytes of a control message that carries one descriptor: its header, the descriptor, and what aligns it (cmsg(3),
  /// whose macros Swift does not see).
  private static let headerSize = (MemoryLayout<cmsghdr>.size + 7) & ~7
  private static let controlSize = headerSize + 8

  private static func pass(_ text: String, _ descriptor: CInt, to connection: CInt) -> Bool {
    var bytes = Array(text.utf8)
    var control = [UInt64](repeating: 0, count: controlSize / 8)
    return bytes.withUnsafeMutableBytes { bytes in
      control.withUnsafeMutableBytes { control in
        let header = cmsghdrOfRights(length: headerSize + MemoryLayout<CInt>.size)
        control.storeBytes(of: header, as: cmsghdr.self)
        control.storeBytes(of: descriptor, toByteOffset: headerSize, as: CInt.self)
        var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
        return withUnsafeMutablePointer(to: &part) { part in
          var message = msghdr()
          message.msg_iov = part
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = numericCast(control.count)
          return sendmsg(connection, &message, noSignal) == bytes.count
        }
      }
    }
  }

  private static func cmsghdrOfRights(length: Int) -> cmsghdr {
    var header = cmsghdr()
    header.cmsg_len = numericCast(length)
    header.cmsg_level = SOL_SOCKET
    #if canImport(Glibc)
      header.cmsg_type = CInt(SCM_RIGHTS)
    #else
      header.cmsg_type = SCM_RIGHTS
    #endif
    return header
  }

  private static func receive(_ connection: CInt) -> (text: String, descriptor: CInt)? {
    var bytes = [UInt8](repeating: 0, count: messageLimit)
    var control = [UInt64](repeating: 0, count: controlSize / 8)
    let (count, descriptor) = bytes.withUnsafeMutableBytes { bytes in
      control.withUnsafeMutableBytes { control -> (Int, CInt) in
        var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
        return withUnsafeMutablePointer(to: &part) { part in
          var message = msghdr()
          message.msg_iov = part
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = numericCast(control.count)
          let count = recvmsg(connection, &message, 0)
          let header = control.load(as: cmsghdr.self)
          let expected = cmsghdrOfRights(length: headerSize + MemoryLayout<CInt>.size)
          guard count > 0, header.cmsg_type == expected.cmsg_type, header.cmsg_level == SOL_SOCKET,
            header.cmsg_len >= expected.cmsg_len
          else { return (0, -1) }
          return (count, control.load(fromByteOffset: headerSize, as: CInt.self))
        }
      }
    }
    guard count > 0, descriptor >= 0 else { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return (String(decoding: bytes.prefix(count), as: UTF8.self), descriptor)
  }
}

// The system's functions, where a method has the same name.

func systemClose(_ descriptor: CInt) { close(descriptor) }

private func systemSend(_ descriptor: CInt, _ bytes: UnsafeRawPointer, _ count: Int, _ flags: CInt) -> Int {
  send(descriptor, bytes, count, flags)
}
