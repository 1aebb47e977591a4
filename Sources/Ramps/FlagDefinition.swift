import Kernel

/// What a flag is, in all environments: the members of its object in native definitions (`docs/flags.md`), as text that
/// the edge has parsed and linted. Nothing here reads JSON.
package struct FlagDefinition: Codable, Equatable, Sendable {
  /// A member that is served as it is: `variants`, `defaultVariant`, `targeting`, `prerequisites`, `schedule`,
  /// `guardrails`, `metadata`. Never one of `ownMembers`.
  package struct Member: Codable, Equatable, Sendable {
    package let name: String
    /// Valid JSON.
    package let json: String
    package init(name: String, json: String) {
      self.name = name
      self.json = json
    }
  }

  /// As native definitions name them.
  package enum Kind: String, Codable, CaseIterable, Sendable {
    case release, experiment, operational, killSwitch = "kill-switch", permission
  }

  /// In the order in which they are served.
  package let members: [Member]
  /// Of the text that was sent, by the edge: two definitions that read the same have one.
  package let hash: Digest
  /// In their order.
  package let variants: [String]
  /// Flags that have to serve something first. Each once, sorted.
  package let prerequisites: [FlagKey]
  package let owner: String
  package let kind: Kind
  /// When it must be gone.
  package let expiry: Instant
  /// The attribute that tells subjects apart; nil for `targetingKey`.
  package let unit: String?
  /// Whose behaviour it changes: announcements name it.
  package let service: ServiceName?

  /// Members that the machine sets.
  package static let ownMembers = ["state", "ramp", "owner", "type", "expiry"]
  /// Bytes of all members: a flag of more is a data set.
  package static let sizeLimit = 65_536
  /// The issue: "expiry required at creation (default 30 days)". Set by the edge.
  package static let defaultLife = Span.minutes(30 * 24 * 60)

  /// - Parameter members: those of `ownMembers` are left out.
  package init(
    members: [Member], hash: Digest, variants: [String], prerequisites: [FlagKey] = [], owner: String,
    kind: Kind = .release, expiry: Instant, unit: String? = nil, service: ServiceName? = nil
  ) {
    self.members = members.filter { !FlagDefinition.ownMembers.contains($0.name) }
    self.hash = hash
    self.variants = variants
    self.prerequisites = Set(prerequisites).sorted()
    self.owner = owner
    self.kind = kind
    self.expiry = expiry
    self.unit = unit
    self.service = service
  }

  var size: Int { members.reduce(0) { $0 + $1.json.utf8.count + $1.name.utf8.count } }
}
