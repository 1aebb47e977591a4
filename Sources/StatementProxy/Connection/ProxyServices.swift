import NIOCore
import NIOPosix

/// What all sessions of a proxy share.
struct ProxyServices: Sendable {
  let upstream: ProxyPlace
  let encryption: ProxyEncryption
  let recorder: StatementRecorder
  /// For a person: what the proxy did that a client or an operator must know.
  let notice: @Sendable (String) -> Void
}

/// Bytes that may wait to be written to one end. Above the high mark the other end is not read until it falls below the
/// low one, so a slow reader holds up its own session and costs at most this and one read.
enum WriteMarks {
  static let low = 64 << 10
  static let high = 256 << 10
}

extension ClientBootstrap {
  func proxyOptions() -> ClientBootstrap {
    channelOption(ChannelOptions.socketOption(.so_keepalive), value: 1)
      .channelOption(ChannelOptions.writeBufferWaterMark, value: .init(low: WriteMarks.low, high: WriteMarks.high))
      .connectTimeout(.seconds(10))
  }
}
