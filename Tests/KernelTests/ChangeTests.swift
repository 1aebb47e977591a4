import Kernel
import Testing

@Suite("Changes as a forge shows them")
struct ChangeTests {
  private static let wanted = CommitID(rawValue: String(repeating: "a", count: 40))!
  private static let old = CommitID(rawValue: String(repeating: "b", count: 40))!
  private static let older = CommitID(rawValue: String(repeating: "c", count: 40))!
  private let topic = BranchName(rawValue: "topic")!
  private let main = BranchName(rawValue: "main")!
  private let release = BranchName(rawValue: "release")!

  private static func check(
    _ state: CheckResult.State, of reporter: String = "ci", on commit: CommitID = wanted, name: String = "unit"
  ) -> CheckResult {
    CheckResult(name: name, state: state, commit: commit, reporter: reporter)
  }

  @Test(
    "several reports under one name come to one standing",
    arguments: [
      ("none", [], nil, .missing(elsewhere: []), "nobody has reported the check 'unit' on aaaaaaaaaa"),
      (
        "of commits that are not wanted any more", [check(.passed, on: old), check(.failed, on: older)], nil,
        .missing(elsewhere: [old, older]),
        "the check 'unit' is reported on bbbbbbbbbb only, which is not wanted any more; it is awaited on aaaaaaaaaa"
      ),
      ("of another name", [check(.passed, name: "lint")], nil, .missing(elsewhere: []), nil),
      ("one that passed", [check(.failed, on: old), check(.passed)], nil, .passed, nil),
      (
        "two checks of one name, one of which failed", [check(.passed), check(.failed, of: "other")], nil,
        .failed(reporters: ["other"]), "the check 'unit' of other failed on aaaaaaaaaa"
      ),
      (
        "two that have not ended", [check(.pending, of: "z"), check(.pending)], nil, .pending(reporters: ["ci", "z"]),
        "the check 'unit' of ci and z has not ended"
      ),
      ("the later word of one reporter", [check(.failed), check(.passed)], nil, .passed, nil),
      ("the named reporter alone", [check(.failed, of: "other"), check(.passed)], "ci", .passed, nil),
      ("not from the named reporter", [check(.passed, of: "other")], "ci", .missing(elsewhere: []), nil),
    ] as [(String, [CheckResult], String?, CheckStanding, String?)])
  func standing(_ what: String, _ results: [CheckResult], _ from: String?, _ expected: CheckStanding, _ words: String?)
  {
    let standing = results.standing(of: "unit", at: Self.wanted, from: from)
    #expect(standing == expected, "\(what)")
    if let words { #expect(standing.sentence(of: "unit", at: Self.wanted) == words) }
    #expect((standing.sentence(of: "unit", at: Self.wanted) == nil) == (expected == .passed))
  }

  @Test("a change that is not what was queued says why")
  func drift() {
    func check(_ state: ChangeState, _ expected: ChangeState.Drift?, _ words: String? = nil) {
      let drift = state.drift(from: Self.wanted, for: main)
      #expect(drift == expected)
      if let words { #expect(drift?.sentence.contains(words) == true, "\(drift?.sentence ?? "none")") }
    }
    check(ChangeState(branch: topic, head: Self.wanted), nil)
    check(ChangeState(branch: topic, head: Self.wanted, target: main, approvals: ["ada"]), nil)
    check(ChangeState(branch: topic, head: nil), .gone, "was deleted")
    check(ChangeState(branch: topic, head: Self.wanted, isClosed: true), .closed, "was closed")
    check(ChangeState(branch: topic, head: Self.wanted, isDraft: true), .draft, "draft")
    check(ChangeState(branch: topic, head: Self.wanted, target: release), .retargeted(to: release), "release")
    check(ChangeState(branch: topic, head: Self.old), .edited(to: Self.old), "bbbbbbbbbb")
    check(ChangeState(branch: topic, head: nil, isClosed: true), .gone)
  }

  @Test("paths are sorted, each once, and bounded in number and in bytes")
  func paths() {
    let few = ChangedPaths(bounding: ["b", "a", "b", "A"])
    #expect(few.paths == ["A", "a", "b"] && few.isComplete)
    #expect(ChangedPaths(bounding: []) == ChangedPaths(paths: [], isComplete: true))
    let all = (0..<ChangedPaths.limit).map { "f\($0)" }
    #expect(ChangedPaths(bounding: all + all).isComplete)
    let more = ChangedPaths(bounding: all + ["one more"])
    #expect(more.paths.count == ChangedPaths.limit && !more.isComplete)
    let long = ChangedPaths(bounding: (100..<1000).map { "\($0)" + String(repeating: "x", count: 1000) })
    #expect(!long.isComplete && long.paths.joined().utf8.count <= ChangedPaths.limitBytes && long.paths.count > 200)
  }

  @Test("a note is cut to a screen, without white space at its ends")
  func note() {
    func text(_ text: String) -> String {
      ChangeNote(branch: topic, head: Self.wanted, text: text, at: Instant(milliseconds: 0), fence: Fence(1)).text
    }
    #expect(text("\n two\n lines \n\n") == "two\n lines")
    #expect(text(String(repeating: "x", count: 9_000)).count == ChangeNote.limit)
  }
}
