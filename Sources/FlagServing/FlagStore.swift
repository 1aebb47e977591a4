import Flags
import Synchronization

/// What one environment serves, in versions. Every change goes through here, one after the other; readers take the
/// newest version and keep it for as long as they answer one request.
package final class FlagStore: Sendable {
  package let environment: String

  private struct Watchers {
    var next = 0
    var streams: [Int: AsyncStream<ServedFlags>.Continuation] = [:]
    var listeners: [Int: @Sendable (ServedFlags) -> Void] = [:]
  }

  // The lock is held for one retain or one exchange of a reference, never while definitions are read.
  private let newest: Mutex<ServedFlags>
  /// Held during a whole change, so that versions rise and watchers hear of them in order.
  private let changing = Mutex(Watchers())

  /// With no flags, as version 0, until something is published.
  package init(environment: String) {
    self.environment = environment
    newest = Mutex(Self.empty(environment))
  }

  package var current: ServedFlags { newest.withLock { $0 } }

  /// Serves these definitions from now on. The same text again, and a version that is not newer, change nothing.
  ///
  /// - Parameters:
  ///   - version: the feeder's own, such as a ledger position, greater than all before; nil for the next one.
  ///   - seconds: when the change was made, since 1970.
  /// - Returns: what is served now.
  /// - Throws: `FlagRefusal` with line and column; the version before goes on being served.
  @discardableResult
  package func publish(definitions: String, version: Int? = nil, at seconds: Double) throws(FlagRefusal)
    -> ServedFlags
  {
    try change(to: version) { (current, version) throws(FlagRefusal) in
      if current.version > 0, current.isSame(as: definitions) { return nil }
      return try ServedFlags(environment: environment, definitions: definitions, version: version, at: seconds)
    }
  }

  /// Replaces or adds one flag, or removes it without a definition. A version that is not newer changes nothing.
  ///
  /// - Parameter definition: the flag's JSON, without its key.
  /// - Throws: `FlagRefusal`: of the definition, or of removing what others have as a prerequisite.
  @discardableResult
  package func publish(
    changing key: String, to definition: String?, version: Int? = nil, at seconds: Double
  ) throws(FlagRefusal) -> ServedFlags {
    try change(to: version) { (current, version) throws(FlagRefusal) in
      try current.changing(key, to: definition, version: version, at: seconds)
    }
  }

  private func change(
    to version: Int?, _ make: (ServedFlags, Int) throws(FlagRefusal) -> ServedFlags?
  ) throws(FlagRefusal) -> ServedFlags {
    let result: Result<ServedFlags, FlagRefusal> = changing.withLock { watchers in
      let current = self.current
      let wanted = version ?? current.version + 1
      guard wanted > current.version else { return .success(current) }
      do throws(FlagRefusal) {
        guard let served = try make(current, wanted) else { return .success(current) }
        newest.withLock { $0 = served }
        for listener in watchers.listeners.values { listener(served) }
        for stream in watchers.streams.values { stream.yield(served) }
        return .success(served)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  // MARK: Watching

  /// Versions as they come, beginning with the next one. A slow reader finds the newest only, never a queue.
  package func subscribe() -> (id: Int, versions: AsyncStream<ServedFlags>) {
    let (versions, continuation) = AsyncStream.makeStream(of: ServedFlags.self, bufferingPolicy: .bufferingNewest(1))
    let id = changing.withLock { watchers in
      watchers.next += 1
      watchers.streams[watchers.next] = continuation
      return watchers.next
    }
    continuation.onTermination = { [weak self] _ in self?.unsubscribe(id) }
    return (id, versions)
  }

  /// Ends a subscription or a listener; a second call does nothing.
  package func unsubscribe(_ id: Int) {
    let stream = changing.withLock { watchers in
      watchers.listeners[id] = nil
      return watchers.streams.removeValue(forKey: id)
    }
    stream?.finish()
  }

  /// Calls at every change, in order, within it: the listener returns at once and changes no store.
  package func listen(_ listener: @escaping @Sendable (ServedFlags) -> Void) -> Int {
    changing.withLock { watchers in
      watchers.next += 1
      watchers.listeners[watchers.next] = listener
      return watchers.next
    }
  }

  private static func empty(_ environment: String) -> ServedFlags {
    do throws(FlagRefusal) {
      return try ServedFlags(environment: environment, definitions: "{\"flags\": {}}", version: 0, at: 0)
    } catch {
      preconditionFailure("definitions without flags are legal: \(error)")
    }
  }
}
