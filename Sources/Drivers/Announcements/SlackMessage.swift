import Foundation
import Kernel

/// Slack's incoming webhook format: `text` is what notifications show, `blocks` what the channel shows.
/// Limits are of https://docs.slack.dev/reference/block-kit/blocks.
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
    var imageAddress: String?
    var imageWords: String?

    enum CodingKeys: String, CodingKey {
      case type, text, fields, elements
      case imageAddress = "image_url"
      case imageWords = "alt_text"
    }
  }
  let text: String
  let blocks: [Block]

  /// Fields of a section; the rest goes into further sections.
  static let fieldsPerSection = 10
  /// Of a header's text, in characters.
  static let headerLimit = 150
  /// Of what is read instead of an image, in characters.
  static let imageWordsLimit = 2000

  /// - Parameter image: where the receiver can fetch the evidence as PNG; nil when it cannot.
  init(_ announcement: Announcement, address: String, _ drawn: DrawnEvidence?, image: String?) {
    text = "\(Self.escaped(announcement.headline)): \(Self.escaped(announcement.reason))"
    var blocks = [
      Block(
        type: "header", text: Text(type: "plain_text", text: String(announcement.headline.prefix(Self.headerLimit)))),
      Self.section(Self.escaped(announcement.reason)),
    ]
    if let drawn {
      let rows = drawn.trend.map(Self.escaped).joined(separator: "\n")
      blocks.append(Self.section("```\(rows)```\n\(Self.escaped(drawn.scale))"))
      if let image {
        let words = "The evidence as a picture. \(drawn.scale)"
        blocks.append(
          Block(type: "image", imageAddress: image, imageWords: String(words.prefix(Self.imageWordsLimit))))
      }
    }
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

  private static func section(_ words: String) -> Block {
    Block(type: "section", text: Text(type: "mrkdwn", text: words))
  }

  /// Slack reads these three as markup.
  static func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }
}
