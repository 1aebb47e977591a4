/// A version of a service that something else deploys, as its telemetry or its deployer names it: `1.4.2`, `7f3c2a1`,
/// an image's tag. 1 to 120 bytes of UTF-8 on one line, no control characters, no blank at either end.
package struct ObservedVersion: Identifier {
  /// Room for an image reference with a digest.
  package static let longest = 120

  package let rawValue: String
  package init?(rawValue: String) {
    let bytes = rawValue.utf8
    guard (1...ObservedVersion.longest).contains(bytes.count), rawValue.first != " ", rawValue.last != " ",
      // Line and paragraph separators of Unicode are bytes above 0x7f and would break a line all the same.
      bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }), !rawValue.contains(where: \.isNewline)
    else { return nil }
    self.rawValue = rawValue
  }
}

/// How an observed place tells which version answered a request.
package enum VersionSource: Codable, Equatable, Sendable {
  /// A label of the metric that counts requests.
  case label(String)
  /// A label of another metric of the same page: the whole page is that version's.
  case metric(String, label: String)
  /// Not at all: a webhook or a person tells what was deployed, and requests are judged before and after.
  case reported

  /// The judge's name for a version's requests. Where requests do not tell their version, all versions have one.
  package func arm(
    of version: ObservedVersion, _ service: ServiceName, _ environment: EnvironmentName
  ) -> DeploymentID {
    switch self {
    case .label, .metric: DeploymentID(service, environment, named: version.rawValue)
    case .reported: .all(of: service, environment)
    }
  }
}

extension DeploymentID {
  /// An id from a name where no digest is known: 80 bits of FNV-1a (Fowler, Noll and Vo; RFC 9923). It need only tell
  /// the few versions of one place apart.
  fileprivate init(_ service: ServiceName, _ environment: EnvironmentName, named name: String) {
    let first = fnv1a(name, basis: 0xcbf2_9ce4_8422_2325)
    // A second, unlike hash of the same bytes: begun from the first one.
    let second = fnv1a(name, basis: ~first)
    let digits = paddedHex(first) + paddedHex(second)
    self.init(service, environment, digits: digits.prefix(12), digits.dropFirst(16).prefix(8))
  }

  /// All requests of an observed place whose versions are not told apart. No version is an empty text.
  package static func all(of service: ServiceName, _ environment: EnvironmentName) -> DeploymentID {
    DeploymentID(service, environment, named: "")
  }
}

private func fnv1a(_ text: String, basis: UInt64) -> UInt64 {
  var hash = basis
  for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  return hash
}

private func paddedHex(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
