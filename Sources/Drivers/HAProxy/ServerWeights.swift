import Kernel

/// Spreads the deployments' percents over their endpoints as HAProxy weights.
///
/// A deployment with percent p over n endpoints gives each the share p / n. With L the least common multiple of all n,
/// p · L / n is whole for every deployment and in exact proportion; dividing by the greatest common divisor makes the
/// round-robin's cycle as short as it can be (90 and 10 become 9 and 1: exact over every ten requests, not only over a
/// thousand). Only when a weight would exceed HAProxy's 256 are all scaled by 256 / greatest and rounded, at least 1,
/// which moves a share by at most 1/512 of the greatest server's.
enum ServerWeights {
  static let greatest = 256

  static func servers(for routes: [RoutedDeployment]) -> [RoutedServer] {
    let shared = routes.filter { $0.percent > 0 && !$0.endpoints.isEmpty }
    let multiple = shared.reduce(1) { $0 / gcd($0, $1.endpoints.count) * $1.endpoints.count }
    let exact = shared.map { $0.percent * multiple / $0.endpoints.count }
    let divisor = max(1, exact.reduce(0, gcd))
    let largest = (exact.max() ?? 0) / divisor
    var weights: [DeploymentID: Int] = [:]
    for (route, weight) in zip(shared, exact) {
      let whole = weight / divisor
      weights[route.deployment] =
        largest <= greatest ? whole : max(1, (whole * greatest + largest / 2) / largest)
    }
    return routes.sorted { $0.deployment < $1.deployment }.flatMap { route in
      route.endpoints.sorted().map {
        RoutedServer(
          name: HAProxyFolder.server(route.deployment, $0), port: $0.port, weight: weights[route.deployment] ?? 0)
      }
    }
  }

  /// The servers of the preview backend, alike in weight; none when the routes do not name the version.
  static func previewServers(for preview: PreviewRoute?, in routes: [RoutedDeployment]) -> [RoutedServer] {
    guard let preview, let route = routes.first(where: { $0.deployment == preview.deployment }) else { return [] }
    return route.endpoints.sorted().map {
      RoutedServer(name: HAProxyFolder.server(route.deployment, $0), port: $0.port, weight: 1)
    }
  }

  private static func gcd(_ left: Int, _ right: Int) -> Int { right == 0 ? left : gcd(right, left % right) }
}
