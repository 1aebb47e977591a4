import Foundation
import Kernel

/// Where one announcement target listens, and in which words.
package struct WebhookTarget: Equatable, Sendable {
  package enum Format: String, Sendable {
    /// Slack's incoming webhooks: a text for the notification, blocks for the message.
    case slack
    /// Everything there is to know, for programs.
    case json
  }
  package let format: Format
  package let url: String
  package init(format: Format, url: String) {
    self.format = format
    self.url = url
  }
}

/// Posts announcements to incoming webhooks. Kind: *by key*, at least once: every post carries the announcement's id,
/// also as `Idempotency-Key`, because a lost answer leads to another post.
package struct WebhookAnnouncer: Announcer {
  private let transport: any HTTPTransport
  private let target: @Sendable (Int) throws(Outage) -> WebhookTarget
  private let drawn: @Sendable (Announcement) async throws(Outage) -> DrawnEvidence?
  private let rasteriser: SVGRasteriser
  private let address: String

  /// A receiver that takes longer is asked again later. Slack fetches the picture meanwhile.
  package static let timeLimit = Span.seconds(10)

  /// - Parameters:
  ///   - address: the server's own, for links: `http://127.0.0.1:7878`.
  ///   - rasteriser: the one behind the address of the PNG, so that a picture is offered only when it is there.
  ///   - drawn: what the announcement shows of its evidence; nil when there is none.
  ///   - target: looked up at each post, because an address may be a secret that changes.
  package init(
    transport: any HTTPTransport, address: String, rasteriser: SVGRasteriser,
    drawn: @escaping @Sendable (Announcement) async throws(Outage) -> DrawnEvidence?,
    target: @escaping @Sendable (Int) throws(Outage) -> WebhookTarget
  ) {
    self.transport = transport
    self.address = address
    self.rasteriser = rasteriser
    self.drawn = drawn
    self.target = target
  }

  package func announce(_ announcement: Announcement, to index: Int) async throws(Outage) {
    let target = try target(index)
    // The message matters more than its picture, which can still be seen on the page.
    let drawn = (try? await drawn(announcement)) ?? nil
    switch target.format {
    case .json:
      let message = JSONMessage(announcement, address: address, drawn)
      try Self.accepted(await post(message, announcement, target), index, target)
    case .slack:
      if let image = await image(announcement, drawn) {
        let message = SlackMessage(announcement, address: address, drawn, image: image)
        let answer = try await post(message, announcement, target)
        // Slack refuses the whole message, with 400, when it cannot fetch the picture, as from a network of one's own.
        guard answer.status == 400 else { return try Self.accepted(answer, index, target) }
      }
      let message = SlackMessage(announcement, address: address, drawn, image: nil)
      try Self.accepted(await post(message, announcement, target), index, target)
    }
  }

  /// Where the receiver may fetch the PNG; nil when nobody could or when there is none.
  private func image(_ announcement: Announcement, _ drawn: DrawnEvidence?) async -> String? {
    guard let drawn, !Self.isOfThisMachine(address), (try? await rasteriser.png(of: drawn.svg)) != nil else {
      return nil
    }
    return "\(address)/v1\(announcement.path)/evidence.png"
  }

  /// Whether no other machine can reach the address: loopback, or no address of a host at all.
  static func isOfThisMachine(_ address: String) -> Bool {
    guard let parts = URLComponents(string: address), let scheme = parts.scheme?.lowercased(),
      ["http", "https"].contains(scheme), var host = parts.host?.lowercased(), !host.isEmpty
    else { return true }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    if host.hasSuffix(".") { host.removeLast() }
    return host == "localhost" || host.hasSuffix(".localhost") || ["::1", "::", "0.0.0.0"].contains(host)
      || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
  }

  private func post(
    _ message: some Encodable, _ announcement: Announcement, _ target: WebhookTarget
  ) async throws(Outage) -> (status: Int, body: [UInt8]) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let body: Data
    do { body = try encoder.encode(message) } catch {
      throw Outage("announcement", "\(announcement.id) cannot be coded", sources: ["\(error)"])
    }
    return try await transport.post(
      target.url,
      headers: [("content-type", "application/json"), ("idempotency-key", announcement.id)], body: Array(body),
      timeLimit: Self.timeLimit)
  }

  private static func accepted(
    _ answer: (status: Int, body: [UInt8]), _ index: Int, _ target: WebhookTarget
  ) throws(Outage) {
    guard (200..<300).contains(answer.status) else {
      // The address may hold a secret, so it is not repeated.
      let said = String(decoding: answer.body.prefix(200), as: UTF8.self)
      throw Outage("announcement", "target \(index + 1) (\(target.format.rawValue)) answered \(answer.status): \(said)")
    }
  }
}
