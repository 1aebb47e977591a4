import Foundation
import Synchronization

/// A peer in a process of its own: a Python script that answers each line of JSON with one line of JSON.
package final class PeerProcess: Sendable {
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// Seconds that an answer may take; generous, since test machines are shared.
  private static let patience = 90.0
  private static let poll = Duration.milliseconds(5)

  private let process: Process
  private let orders: FileHandle
  private let lines = Mutex<[String]>([])

  package init(_ python: PeerPython, running script: URL) throws {
    process = Process()
    process.executableURL = URL(filePath: python.path)
    process.arguments = [script.path]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    orders = input.fileHandleForWriting
    try process.run()
    let answers = output.fileHandleForReading
    // A thread, since reading waits.
    Thread { [weak self] in
      var rest = Data()
      while case let data = answers.availableData, !data.isEmpty {
        rest.append(data)
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          let line = String(decoding: rest[..<end], as: UTF8.self)
          self?.lines.withLock { $0.append(line) }
          rest = Data(rest[rest.index(after: end)...])
        }
      }
    }.start()
  }

  deinit {
    process.terminate()
  }

  /// What the peer answers. One order at a time.
  ///
  /// - Throws: ``Failure`` when it answers with `failed`, or not at all.
  @discardableResult
  package func ask(_ order: [String: Any]) async throws -> [String: Any] {
    try orders.write(contentsOf: JSONSerialization.data(withJSONObject: order) + Data("\n".utf8))
    let line = try await Self.eventually(within: Self.patience) {
      lines.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
    guard let line else { throw Failure(description: "the peer did not answer \(order["do"] ?? "")") }
    let answer = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
    if let failure = answer["failed"] { throw Failure(description: "\(order["do"] ?? ""): \(failure)") }
    return answer
  }

  /// Looks again and again until there is something, at most for so many seconds.
  package static func eventually<Thing>(
    within seconds: Double = 60, _ look: () async throws -> Thing?
  ) async throws -> Thing? {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < deadline {
      if let thing = try await look() { return thing }
      try await Task.sleep(for: poll)
    }
    return try await look()
  }
}
