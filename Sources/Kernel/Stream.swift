/// The machines that own contested facts; the raw value is the wire name and never changes.
package enum StreamKind: String, Codable, CaseIterable, Sendable, Comparable {
  case settings, queue, build, delivery, observation, schema, flag, flagFolder
  package static func < (left: StreamKind, right: StreamKind) -> Bool { left.rawValue < right.rawValue }
}

/// One history with one owner: `queue:harbor/main`, `build:harbor/<commit>`, `delivery:harbor/production`.
package struct StreamID: Codable, Hashable, Comparable, Sendable, CustomStringConvertible {
  package let kind: StreamKind
  package let name: String

  package init(_ kind: StreamKind, _ name: String) {
    self.kind = kind
    self.name = name
  }
  /// Parses `kind:name`; nil when the kind is unknown or the name empty.
  package init?(_ text: String) {
    guard let colon = text.firstIndex(of: ":"), let kind = StreamKind(rawValue: String(text[..<colon])) else {
      return nil
    }
    let name = String(text[text.index(after: colon)...])
    guard !name.isEmpty else { return nil }
    self.init(kind, name)
  }
  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let id = StreamID(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no stream id")
    }
    self = id
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
  package var description: String { "\(kind.rawValue):\(name)" }
  package static func < (left: StreamID, right: StreamID) -> Bool {
    (left.kind, left.name) < (right.kind, right.name)
  }
  /// By the name alone: a turn looks streams up some twenty times, and hardly any two kinds share a name.
  package func hash(into hasher: inout Hasher) { hasher.combine(name) }

  package static let settings = StreamID(.settings, "plimsoll")
  package static func queue(_ repository: RepositoryName, _ branch: BranchName) -> StreamID {
    StreamID(.queue, "\(repository)/\(branch)")
  }
  package static func build(_ service: ServiceName, _ commit: CommitID) -> StreamID {
    StreamID(.build, "\(service)/\(commit)")
  }
  package static func delivery(_ service: ServiceName, _ environment: EnvironmentName) -> StreamID {
    StreamID(.delivery, "\(service)/\(environment)")
  }
  package static func observation(_ service: ServiceName, _ environment: EnvironmentName) -> StreamID {
    StreamID(.observation, "\(service)/\(environment)")
  }
  package static func schema(_ place: SchemaPlace) -> StreamID { StreamID(.schema, place.description) }
  package static func flag(_ key: FlagKey) -> StreamID { StreamID(.flag, key.rawValue) }
  package static func flagFolder(_ repository: RepositoryName, _ trunk: BranchName) -> StreamID {
    StreamID(.flagFolder, "\(repository)/\(trunk)")
  }
}

/// A place in the whole ledger: 1 for its first event, without gaps; 0 before it.
package typealias Position = Int64
/// A place in one stream: 1 for its first event, without gaps; 0 before it.
package typealias Version = Int64

/// The ledger position that wanted an effect. A peer, or the one writer in front of it, refuses whatever carries a
/// lower fence than it has seen: that stops *late* arrivals, as a key stops duplicates (design §2).
package struct Fence: Codable, Hashable, Comparable, Sendable {
  package let position: Position
  package init(_ position: Position) { self.position = position }
  package init(from decoder: any Decoder) throws {
    position = try decoder.singleValueContainer().decode(Position.self)
  }
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(position)
  }
  package static func < (left: Fence, right: Fence) -> Bool { left.position < right.position }
}

/// Why an event was appended. A routed cause and the stream it reached tell that an input was already decided.
package enum Cause: Codable, Hashable, Sendable {
  /// A person or a program asked; the id is the request's.
  case request(id: String)
  /// `Wiring.route` turned the event at `position` into its `index`-th input.
  case routed(position: Position, index: Int)
  /// An effect reported what it saw.
  case observed(effect: EffectKey)
  /// The slow pulse, or the start of the process.
  case pulse
}
