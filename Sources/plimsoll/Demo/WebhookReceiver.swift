import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Synchronization

/// A receiver of announcements, as a team's chat would be: keeps what is posted to it.
final class WebhookReceiver: Sendable {
  private let messages = Mutex<[Data]>([])
  private let task = Mutex<Task<Void, any Error>?>(nil)
  let port: Int

  /// Its own starts and stops are no news.
  private static var logger: Logger {
    var logger = Logger(label: "plimsoll.demo")
    logger.logLevel = .critical
    return logger
  }

  init(port: Int) { self.port = port }

  var url: String { "http://127.0.0.1:\(port)/announcements" }
  var received: [Data] { messages.withLock { $0 } }

  func start() {
    let router = Router()
    router.post("announcements") { [self] request, _ in
      let body = try await request.body.collect(upTo: 1_048_576)
      messages.withLock { $0.append(Data(buffer: body)) }
      return HTTPResponse.Status.noContent
    }
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)), logger: Self.logger)
    task.withLock { $0 = Task { try await application.run() } }
  }

  func stop() { task.withLock { $0 }?.cancel() }
}
