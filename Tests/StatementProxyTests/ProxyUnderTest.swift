import Foundation
import Kernel
import Migrations
import Synchronization
import Testing

@testable import StatementProxy

/// A proxy on a free port, with what it recorded and said.
final class ProxyUnderTest: Sendable {
  let proxy: StatementProxy
  let port: Int
  let recorder: StatementRecorder
  private let notices: Notices

  private final class Notices: Sendable {
    let all = Mutex<[String]>([])
  }

  init(
    to upstream: ProxyPlace, tls: ProxyEncryption = .none, policy: RecordingPolicy = .types
  ) async throws {
    let notices = Notices()
    recorder = StatementRecorder(version: "v1", policy: policy, reading: .words)
    proxy = StatementProxy(
      listen: .address(host: "127.0.0.1", port: 0), upstream: upstream, tls: tls, recorder: recorder,
      notice: { sentence in notices.all.withLock { $0.append(sentence) } })
    port = try await proxy.start()
    self.notices = notices
  }

  convenience init(_ site: PostgresSite, tls: ProxyEncryption = .none, policy: RecordingPolicy = .types) async throws {
    try await self.init(to: .address(host: "127.0.0.1", port: site.port), tls: tls, policy: policy)
  }

  var said: [String] { notices.all.withLock { $0 } }

  /// The recording, once it holds a statement that `matches`; answers are looked at after they were forwarded.
  func recording(holding matches: (RecordedStatement) -> Bool) async -> Recording {
    _ = await eventually { recorder.recording().statements.contains(where: matches) }
    return recorder.recording()
  }
}

/// Whether `condition` holds within a minute.
func eventually(_ condition: () -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < deadline {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return condition()
}

extension StatementReading {
  /// Enough SQL for tests: a statement ends with a semicolon, and constants are what `LiteralMask` masks.
  static let words = StatementReading(
    fingerprint: { LiteralMask.masked($0.lowercased(), .stringsAndNumbers) },
    normalise: { $0.contains("newer grammar") ? nil : LiteralMask.masked($0, .stringsAndNumbers) },
    split: { text in
      text.split(separator: ";").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
    })
}
