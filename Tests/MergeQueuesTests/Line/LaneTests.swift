import Foundation
import Kernel
import Statistics
import Testing

@testable import MergeQueues

@Suite("Path patterns") struct PathPatternTests {
  @Test("match what git's ignore rules match, in 29,760 cases")
  func asGit() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Goldens/path-patterns.txt")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").filter { !$0.hasPrefix("# ") }
    let paths = lines[0].split(separator: "\t").dropFirst().map(String.init)
    #expect(paths.count == 120 && lines.count == 249)
    for line in lines.dropFirst() {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
      let wanted = parts[1].split(separator: " ").compactMap { Int($0) }.map { paths[$0] }
      guard let pattern = try? PathPattern(String(parts[0])) else {
        // What git never matches, such as a class that does not close, is refused here.
        #expect(wanted.isEmpty, "\(parts[0]) is refused and git matches \(wanted)")
        continue
      }
      let found = paths.filter(pattern.matches)
      #expect(found == wanted, "\(parts[0])")
    }
  }

  @Test("stars in a row beside other characters are one star, as git's manual has it and git 2.39 has not")
  func starsInAName() throws {
    let pattern = try PathPattern("a**/b")
    #expect(pattern.matches("axx/b") && !pattern.matches("a/x/b") && !pattern.matches("ab"))
  }

  @Test(
    "what cannot be meant is refused with the pattern and the reason",
    arguments: [
      ("", "names nothing"), ("///", "names nothing"), ("!a", "taken back"), ("a//b", "two slashes"),
      ("[a", "does not close"), ("a[[:digit:]]", "does not close"), ("a\\", "at an end"),
      (String(repeating: "a", count: 1_001), "more than 1000"),
    ])
  func refused(text: String, why: String) {
    #expect { try PathPattern(text) } throws: { ($0 as? Refusal)?.sentence.contains(why) ?? false }
  }

  @Test("a pattern is written as its text, and a path that is none matches nothing")
  func wire() throws {
    let pattern = try PathPattern("/a/*.b")
    let encoded = try JSONEncoder().encode([pattern])
    #expect(String(decoding: encoded, as: UTF8.self) == #"["\/a\/*.b"]"#)
    #expect(try JSONDecoder().decode([PathPattern].self, from: encoded) == [pattern])
    #expect(try !PathPattern("**").matches(""))
  }

  @Test("many stars against a long name end in time")
  func stars() throws {
    let pattern = try PathPattern(String(repeating: "*a", count: 60) + "b")
    #expect(!pattern.matches(String(repeating: "a", count: 5_000)))
    let folders = try PathPattern(String(repeating: "**/a/", count: 60) + "b")
    #expect(!folders.matches(String(repeating: "a/", count: 500) + "c"))
  }
}

@Suite("Lanes") struct LaneTests {
  static func patterns(_ texts: String...) -> [PathPattern] { texts.compactMap { try? PathPattern($0) } }
  static let named = LaneRules(
    division: .named([
      NamedLane(name: "api", patterns: patterns("services/api/**", "*.proto")),
      NamedLane(name: "web", patterns: patterns("web/", "*.css")),
    ]), barriers: patterns("/go.mod", ".github/"))

  private func check(
    _ rules: LaneRules, _ paths: [String]?, isComplete: Bool = true, reported: [String]? = nil, expecting lanes: Lanes,
    _ location: SourceLocation = #_sourceLocation
  ) {
    let changed = paths.map { ChangedPaths(paths: $0.sorted(), isComplete: isComplete) }
    #expect(rules.lanes(of: changed, reported: reported) == lanes, sourceLocation: location)
  }

  @Test("of a change, by rule")
  func rules() {
    check(.oneLane, ["a"], expecting: .all(.lanesOff))
    check(Self.named, ["services/api/a.go"], expecting: .names(["api"]))
    check(Self.named, ["web/x.js", "web/api.proto"], expecting: .names(["api", "web"]))
    check(Self.named, ["web/x.js", "go.mod"], expecting: .all(.barrier(path: "go.mod")))
    check(Self.named, ["sub/.github/w.yml"], expecting: .all(.barrier(path: "sub/.github/w.yml")))
    check(Self.named, ["web/x.js", "README.md"], expecting: .all(.unclaimed(path: "README.md")))
    check(Self.named, ["web/x.js"], isComplete: false, expecting: .all(.pathsIncomplete))
    check(Self.named, nil, expecting: .all(.pathsIncomplete))
    check(Self.named, [], expecting: .names([]))

    let folders = LaneRules(division: .directories(depth: 2))
    check(folders, ["a/b/c/d", "a/b/e", "f/g/h"], expecting: .folders(["a/b", "f/g"]))
    check(folders, ["a/b/c", "a/x"], expecting: .folders(["a"]))
    check(folders, ["a/b/c", "README.md"], expecting: .folders([""]))

    let reported = LaneRules(division: .reported, barriers: Self.patterns("WORKSPACE"))
    check(reported, ["a"], expecting: .all(.notReported))
    check(reported, ["a"], reported: ["//b", "//a", "//b"], expecting: .names(["//a", "//b"]))
    check(reported, ["WORKSPACE"], reported: ["//a"], expecting: .all(.barrier(path: "WORKSPACE")))
    check(reported, nil, reported: ["//a"], expecting: .all(.pathsIncomplete))
    check(LaneRules(division: .reported), nil, reported: [], expecting: .names([]))
    check(reported, ["a"], reported: (0..<65).map { "//\($0)" }, expecting: .all(.tooMany(65)))
  }

  @Test("overlap")
  func overlap() {
    func check(_ left: Lanes, _ right: Lanes, _ expected: Bool, _ location: SourceLocation = #_sourceLocation) {
      #expect(left.overlaps(right) == expected, sourceLocation: location)
      #expect(right.overlaps(left) == expected, sourceLocation: location)
    }
    check(.names(["a", "b"]), .names(["b"]), true)
    check(.names(["a"]), .names(["b"]), false)
    check(.folders(["a/b"]), .folders(["a/b"]), true)
    check(.folders(["a"]), .folders(["a/b"]), true)
    check(.folders([""]), .folders(["a/b"]), true)
    check(.folders(["a"]), .folders(["ab"]), false)
    check(.folders(["a/b"]), .folders(["a/c"]), false)
    check(.folders(["a"]), .names(["b"]), true)
    check(.all(.lanesOff), .names(["b"]), true)
    check(.all(.lanesOff), .names([]), false)
    check(.names([]), .names([]), false)
    check(.names([]), .folders(["a"]), false)
  }

  static func random(_ chance: inout Chance) -> Lanes {
    func some(_ all: [String]) -> [String] { all.filter { _ in chance.uniform() < 0.3 } }
    switch chance.uniform() {
    case ..<0.1: return .all(.pathsIncomplete)
    case ..<0.4: return Lanes(names: some(["a", "b", "c", "d", "e", "f"]))
    default: return Lanes(directories: some(["", "a", "a/b", "a/c", "b", "b/c/d", "b/c", "c/d"].shuffled(by: &chance)))
    }
  }

  @Test("the index finds exactly the pairs that overlap", arguments: 1...200 as ClosedRange<UInt64>)
  func index(seed: UInt64) {
    var chance = Chance(seed: seed)
    let line = (0..<25).map { _ in Self.random(&chance) }
    for (index, found) in Lanes.after(line).enumerated() {
      #expect(found == (0..<index).filter { line[index].overlaps(line[$0]) })
    }
  }

  @Test("ten thousand entries in four hundred lanes are looked up, not compared")
  func many() {
    var chance = Chance(seed: 1)
    let line = (0..<10_000).map { _ in
      Lanes(names: (0..<3).map { _ in "lane \(Int(chance.uniform() * 400))" })
    }
    let began = ContinuousClock.now
    let after = Lanes.after(line)
    // Comparing fifty million pairs of sets takes minutes in a debug build; this takes about a second.
    #expect(ContinuousClock.now - began < .seconds(30))
    #expect(after.reduce(0) { $0 + $1.count } > 500_000)
  }

  @Test("rules that cannot work are refused")
  func validation() {
    func check(_ division: LaneRules.Division, _ why: String, _ location: SourceLocation = #_sourceLocation) {
      #expect(sourceLocation: location) {
        try LaneRules(division: division).validate()
      } throws: {
        ($0 as? Refusal)?.sentence.contains(why) ?? false
      }
    }
    check(.directories(depth: 0), "depth of 0")
    check(.named([]), "names 0 lanes")
    check(.named([NamedLane(name: "a", patterns: [])]), "no patterns")
    let lane = NamedLane(name: "a", patterns: Self.patterns("a"))
    check(.named([lane, lane]), "Two lanes")
    #expect(throws: Never.self) { try Self.named.validate() }
  }
}

extension Array {
  func shuffled(by chance: inout Chance) -> [Element] {
    map { (chance.next(), $0) }.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
