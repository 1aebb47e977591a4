import Kernel

/// Requests of which the router tells how they ended and the service what they got.
extension EvidenceHub: FlaggedRequests {
  /// The router's clock is its own.
  private static let router = "router"

  package func took(_ requests: [FlaggedRequest], in environment: EnvironmentName) {
    guard environments.contains(environment.rawValue) else { return }
    // What has no room is counted: nobody can send it again.
    _ = take(requests.flatMap(Self.items), from: Self.router, in: environment.rawValue)
  }

  private static func items(of request: FlaggedRequest) -> [EvidenceItem] {
    let key = EvidenceKey(unit: request.unit)
    let named = request.variants.map { variant in
      (named: NamedVariant(flag: variant.flag, variant: variant.name), isByTargeting: variant.isByTargeting)
    }
    let shown = named.map {
      EvidenceItem.exposure(
        $0.named, reason: $0.isByTargeting ? EvidenceItem.targetingMatch : nil, key: key, version: nil,
        at: request.endedAt - request.duration)
    }
    let result = RequestResult(
      service: request.service.rawValue, isFailure: request.isError, duration: request.duration)
    return shown + [
      .outcome(
        variants: named.filter { !$0.isByTargeting }.map(\.named), key: key, result: result, at: request.endedAt)
    ]
  }
}
