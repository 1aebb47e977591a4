import Foundation
import Testing

@testable import Flags

/// The evaluation cases of the Unleash client specification, where its data are beside the repository or named by
/// `PLIMSOLL_SHARED`.
@Suite("Unleash client specification")
struct UnleashSpecificationTests {
  static let folder: URL? = {
    var candidates: [URL] = []
    if let shared = ProcessInfo.processInfo.environment["PLIMSOLL_SHARED"] {
      candidates.append(URL(filePath: shared))
    }
    let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    candidates.append(repository.appending(path: "../shared/data").standardizedFileURL)
    return
      candidates
      .map { $0.appending(path: "unleash-client-specification/specifications") }
      .first { FileManager.default.fileExists(atPath: $0.appending(path: "index.json").path) }
  }()

  @Test(
    "every case holds",
    .enabled(if: UnleashSpecificationTests.folder != nil, "the specification's data are not here"))
  func cases() throws {
    let folder = try #require(Self.folder)
    let index = try JSONReader.tape(
      of: String(contentsOf: folder.appending(path: "index.json"), encoding: .utf8), subject: "index", limit: 1 << 20)
    var count = 0
    for file in index.root.elements.compactMap(\.string) { count += try check(file, in: folder) }
    #expect(count >= 279)
  }

  /// The number of cases in the file.
  private func check(_ file: String, in folder: URL) throws -> Int {
    let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
    let tape = try JSONReader.tape(of: text, subject: "\(file)", limit: 1 << 24)
    let root = tape.root
    let features = try UnleashFeatureSet(json: JSONWriter.text(of: try #require(root.member("state"))))
    var count = 0
    for test in (root.member("tests") ?? .null).elements {
      count += 1
      let name = try #require(test.member("toggleName")?.string)
      let isOn = features.isEnabled(name, for: try context(test), at: Self.now, chance: 1) ?? false
      #expect(isOn == test.member("expectedResult")?.boolean, "\(file): \(test.member("description")?.string ?? "")")
    }
    for test in (root.member("variantTests") ?? .null).elements {
      count += 1
      let name = try #require(test.member("toggleName")?.string)
      let expected = try #require(test.member("expectedResult"))
      let words = "\(file): \(test.member("description")?.string ?? "")"
      let variant = features.variant(of: name, for: try context(test), at: Self.now, chance: 1)
      #expect((variant?.name ?? "disabled") == expected.member("name")?.string, "\(words)")
      #expect((variant?.isEnabled ?? false) == expected.member("enabled")?.boolean, "\(words)")
      let isOn = expected.member("feature_enabled") ?? expected.member("featureEnabled")
      #expect((variant?.isFeatureEnabled ?? false) == isOn?.boolean, "\(words)")
      #expect(variant?.payload?.value == expected.member("payload")?.member("value")?.string, "\(words)")
    }
    withExtendedLifetime(tape) {}
    return count
  }

  /// 2026-11-23.
  private static let now: Int64 = 1_795_370_000

  private func context(_ test: JSONView) throws -> UnleashContext {
    try UnleashContext(json: JSONWriter.text(of: test.member("context") ?? .null))
  }
}
