import Flags
import Foundation
import Testing

/// Where the shared test data lies: `PLIMSOLL_SHARED`, or beside the repository.
enum SharedData {
  static let folder: URL? = {
    let here = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    let beside = here.deletingLastPathComponent().appendingPathComponent("../../../shared").standardizedFileURL
    let named = ProcessInfo.processInfo.environment["PLIMSOLL_SHARED"].map { URL(fileURLWithPath: $0) }
    let folder = (named ?? beside).appendingPathComponent("data")
    return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
  }()

  static func files(_ path: String) throws -> [(name: String, text: String)] {
    guard let folder else { return [] }
    let place = folder.appendingPathComponent(path)
    return try FileManager.default.contentsOfDirectory(atPath: place.path).filter { $0.hasSuffix(".json") }.sorted()
      .map { ($0, try String(contentsOf: place.appendingPathComponent($0), encoding: .utf8)) }
  }
}

@Suite("Lint")
struct LintTests {
  @Test("flagd's examples are all judged right", .enabled(if: SharedData.folder != nil, "no shared data here"))
  func examples() throws {
    let tests = "flagd-schemas/json/test"
    var judged = 0
    for (kind, isGood) in [("positive", true), ("negative", false)] {
      for (name, text) in try SharedData.files("\(tests)/flags/\(kind)") {
        // The list form is of flagd's own schema; flags.json does not have it.
        let form: FlagLint.Form = name.contains("import.array") ? .daemon : .provider
        let findings = FlagLint.findings(in: text, form: form)
        #expect(findings.isEmpty == isGood, "\(kind)/\(name): \(findings)")
        judged += 1
      }
      for (name, text) in try SharedData.files("\(tests)/flagd/\(kind)") {
        let findings = FlagLint.findings(in: text)
        #expect(findings.isEmpty == isGood, "\(kind)/\(name): \(findings)")
        judged += 1
      }
      for (name, text) in try SharedData.files("\(tests)/targeting/\(kind)") {
        let findings = FlagLint.findings(inTargeting: text)
        #expect(findings.isEmpty == isGood, "\(kind)/\(name): \(findings)")
        judged += 1
      }
    }
    #expect(judged >= 35)
  }

  private func check(_ definitions: String, expecting words: [String], _ location: SourceLocation = #_sourceLocation) {
    let findings = FlagLint.findings(in: definitions).map(\.description)
    #expect(findings.count == words.count, "\(findings)", sourceLocation: location)
    for (finding, word) in zip(findings, words) {
      #expect(finding.contains(word), "\(finding)", sourceLocation: location)
    }
  }

  private func flag(_ targeting: String) -> String {
    "{\"flags\":{\"f\":{\"state\":\"ENABLED\",\"variants\":{\"on\":1,\"off\":2},\"defaultVariant\":\"on\",\n\"targeting\":\(targeting)}}}"
  }

  @Test("each fault with its place and what could have been meant")
  func faults() {
    check(
      flag(#"{"if":[{"strats_with":[{"var":"e"},"a"]},"on"]}"#),
      expecting: ["2:21: flag `f` uses the operation `strats_with`"])
    check(flag(#"{"if":[{"$ref":"eu"},"on"]}"#), expecting: ["refers to evaluator `eu`"])
    check(flag(#"{"if":[{"==":[1]},"on"]}"#), expecting: ["gives `==` 1 arguments, which takes 2"])
    check(flag(#"{"if":[{"==":[1,1],"!=":[1,2]},"on"]}"#), expecting: ["an object of 2 members"])
    check(flag(#"{"if":[{"var":"x"},"onn","off"]}"#), expecting: ["chooses variant `onn`"])
    check(flag(#"{"fractional":[["on",1],["of",1]]}"#), expecting: ["chooses variant `of`"])
    check(flag(#"{"fractional":[["on",1],["off",-1]]}"#), expecting: ["neither a whole number"])
    check(flag("{}").replacing("\"on\",", with: "\"gone\","), expecting: ["default variant `gone`"])
    check(flag(#"{"var":"x"}, "state":"ENABLED""#), expecting: ["have `state` twice"])
    check(flag("{}").replacing("\"off\":2", with: "\"off\":true"), expecting: ["variants of different types"])
    let unknown = FlagLint.findings(in: flag(#"{"strats_with":["a","b"]}"#)).first
    #expect(unknown?.unknown == "strats_with")
    #expect(unknown?.known.contains("starts_with") == true)
  }
}
