/// A name with rules, parsed once at the edge and never validated again inside.
///
/// Coded as a single string; decoding an illegal one throws, so stored data cannot smuggle it in.
package protocol Identifier: RawRepresentable, Codable, Hashable, Comparable, Sendable, CustomStringConvertible
where RawValue == String {}

extension Identifier {
  package var description: String { rawValue }
  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The longest service, environment, repository or check name: it becomes a folder, a socket and a HAProxy server name.
package let longestName = 48

private func isName(_ text: String) -> Bool {
  guard (1...longestName).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "-") else { return false }
  return text.utf8.allSatisfy { byte in
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || byte == UInt8(ascii: "-")
  }
}

private func isLowerHex(_ text: some Collection<UInt8>) -> Bool {
  text.allSatisfy { byte in
    (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}

/// A deployable service: 1 to 48 lower-case letters, digits and hyphens.
package struct ServiceName: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard isName(rawValue) else { return nil }
    self.rawValue = rawValue
  }
}

/// A named place with configuration: 1 to 48 lower-case letters, digits and hyphens.
package struct EnvironmentName: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard isName(rawValue) else { return nil }
    self.rawValue = rawValue
  }
}

/// A git repository as `plimsoll.yaml` names it: 1 to 48 lower-case letters, digits and hyphens.
package struct RepositoryName: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard isName(rawValue) else { return nil }
    self.rawValue = rawValue
  }
}

/// A check run against an environment: 1 to 48 lower-case letters, digits and hyphens.
package struct CheckName: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard isName(rawValue) else { return nil }
    self.rawValue = rawValue
  }
}

/// A database that services share or have alone, whatever it is called on its server: 1 to 48 lower-case letters,
/// digits and hyphens.
package struct DatabaseName: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard isName(rawValue) else { return nil }
    self.rawValue = rawValue
  }
}

/// A flag as code asks for it: 1 to 100 letters, digits, hyphens, dots and underscores, a letter or digit first.
package struct FlagKey: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    func isLetterOrDigit(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
    let others = Set("-._".utf8)
    guard let first = rawValue.utf8.first, isLetterOrDigit(first), rawValue.utf8.count <= FlagKey.longest,
      rawValue.utf8.allSatisfy({ isLetterOrDigit($0) || others.contains($0) })
    else { return nil }
    self.rawValue = rawValue
  }
  /// It becomes a path of a page and the name of a stream.
  package static let longest = 100
}

/// A branch without `refs/heads/`. Follows the rules of `git check-ref-format` that matter for safety on a
/// command line: not empty, no leading `-`, no control character, space, `..`, `~^:?*[\`, no `//`, no `@{`, no
/// component that starts with `.` or ends with `.lock`.
package struct BranchName: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    let bytes = Array(rawValue.utf8)
    guard !bytes.isEmpty, bytes.count <= 250, bytes[0] != UInt8(ascii: "-") else { return nil }
    let forbidden = Set("~^:?*[\\ ".utf8)
    guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f || forbidden.contains($0) }) else { return nil }
    guard !rawValue.contains(".."), !rawValue.contains("@{"), rawValue != "@" else { return nil }
    let components = rawValue.split(separator: "/", omittingEmptySubsequences: false)
    guard components.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") && !$0.hasSuffix(".lock") && !$0.hasSuffix(".") })
    else { return nil }
    self.rawValue = rawValue
  }
}

/// A git commit by its full object id: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
package struct CommitID: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard rawValue.utf8.count == 40 || rawValue.utf8.count == 64, isLowerHex(rawValue.utf8) else { return nil }
    self.rawValue = rawValue
  }
  /// The first ten digits, for people.
  package var short: String { String(rawValue.prefix(10)) }
}

/// A git tree by its full object id. Two commits with one tree hold the same files.
package struct TreeID: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard rawValue.utf8.count == 40 || rawValue.utf8.count == 64, isLowerHex(rawValue.utf8) else { return nil }
    self.rawValue = rawValue
  }
}

/// `sha256:` and 64 lower-case hexadecimal digits: the only identity of an artifact, a log or any other blob
/// (OCI image specification, "Digests").
package struct Digest: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    guard rawValue.hasPrefix("sha256:"), rawValue.utf8.count == 71, isLowerHex(rawValue.utf8.dropFirst(7)) else {
      return nil
    }
    self.rawValue = rawValue
  }
  /// The 64 hexadecimal digits without the algorithm.
  package var hex: String { String(rawValue.dropFirst(7)) }
  /// The first twelve hexadecimal digits, for people.
  package var short: String { String(hex.prefix(12)) }
}

/// What makes two deployments the same one: service, environment, digest and configuration hash.
///
/// Text form `service.environment.digest12.config8`, legal as a folder and as a HAProxy server name prefix.
package struct DeploymentID: Identifier {
  package let rawValue: String
  package init?(rawValue: String) {
    let parts = rawValue.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4, isName(String(parts[0])), isName(String(parts[1])), parts[2].utf8.count == 12,
      isLowerHex(parts[2].utf8), parts[3].utf8.count == 8, isLowerHex(parts[3].utf8)
    else { return nil }
    self.rawValue = rawValue
  }
  package init(_ service: ServiceName, _ environment: EnvironmentName, _ digest: Digest, configuration: Digest) {
    var text = service.rawValue
    text += "."
    text += environment.rawValue
    text += "."
    text += Substring(digest.rawValue.utf8.dropFirst(7).prefix(12))
    text += "."
    text += Substring(configuration.rawValue.utf8.dropFirst(7).prefix(8))
    rawValue = text
  }
  /// - Parameter digits: twelve, then eight lower-case hexadecimal digits.
  init(_ service: ServiceName, _ environment: EnvironmentName, digits: Substring, _ others: Substring) {
    rawValue = "\(service).\(environment).\(digits).\(others)"
  }
}
