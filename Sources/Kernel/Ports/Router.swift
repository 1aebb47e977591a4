/// The share of requests that a deployment should get: 0 to 100; shares of one service and environment sum to 100,
/// or to 0 when nothing is in traffic.
package struct TrafficShare: Codable, Hashable, Sendable, Comparable {
  package let deployment: DeploymentID
  package let percent: Int
  package init(_ deployment: DeploymentID, percent: Int) {
    self.deployment = deployment
    self.percent = percent
  }
  package static func < (left: TrafficShare, right: TrafficShare) -> Bool {
    (left.deployment, left.percent) < (right.deployment, right.percent)
  }
}

/// Which endpoints stand behind a deployment now.
package struct RoutedDeployment: Equatable, Sendable {
  package let deployment: DeploymentID
  package let percent: Int
  package let endpoints: [Endpoint]
  package init(_ deployment: DeploymentID, percent: Int, endpoints: [Endpoint]) {
    self.deployment = deployment
    self.percent = percent
    self.endpoints = endpoints
  }
}

/// Requests that ask for the new version whatever its share, told by one header or one cookie that equals the value
/// exactly. A header's name has no case, a cookie's name and every value have.
package enum PreviewMatch: Codable, Hashable, Sendable {
  case header(name: String, value: String)
  case cookie(name: String, value: String)
}

extension PreviewMatch: CustomStringConvertible {
  /// The longest name and value, in bytes: far above what people type, far below a router's line of commands.
  package static let longestName = 64
  package static let longestValue = 256

  package var description: String {
    switch self {
    case .header(let name, let value): "header \(name): \(value)"
    case .cookie(let name, let value): "cookie \(name)=\(value)"
    }
  }

  /// Why a router cannot be told to match this, without a full stop; nil when it can. Names are tokens (RFC 9110
  /// §5.6.2). A header's value is of visible characters and inner spaces (§5.5, without the obsolete octets), because
  /// white space around it is not part of it; a cookie's is of cookie octets (RFC 6265 §4.1.1).
  package var flaw: String? {
    let (word, name, value) =
      switch self {
      case .header(let name, let value): ("header", name, value)
      case .cookie(let name, let value): ("cookie", name, value)
      }
    let others = Set("!#$%&'*+-.^_`|~".utf8)
    let isToken = name.utf8.allSatisfy {
      others.contains($0) || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
    }
    guard isToken, (1...Self.longestName).contains(name.utf8.count) else {
      return "the \(word)'s name '\(name.prefix(Self.longestName))' is not 1 to \(Self.longestName) letters, digits "
        + "and !#$%&'*+-.^_`|~"
    }
    guard (1...Self.longestValue).contains(value.utf8.count) else {
      return "the value of \(word) \(name) has \(value.utf8.count) bytes, not 1 to \(Self.longestValue)"
    }
    switch self {
    case .header:
      guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }), value.utf8.first != 0x20, value.utf8.last != 0x20
      else { return "the value of header \(name) may hold visible ASCII characters, and spaces between them" }
    case .cookie:
      let refused = Set("\",;\\".utf8)
      guard value.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !refused.contains($0) }) else {
        return "the value of cookie \(name) may hold visible ASCII characters except \" , ; \\"
      }
    }
    return nil
  }
}

/// Where preview requests go while it is wanted: to the deployment's endpoints, as long as the router has any.
///
/// The deployment is one of the routes of the same call, or it gets nothing. A preview request that finds no endpoint
/// to serve it goes the ordinary way, by the shares. It is never evidence: people who ask for a version are not a
/// sample of its users.
package struct PreviewRoute: Codable, Hashable, Sendable {
  package let match: PreviewMatch
  package let deployment: DeploymentID
  package init(_ match: PreviewMatch, to deployment: DeploymentID) {
    self.match = match
    self.deployment = deployment
  }
}

/// Sends requests to deployments. Kind: *by content*. The peer can hold no fence, so it lives in the one serialised
/// writer: a call with a lower fence than one already applied is refused with `.stale`.
package protocol Router: Sendable {
  /// Makes the router send exactly these shares, and preview requests as said; deployments not named get nothing and
  /// are removed when idle. Returns after the router confirmed it by reading its state back.
  /// - Throws: `Outage` when the router did not take it, or when the match cannot be said to it safely: a name that is
  ///   not an HTTP token, a value with what HTTP does not allow, or one longer than the router's limit.
  func apply(
    _ routes: [RoutedDeployment], preview: PreviewRoute?, service: ServiceName, environment: EnvironmentName,
    fence: Fence
  ) async throws(Outage) -> RouteOutcome
  /// Makes the router offer the service no more: its port refuses connections, requests under way may end. Returns after
  /// the router showed that. What is not offered, or whose router does not run, is closed already. The next `apply` with
  /// a higher fence offers it again. A call with a lower fence than one already applied changes nothing.
  func close(service: ServiceName, environment: EnvironmentName, fence: Fence) async throws(Outage)
  /// By lookup: the public port on loopback where the service answers in this environment; nil before the first route.
  func port(of service: ServiceName, in environment: EnvironmentName) async -> Int?
  /// Waits until the router does not do what was applied last, then tells why: the caller applies again, which puts it
  /// right. Told within 2 s. Returns `.gone` when the calling task is cancelled.
  func waitForLoss(service: ServiceName, environment: EnvironmentName) async throws(Outage) -> RouteLoss
}

/// Why a router does not do what was applied.
package enum RouteLoss: Equatable, Sendable {
  /// Killed, restarted or out of reach: it holds no state of ours.
  case gone
  /// Someone else changed it; the sentence says what was found, without a full stop.
  case altered(String)
}

package enum RouteOutcome: Equatable, Sendable {
  case applied(at: Instant)
  case stale
}
