import API
import Foundation
import Kernel

/// `/artifacts/{digest}`: what it was built from, who says so, and where it runs.
struct ArtifactPage: Sendable {
  let digest: String
  let service: String
  let size: String
  let builds: [PromotionBlock]
  let places: [Place]
  let hasPlaces: Bool
  /// Pretty-printed.
  let statement: String?
  /// Why there is no statement to show.
  let statementTrouble: String?
  let rawStatement: String

  struct Place: Sendable {
    let place: Link
    let badge: Badge
  }

  init(_ view: ArtifactView, statement: Result<[UInt8], any Error>, now: Instant) {
    digest = view.digest
    service = view.service
    size = "\(Words.count(view.files, "file")), \(Words.bytes(view.bytes))"
    builds = view.builds.map { PromotionBlock($0, now: now) }
    places = view.places.map { place in
      Place(
        place: Link(
          address: "/services/\(Short.part(place.service))/\(Short.part(place.environment))",
          words: "\(place.service) in \(place.environment)"),
        badge: Self.badge(place.role))
    }
    hasPlaces = !view.places.isEmpty
    rawStatement = "/v1/artifacts/\(view.digest)/provenance"
    switch statement {
    case .success(let bytes):
      self.statement = Self.pretty(bytes)
      statementTrouble = nil
    case .failure(let error):
      self.statement = nil
      statementTrouble = Answer.failure(for: error).1.sentence
    }
  }

  private static func badge(_ role: String) -> Badge {
    switch role {
    case "serving": Badge(words: "serving", tone: "good")
    case "canary": Badge(words: "being rolled out", tone: "moving")
    case "condemned": Badge(words: "condemned", tone: "bad")
    default: Badge(words: "kept to return to", tone: "calm")
    }
  }

  /// As it is when it is no JSON.
  private static func pretty(_ bytes: [UInt8]) -> String {
    guard let object = try? JSONSerialization.jsonObject(with: Data(bytes)),
      let data = try? JSONSerialization.data(
        withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    else { return String(decoding: bytes, as: UTF8.self) }
    return String(decoding: data, as: UTF8.self)
  }
}
