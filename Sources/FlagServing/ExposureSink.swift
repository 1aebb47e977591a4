import Flags

/// Takes note of who was shown what. Called in the path of a request, so an implementation appends to something bounded
/// and returns; what it has no room for it drops and counts.
package protocol ExposureSink: Sendable {
  /// A subject was shown a variant: it asked for this one flag and got an answer with a value.
  ///
  /// - Parameters:
  ///   - reason: whom targeting decided is in no ramp's cohorts.
  ///   - unit: the targeting key; nil when the context has none.
  ///   - seconds: since 1970, by this server's clock.
  func exposed(
    environment: String, flag: String, variant: String, reason: Evaluation.Reason, version: Int, unit: String?,
    at seconds: Double)

  /// Clients report that they have shown a variant so many times since they reported before; whom is not known.
  ///
  /// - Parameter version: what is served now; the clients may have shown it by an older one.
  func reported(environment: String, flag: String, variant: String, count: Int, version: Int, at seconds: Double)

  /// Exposures that were dropped since the start.
  var dropped: Int { get }
}

extension ExposureSink {
  /// As one exposure without a unit: that the variant is shown counts, how often does not.
  package func reported(
    environment: String, flag: String, variant: String, count: Int, version: Int, at seconds: Double
  ) {
    exposed(
      environment: environment, flag: flag, variant: variant, reason: .default, version: version, unit: nil,
      at: seconds)
  }
}
