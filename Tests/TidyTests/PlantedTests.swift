import Testing

/// Each rule finds what is planted, at its line, and leaves its innocent neighbour alone.
@Suite("Rules bite")
struct PlantedTests {
  private func check(
    _ rule: (SourceTree) -> [Finding], _ files: [String: String], expecting places: [String],
    _ location: SourceLocation = #_sourceLocation
  ) {
    let found = rule(SourceTree(files.mapValues(Optional.some))).map { "\($0.path):\($0.line)" }
    #expect(found == places, sourceLocation: location)
  }

  @Test("imports")
  func imports() {
    let rule = TargetRules.importsInTable
    check(rule, ["Sources/Rollouts/A.swift": "import Kernel\nimport Statistics\n"], expecting: [])
    check(
      rule, ["Sources/Rollouts/A.swift": "import Kernel\nimport Foundation\n"],
      expecting: ["Sources/Rollouts/A.swift:2"])
    check(rule, ["Sources/Rollouts/A.swift": "import MergeQueues"], expecting: ["Sources/Rollouts/A.swift:1"])
    check(rule, ["Sources/Kernel/Ports/A.swift": "// import Foundation\n"], expecting: [])
    check(
      rule, ["Sources/Kernel/A.swift": "@preconcurrency package import struct Foundation.Date"],
      expecting: ["Sources/Kernel/A.swift:1"])
    check(rule, ["Sources/Ledger/A.swift": "import ControlPlane"], expecting: ["Sources/Ledger/A.swift:1"])
    check(rule, ["Sources/Novel/A.swift": ""], expecting: ["Sources/Novel/A.swift:1"])
    check(rule, ["Sources/plimsoll/A.swift": "import AsyncHTTPClient"], expecting: [])
  }

  @Test(
    "impurity",
    arguments: [
      "let now = Date()", "ContinuousClock().now", "Int.random(in: 0..<2)", "FileManager.default", "getenv(\"A\")",
      "UUID()", "Task { }", "func f() async {}", "print(1)", "list.shuffled()",
    ])
  func impurity(_ line: String) {
    let rule = TargetRules.pureStaysPure
    check(rule, ["Sources/Simulator/A.swift": "\n\(line)\n"], expecting: ["Sources/Simulator/A.swift:2"])
    check(rule, ["Sources/Drivers/A.swift": line], expecting: [])
    check(rule, ["Sources/Simulator/A.swift": "// \(line)"], expecting: [])
  }

  @Test("ports may promise what is asynchronous, and nothing else")
  func ports() {
    check(
      TargetRules.pureStaysPure,
      ["Sources/Kernel/Ports/A.swift": "func a() async\nlet b = Task {}", "Sources/Kernel/B.swift": "func a() async"],
      expecting: ["Sources/Kernel/B.swift:1", "Sources/Kernel/Ports/A.swift:2"])
  }

  @Test("words inside of others and inside of strings are innocent")
  func innocentWords() {
    check(
      TargetRules.pureStaysPure,
      ["Sources/Kernel/A.swift": "let update = blueprint(\"Date() and // print\")\nlet candidate = TaskName"],
      expecting: [])
  }

  @Test("public")
  func publicOnlyWhereOffered() {
    let rule = TargetRules.publicOnlyWhereOffered
    check(
      rule, ["Sources/Server/A.swift": "struct A {\n  public let b = 1\n}"], expecting: ["Sources/Server/A.swift:2"])
    check(rule, ["Sources/API/A.swift": "public struct A {}", "Sources/Server/B.swift": "// public"], expecting: [])
    check(rule, ["Sources/Flags/A.swift": "public struct A {}"], expecting: [])
    check(rule, ["Sources/FlagsElse/A.swift": "public struct A {}"], expecting: ["Sources/FlagsElse/A.swift:1"])
  }

  @Test("length")
  func length() {
    let longest = String(repeating: "a\n", count: ShapeRules.longestFile)
    check(ShapeRules.filesAreShort, ["Sources/A/A.swift": longest], expecting: [])
    check(ShapeRules.filesAreShort, ["Tests/A/A.swift": longest + "a\n"], expecting: ["Tests/A/A.swift:601"])
  }

  @Test("unfinished work", arguments: ShapeRules.unfinished)
  func unfinished(_ word: String) {
    let rule = ShapeRules.nothingIsUnfinished
    check(rule, ["Sources/A/A.swift": "a\n// \(word): later"], expecting: ["Sources/A/A.swift:2"])
    check(rule, ["docs/a.md": word], expecting: [])
  }

  @Test("foreign words", arguments: ShapeRules.foreign)
  func foreign(_ word: String) {
    let rule = ShapeRules.nothingForeignIsNamed
    check(rule, ["docs/a.md": "a\nsee \(word.lowercased()) here"], expecting: ["docs/a.md:2"])
    check(rule, ["docs/a.md": "a working copy"], expecting: [])
  }

  @Test("placeholders")
  func placeholders() {
    check(
      ShapeRules.noPlaceholders, ["Sources/A/_Placeholder.swift": ""], expecting: ["Sources/A/_Placeholder.swift:1"])
  }

  @Test("the seven files of a machine")
  func machineFiles() {
    let whole = Dictionary(
      uniqueKeysWithValues: ShapeRules.machineParts.map { ("Sources/Rollouts/Rollout\($0).swift", "") })
    check(ShapeRules.machinesHaveTheirFiles, whole, expecting: [])
    for missing in whole.keys {
      check(ShapeRules.machinesHaveTheirFiles, whole.filter { $0.key != missing }, expecting: ["\(missing):1"])
    }
  }

  @Test("defaults in rules")
  func defaults() {
    let rule = ShapeRules.switchesAreExhaustive
    let text = "switch phase {\n  default: break\n}"
    check(rule, ["Sources/Rollouts/Rollout+Decide.swift": text], expecting: ["Sources/Rollouts/Rollout+Decide.swift:2"])
    check(rule, ["Sources/Rollouts/Rollout+Evolve.swift": text], expecting: ["Sources/Rollouts/Rollout+Evolve.swift:2"])
    check(rule, ["Sources/Rollouts/Judge.swift": text], expecting: [])
  }

  @Test("phases")
  func phases() {
    let rule = ShapeRules.phasesSayHowTheyAreLeft
    let good = "  enum Phase: Codable {\n    /// Waits.\n    /// Leaves to: `b`.\n    case a\n"
    check(rule, ["Sources/A/A.swift": good + "  }\n  enum Other {\n    case x\n  }\n"], expecting: [])
    check(rule, ["Sources/A/A.swift": good + "    /// Ends.\n    case b\n  }\n"], expecting: ["Sources/A/A.swift:6"])
    check(rule, ["Sources/A/A.swift": good + "    case b\n  }\n"], expecting: ["Sources/A/A.swift:5"])
    check(
      rule,
      ["Sources/A/A.swift": good + "    var name: Int {\n      switch self {\n      case .a: 1\n      }\n    }\n  }\n"],
      expecting: [])
  }

  @Test("links")
  func links() {
    let rule = DocumentRules.linksLeadSomewhere
    let page = "[b](b.md#part) [c](../c/) [web](https://example.org) [here](#here)\n[lost](lost.md)"
    check(rule, ["docs/a.md": page, "docs/b.md": "", "c/d": ""], expecting: ["docs/a.md:2"])
    check(rule, ["a.md": "```\n[lost](lost.md)\n```\n"], expecting: [])
  }

  @Test("documents that no page links to")
  func orphans() {
    let rule = DocumentRules.everyDocumentIsLinked
    check(rule, ["README.md": "[a](docs/a.md)", "docs/a.md": ""], expecting: [])
    check(rule, ["README.md": "docs/a.md", "docs/a.md": "[me](a.md)"], expecting: ["docs/a.md:1"])
  }

  @Test("decision numbers")
  func decisions() {
    let rule = DocumentRules.decisionsAreNumbered
    check(rule, ["docs/decisions/0001-a.md": "", "docs/decisions/0002-b.md": ""], expecting: [])
    check(
      rule, ["docs/decisions/0001-a.md": "", "docs/decisions/0003-b.md": ""], expecting: ["docs/decisions/0003-b.md:1"])
    check(
      rule, ["docs/decisions/0001-a.md": "", "docs/decisions/0001-b.md": ""], expecting: ["docs/decisions/0001-b.md:1"])
  }
}
