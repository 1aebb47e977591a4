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
  private let address: String

  /// A receiver that takes longer is asked again later.
  package static let timeLimit = Span.seconds(10)

  /// - Parameters:
  ///   - address: the server's own, for links: `http://127.0.0.1:7878`.
  ///   - target: looked up at each post, because an address may be a secret that changes.
  package init(
    transport: any HTTPTransport, address: String, target: @escaping @Sendable (Int) throws(Outage) -> WebhookTarget
  ) {
    self.transport = transport
    self.address = address
    self.target = target
  }

  package func announce(_ announcement: Announcement, to index: Int) async throws(Outage) {
    let target = try target(index)
    let body: [UInt8]
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      let data =
        switch target.format {
        case .slack: try encoder.encode(SlackMessage(announcement, address: address))
        case .json: try encoder.encode(JSONMessage(announcement, address: address))
        }
      body = Array(data)
    } catch {
      throw Outage("announcement", "\(announcement.id) cannot be coded", sources: ["\(error)"])
    }
    let (status, answer) = try await transport.post(
      target.url,
      headers: [("content-type", "application/json"), ("idempotency-key", announcement.id)], body: body,
      timeLimit: Self.timeLimit)
    guard (200..<300).contains(status) else {
      // The address may hold a secret, so it is not repeated.
      let said = String(decoding: answer.prefix(200), as: UTF8.self)
      throw Outage("announcement", "target \(index + 1) (\(target.format.rawValue)) answered \(status): \(said)")
    }
  }
}

/// The generic form.
struct JSONMessage: Encodable, Equatable {
  let id: String
  let kind: String
  let service: String
  let environment: String
  let headline: String
  let reason: String
  let facts: [Announcement.Fact]
  let atMs: Int64
  let link: String
  let picture: String

  init(_ announcement: Announcement, address: String) {
    id = announcement.id
    kind = announcement.kind
    service = announcement.service.rawValue
    environment = announcement.environment.rawValue
    headline = announcement.headline
    reason = announcement.reason
    facts = announcement.facts
    atMs = announcement.at.milliseconds
    link = address + announcement.path
    picture = address + announcement.path + ".svg"
  }
}

/// Slack's incoming webhook format: `text` is what notifications show, `blocks` what the channel shows.
/// Slack allows at most ten fields in a section, so the rest goes into further sections.
struct SlackMessage: Encodable, Equatable {
  struct Text: Encodable, Equatable {
    let type: String
    let text: String
  }
  struct Block: Encodable, Equatable {
    let type: String
    var text: Text?
    var fields: [Text]?
    var elements: [Text]?
  }
  let text: String
  let blocks: [Block]

  static let fieldsPerSection = 10
  /// Slack's limit of a header's text, in characters.
  static let headerLimit = 150

  init(_ announcement: Announcement, address: String) {
    text = "\(Self.escaped(announcement.headline)): \(Self.escaped(announcement.reason))"
    var blocks = [
      Block(
        type: "header", text: Text(type: "plain_text", text: String(announcement.headline.prefix(Self.headerLimit)))),
      Block(type: "section", text: Text(type: "mrkdwn", text: Self.escaped(announcement.reason))),
    ]
    for start in stride(from: 0, to: announcement.facts.count, by: Self.fieldsPerSection) {
      let facts = announcement.facts[start..<min(start + Self.fieldsPerSection, announcement.facts.count)]
      blocks.append(
        Block(
          type: "section",
          fields: facts.map {
            Text(type: "mrkdwn", text: "*\(Self.escaped($0.label))*\n\(Self.escaped($0.value))")
          }))
    }
    let link = address + announcement.path
    blocks.append(
      Block(
        type: "context",
        elements: [
          Text(
            type: "mrkdwn",
            text: "<\(link)|the evidence> · <\(link).svg|the picture> · \(Self.escaped(announcement.id))")
        ]))
    self.blocks = blocks
  }

  /// Slack reads these three as markup.
  static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }
}
