import Foundation
import Kernel

/// The generic form of an announcement: everything there is to know, for programs.
struct JSONMessage: Encodable, Equatable {
  struct Picture: Encodable, Equatable {
    let link: String
    let mediaType: String
    /// The bytes in base64; absent when there is nothing to draw, or when they are more than `inlineLimit`.
    let base64: String?
  }
  let id: String
  let kind: String
  /// Absent where no service is to name.
  let service: String?
  let environment: String
  let headline: String
  let reason: String
  let facts: [Announcement.Fact]
  let atMs: Int64
  let link: String
  let picture: Picture

  /// Of the picture's bytes before base64, which makes 87 kB of them: a common limit of receivers is 100 kB for the
  /// whole body (body-parser, Express).
  static let inlineLimit = 64 << 10

  init(_ announcement: Announcement, address: String, _ drawn: DrawnEvidence?) {
    id = announcement.id
    kind = announcement.kind
    service = announcement.service?.rawValue
    environment = announcement.environment.rawValue
    headline = announcement.headline
    reason = announcement.reason
    facts = announcement.facts
    atMs = announcement.at.milliseconds
    link = address + announcement.path
    let svg = drawn.map(\.svg).flatMap { $0.count <= Self.inlineLimit ? $0 : nil }
    picture = Picture(
      link: address + announcement.path + ".svg", mediaType: "image/svg+xml",
      base64: svg.map { Data($0).base64EncodedString() })
  }
}
