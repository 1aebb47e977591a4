import Kernel
import Testing

@testable import Ramps

/// What a folder of a repository says of flags, and when it says nothing.
@Suite struct FlagFolderTests {
  private static let policy = FlagFolder.Policy(
    repository: RepositoryName(rawValue: "harbor")!, trunk: BranchName(rawValue: "main")!, path: "flags",
    environments: [EnvironmentName(rawValue: "production")!])

  private static func commit(_ digit: Character) -> CommitID {
    CommitID(rawValue: String(repeating: digit, count: 40))!
  }

  private static func found(_ digit: Character, _ flags: [String: Character]) -> FlagFolder.Found {
    FlagFolder.Found(
      commit: commit(digit), author: "ada",
      definitions: flags.sorted { $0.key < $1.key }.map { key, text in
        FlagFolder.Definition(
          key: FlagKey(rawValue: key)!, file: "flags/\(key).json",
          definition: FlagDefinition(
            members: [], hash: Digest(rawValue: "sha256:" + String(repeating: text, count: 64))!, variants: ["on"],
            owner: "ada", expiry: Instant(milliseconds: 1_000_000)))
      })
  }

  /// What is recorded, one word each, after the inputs before it.
  private func check(_ inputs: [FlagFolder.Input], _ last: FlagFolder.Input, _ expected: [String]) throws {
    var state = FlagFolder.initial
    for (place, input) in (inputs + [last]).enumerated() {
      let events = try FlagFolder.decide(
        input, in: state, TurnContext(now: Instant(milliseconds: Int64(place)), chance: 0))
      for event in events { FlagFolder.evolve(&state, event) }
      #expect(FlagFolder.violations(in: state) == [])
      if place == inputs.count { #expect(events.map(word) == expected) }
    }
  }

  private func word(_ event: FlagFolder.Event) -> String {
    switch event {
    case .declared(let declaration): "declared \(declaration.key) at \(declaration.commit.rawValue.prefix(1))"
    case .undeclared(let key, commit: _): "undeclared \(key)"
    case .segmentsDeclared(let segments, commit: _): "segments \(segments.map(\.name).joined(separator: " "))"
    case .settled(let commit, flags: let flags, at: _): "settled \(commit.rawValue.prefix(1)) with \(flags)"
    case .readingBegan(let commit, at: _): "reading \(commit.rawValue.prefix(1))"
    case .faulted(let fault): "faulted \(fault.commit.rawValue.prefix(1))"
    case .refusalNoted(let unmet): "refused \(unmet.key)"
    case .refusalEnded(let key): "met \(key)"
    case .configured, .closed: event.name
    }
  }

  private let open: [FlagFolder.Input] = [.configure(policy), .trunkAt(commit("a"))]
  private var read: [FlagFolder.Input] { open + [.found(Self.found("a", ["basket": "1", "checkout": "1"]))] }

  @Test("a folder is read as soon as the trunk is seen")
  func seen() throws {
    try check([.configure(Self.policy)], .trunkAt(Self.commit("a")), ["reading a"])
    try check(open, .trunkAt(Self.commit("a")), [])
    try check([], .trunkAt(Self.commit("a")), [])
  }

  @Test("flags are told what changed, and no more")
  func changes() throws {
    try check(
      open, .found(Self.found("a", ["basket": "1", "checkout": "1"])),
      ["declared basket at a", "declared checkout at a", "settled a with 2"])
    try check(
      read + [.trunkAt(Self.commit("b"))], .found(Self.found("b", ["checkout": "2", "zebra": "1"])),
      ["undeclared basket", "declared checkout at b", "declared zebra at b", "settled b with 2"])
    try check(
      read + [.trunkAt(Self.commit("b"))], .found(Self.found("b", ["basket": "1", "checkout": "1"])),
      ["settled b with 2"])
  }

  @Test("segments are told as a whole, before the flags that name them, and only when they differ")
  func segments() throws {
    let staff = FlagDefinition.Member(name: "staff", json: #"{"items":["ada"]}"#)
    let found = FlagFolder.Found(commit: Self.commit("a"), author: "ada", definitions: [], segments: [staff])
    try check(open, .found(found), ["segments staff", "settled a with 0"])
    let again = FlagFolder.Found(commit: Self.commit("b"), author: "ada", definitions: [], segments: [staff])
    try check(open + [.found(found), .trunkAt(Self.commit("b"))], .found(again), ["settled b with 0"])
    let none = Self.found("b", [:])
    try check(open + [.found(found), .trunkAt(Self.commit("b"))], .found(none), ["segments ", "settled b with 0"])
  }

  @Test("what a flag refuses is kept while it is declared so, and forgotten when it is met or the folder changes")
  func refusals() throws {
    func refused(_ key: String, _ text: Character) -> FlagFolder.Input {
      .refused(
        .init(
          key: FlagKey(rawValue: key)!, hash: Digest(rawValue: "sha256:" + String(repeating: text, count: 64))!,
          place: "flags/\(key).json:1", commit: Self.commit("a"), why: "its ramp is under way",
          at: Instant(milliseconds: 9)))
    }
    let met = FlagFolder.Input.met(FlagKey(rawValue: "basket")!)
    try check(read, refused("basket", "1"), ["refused basket"])
    try check(read + [refused("basket", "1")], refused("basket", "1"), [])
    // Of an older text, and of what is not declared.
    try check(read, refused("basket", "2"), [])
    try check(read, refused("zebra", "1"), [])
    try check(read + [refused("basket", "1")], met, ["met basket"])
    try check(read, met, [])
    let gone = read + [refused("basket", "1"), .trunkAt(Self.commit("b")), .found(Self.found("b", ["checkout": "1"]))]
    try check(gone, met, [])
  }

  @Test("segments of a folder that is closed stay behind those that folders have, until it is read again")
  func keptSegments() throws {
    let staff = FlagDefinition.Member(name: "staff", json: #"{"items":["ada"]}"#)
    let crew = FlagDefinition.Member(name: "staff", json: #"{"items":["bob"]}"#)
    let found = FlagFolder.Found(commit: Self.commit("a"), author: "ada", definitions: [], segments: [staff])
    var closed = FlagFolder.initial
    for input in open + [.found(found), .unconfigure] {
      for event in try FlagFolder.decide(input, in: closed, TurnContext(now: Instant(milliseconds: 0), chance: 0)) {
        FlagFolder.evolve(&closed, event)
      }
    }
    #expect(FlagFolder.violations(in: closed) == [])
    let here = StreamID(.flagFolder, "a/main")
    let there = StreamID(.flagFolder, "b/main")
    #expect(FlagFolder.segments(of: [here: closed]) == [staff])
    var other = FlagFolder.initial
    other.segments = [crew]
    #expect(FlagFolder.segments(of: [here: closed, there: other]) == [crew])
    let again = open + [.found(found), .unconfigure] + open
    try check(again, .found(Self.found("a", [:])), ["segments ", "settled a with 0"])
  }

  @Test("what was read of an older commit says nothing")
  func late() throws {
    try check(open + [.trunkAt(Self.commit("b"))], .found(Self.found("a", ["basket": "1"])), [])
    try check(open + [.trunkAt(Self.commit("b"))], .faulty(commit: Self.commit("a"), sentences: ["no"]), [])
  }

  @Test("a folder with a fault changes no flag, and a mended one only what differs from before it")
  func fault() throws {
    let broken = read + [.trunkAt(Self.commit("b"))]
    let faulty = FlagFolder.Input.faulty(commit: Self.commit("b"), sentences: ["flags/basket.json:1:1: not JSON"])
    try check(broken, faulty, ["faulted b"])
    try check(
      broken + [faulty, .trunkAt(Self.commit("c"))], .found(Self.found("c", ["basket": "2", "checkout": "1"])),
      ["declared basket at c", "settled c with 2"])
  }

  @Test("a folder that moved within the repository is read again at once")
  func moved() throws {
    let other = FlagFolder.Policy(
      repository: Self.policy.repository, trunk: Self.policy.trunk, path: "toggles",
      environments: Self.policy.environments)
    try check(read, .configure(other), ["configured", "reading a"])
    try check(read, .configure(Self.policy), [])
  }

  @Test("a folder that is no longer named leaves its flags to people")
  func closed() throws {
    try check(read, .unconfigure, ["undeclared basket", "undeclared checkout", "closed"])
    try check([], .unconfigure, [])
  }

  @Test("it is read as long as it has not been, by content")
  func effects() throws {
    var state = FlagFolder.initial
    for input in open {
      for event in try FlagFolder.decide(input, in: state, TurnContext(now: Instant(milliseconds: 0), chance: 0)) {
        FlagFolder.evolve(&state, event)
      }
    }
    #expect(FlagFolder.effects(of: state).map(\.key) == [EffectKey("read " + String(repeating: "a", count: 40))])
    FlagFolder.evolve(&state, .settled(Self.commit("a"), flags: 0, at: Instant(milliseconds: 1)))
    #expect(FlagFolder.effects(of: state).isEmpty)
  }
}
