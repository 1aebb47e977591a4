import Foundation
import Kernel
import Testing

private let forty = String(repeating: "a", count: 40)
private let sixtyFour = String(repeating: "0", count: 64)

/// Parses, decodes and encodes alike: what one refuses the other refuses too.
private func check<Name: Identifier>(
  _ type: Name.Type, legal: [String], illegal: [String], _ location: SourceLocation = #_sourceLocation
) throws {
  for text in legal {
    let name = try #require(Name(rawValue: text), "'\(text)' is legal", sourceLocation: location)
    let coded = try JSONEncoder().encode([name])
    #expect(try JSONDecoder().decode([Name].self, from: coded) == [name], sourceLocation: location)
    #expect(try JSONDecoder().decode([String].self, from: coded) == [text], sourceLocation: location)
    #expect("\(name)" == text, sourceLocation: location)
  }
  for text in illegal {
    #expect(Name(rawValue: text) == nil, "'\(text)' is illegal", sourceLocation: location)
    let coded = try JSONEncoder().encode([text])
    #expect(throws: DecodingError.self, "'\(text)' must not be decoded", sourceLocation: location) {
      try JSONDecoder().decode([Name].self, from: coded)
    }
  }
}

@Suite("Identifiers") struct IdentifierTests {
  private let longest = String(repeating: "a", count: longestName)

  @Test("names are lower-case letters, digits and hyphens") func names() throws {
    let legal = ["a", "harbor", "a-b", "7", "a-", longest]
    let illegal = ["", "-a", "A", "a b", "a/b", "a.b", "a_b", "é", "a\n", "..", longest + "a"]
    try check(ServiceName.self, legal: legal, illegal: illegal)
    try check(EnvironmentName.self, legal: legal, illegal: illegal)
    try check(RepositoryName.self, legal: legal, illegal: illegal)
    try check(CheckName.self, legal: legal, illegal: illegal)
  }

  @Test("a branch can stand on a command line") func branches() throws {
    try check(
      BranchName.self, legal: ["main", "feature/tides", "a.b", "@a", "über", "release-1.0"],
      illegal: [
        "", "-f", "--upload-pack=x", "a b", "a..b", "a~", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a//b", "/a", "a/",
        "@",
        "a@{b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "a\u{7f}", "a\nb", String(repeating: "a", count: 251),
      ])
  }

  @Test("object ids are whole and lower-case") func objects() throws {
    let illegal = ["", String(forty.dropLast()), forty + "a", forty.uppercased(), String(repeating: "g", count: 40)]
    try check(CommitID.self, legal: [forty, sixtyFour], illegal: illegal)
    try check(TreeID.self, legal: [forty, sixtyFour], illegal: illegal)
  }

  @Test("a digest names its algorithm") func digests() throws {
    try check(
      Digest.self, legal: ["sha256:" + sixtyFour],
      illegal: [
        "", sixtyFour, "sha256:" + forty, "sha512:" + sixtyFour, "SHA256:" + sixtyFour, "sha256:" + sixtyFour + "0",
      ])
    let digest = try #require(Digest(rawValue: "sha256:" + sixtyFour))
    #expect(digest.hex == sixtyFour)
    #expect(digest.short == String(repeating: "0", count: 12))
  }

  @Test("a deployment's id is legal as a folder") func deployments() throws {
    let legal = "harbor.production.000000000000.00000000"
    try check(
      DeploymentID.self, legal: [legal],
      illegal: ["", "harbor.production.000000000000", legal + ".x", "../production.000000000000.00000000", legal + "0"])
    let digest = try #require(Digest(rawValue: "sha256:" + sixtyFour))
    let service = try #require(ServiceName(rawValue: "harbor"))
    let environment = try #require(EnvironmentName(rawValue: "production"))
    #expect(DeploymentID(service, environment, digest, configuration: digest).rawValue == legal)
  }
}

@Suite("Streams") struct StreamTests {
  @Test("a stream's text form is kind and name") func text() throws {
    for text in ["queue:harbor/feature/tides", "settings:plimsoll", "build:harbor/\(forty)", "delivery:a/b:c"] {
      #expect(StreamID(text)?.description == text)
      let coded = try JSONEncoder().encode([text])
      #expect(try JSONDecoder().decode([StreamID].self, from: coded).map(\.description) == [text])
    }
    for text in ["", "queue", "queue:", ":harbor", "Queue:harbor", "train:weekly"] {
      #expect(StreamID(text) == nil, "'\(text)' is no stream")
      let coded = try JSONEncoder().encode([text])
      #expect(throws: DecodingError.self) { try JSONDecoder().decode([StreamID].self, from: coded) }
    }
  }

  @Test("streams sort by kind, then name") func order() {
    let sorted = ["build:b", "build:c", "delivery:a", "queue:a", "settings:plimsoll"]
    #expect(sorted.reversed().compactMap { StreamID($0) }.sorted().map(\.description) == sorted)
  }

  @Test("a later fence is higher, and coded as its position") func fences() throws {
    #expect(Fence(3) < Fence(4))
    #expect(String(decoding: try JSONEncoder().encode([Fence(4)]), as: UTF8.self) == "[4]")
  }
}
