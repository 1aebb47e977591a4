import NIOCore

/// One open stream: what it was told last. There is no queue: a stream that cannot be written to is told of the newest
/// version when it can be again. Used on its loop only.
final class StreamSlot {
  let wanted: EventStream
  let client: FlagClient
  let channel: any Channel
  /// The version that it was told last, or that its client had when it came.
  private(set) var told: ServedFlags
  /// Whether the client's machine has not yet acknowledged what it was told.
  private(set) var isUnproven = true
  private(set) var lastWritten = NIODeadline.now()
  /// Since when the channel takes nothing; nil while it does.
  private(set) var stuckSince: NIODeadline?

  init(_ wanted: EventStream, client: FlagClient, channel: any Channel, served: ServedFlags) {
    self.wanted = wanted
    self.client = client
    self.channel = channel
    told = served
  }

  var isBehind: Bool { told.version < wanted.environment.store.current.version }

  /// Writes a message unless the channel is full.
  ///
  /// - Returns: whether it was written.
  func tell(_ chunk: ByteBuffer, of served: ServedFlags) -> Bool {
    guard channel.isWritable else {
      if stuckSince == nil { stuckSince = .now() }
      return false
    }
    stuckSince = nil
    told = served
    isUnproven = true
    lastWritten = .now()
    channel.writeAndFlush(chunk, promise: nil)
    return true
  }

  func beat(_ chunk: ByteBuffer, at now: NIODeadline) {
    guard channel.isWritable else {
      if stuckSince == nil { stuckSince = now }
      return
    }
    stuckSince = nil
    lastWritten = now
    channel.writeAndFlush(chunk, promise: nil)
  }

  func prove() { isUnproven = false }
}
