import NIOCore

/// What the kernel knows of a connection's sending side: the first members of Linux's `struct tcp_info` (include/uapi/
/// linux/tcp.h), which only ever grows at its end.
struct TransferState: Sendable {
  private var words:
    (
      UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
      UInt64, UInt64, UInt64, UInt64, UInt64
    ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

  /// `tcpi_unacked`: segments that were sent and not acknowledged by the peer.
  private static let unackedOffset = 24
  /// `tcpi_notsent_bytes`: bytes that were not sent yet, since the peer's window is closed.
  private static let unsentOffset = 144
  private static let option = NIOBSDSocket.Option(rawValue: 11)

  /// Whether the peer's kernel has acknowledged every byte that ours was given.
  var isAcknowledged: Bool {
    withUnsafeBytes(of: words) { bytes in
      bytes.load(fromByteOffset: Self.unackedOffset, as: UInt32.self) == 0
        && bytes.load(fromByteOffset: Self.unsentOffset, as: UInt32.self) == 0
    }
  }

  /// Asks the kernel, on the channel's loop. Where it does not tell (not Linux), what was written counts.
  static func check(_ channel: any Channel, _ act: @escaping (Bool) -> Void) {
    #if os(Linux)
      guard let provider = channel as? any SocketOptionProvider else { return act(true) }
      let state: EventLoopFuture<TransferState> = provider.unsafeGetSocketOption(level: .tcp, name: option)
      state.assumeIsolated().whenComplete { result in
        if case .success(let state) = result { act(state.isAcknowledged) }
      }
    #else
      act(true)
    #endif
  }
}
