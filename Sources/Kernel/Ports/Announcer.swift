/// Where an announcement goes; the address itself is configuration, named by its index in `plimsoll.yaml`.
package struct Announcement: Codable, Equatable, Sendable {
  /// Unique; receivers deduplicate by it, because delivery is at least once.
  package let id: String
  package let kind: String
  /// Nil where no service is to name, as of a flag that is nobody's.
  package let service: ServiceName?
  package let environment: EnvironmentName
  /// One line: what happened.
  package let headline: String
  /// One sentence: why.
  package let reason: String
  /// Label and value, in the order to show.
  package let facts: [Fact]
  /// The evidence's page below the server's address, for example `/rollouts/...`. Its picture is `<path>.svg`, and
  /// `/v1<path>/evidence.png` for those who show no SVG.
  package let path: String
  package let at: Instant
  package struct Fact: Codable, Equatable, Sendable {
    package let label: String
    package let value: String
    package init(_ label: String, _ value: String) {
      self.label = label
      self.value = value
    }
  }
  package init(
    id: String, kind: String, service: ServiceName?, environment: EnvironmentName, headline: String, reason: String,
    facts: [Fact], path: String, at: Instant
  ) {
    self.id = id
    self.kind = kind
    self.service = service
    self.environment = environment
    self.headline = headline
    self.reason = reason
    self.facts = facts
    self.path = path
    self.at = at
  }
}

/// What an announcement shows of its evidence, for receivers that cannot open the page.
package struct DrawnEvidence: Equatable, Sendable {
  /// A whole document in one light style, without script, variable, or reference to anything outside of it.
  package let svg: [UInt8]
  /// Bars of text, one row for each version and all equally long; they want a font of equal widths.
  package let trend: [String]
  /// What the bars mean, in one sentence.
  package let scale: String
  package init(svg: [UInt8], trend: [String], scale: String) {
    self.svg = svg
    self.trend = trend
    self.scale = scale
  }
}

/// Tells people. Kind: *by key* (`Announcement.id`), at least once.
package protocol Announcer: Sendable {
  /// - Throws: `Outage` when the receiver did not answer 2xx.
  func announce(_ announcement: Announcement, to target: Int) async throws(Outage)
}

/// One HTTP exchange; implemented with a real client in the executable.
package protocol HTTPTransport: Sendable {
  func post(_ url: String, headers: [(name: String, value: String)], body: [UInt8], timeLimit: Span)
    async throws(Outage) -> (status: Int, body: [UInt8])
}
