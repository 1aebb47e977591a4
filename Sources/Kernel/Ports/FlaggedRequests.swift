/// Takes what services say of a request's flags, beside what the router saw of it.
package protocol FlaggedRequests: Sendable {
  /// Called where requests are read, one batch after the other: it must not wait.
  func took(_ requests: [FlaggedRequest], in environment: EnvironmentName)
}

/// A request that ended, and the variants that its service says it got.
package struct FlaggedRequest: Equatable, Sendable {
  package struct Variant: Equatable, Sendable {
    package let flag: String
    package let name: String
    /// Targeting chose it: whoever got it is in no cohort of a ramp.
    package let isByTargeting: Bool
    package init(flag: String, name: String, isByTargeting: Bool = false) {
      self.flag = flag
      self.name = name
      self.isByTargeting = isByTargeting
    }
  }

  package let service: ServiceName
  package let variants: [Variant]
  /// The targeting key; nil where the service did not say.
  package let unit: String?
  package let isError: Bool
  /// What the server's side took.
  package let duration: Span
  package let endedAt: Instant
  package init(
    service: ServiceName, variants: [Variant], unit: String?, isError: Bool, duration: Span, endedAt: Instant
  ) {
    self.service = service
    self.variants = variants
    self.unit = unit
    self.isError = isError
    self.duration = duration
    self.endedAt = endedAt
  }
}
