/// Where a change goes in parallel with others: the parts of the repository that it can affect.
///
/// Two changes affect each other when they share a lane. Lanes of different kinds, left over from a change of rules,
/// always do.
package enum Lanes: Codable, Equatable, Sendable {
  /// Affects every other change.
  case all(Reason)
  /// Folders, sorted, none below another; the empty one is the root.
  case folders([String])
  /// Names of lanes or targets, sorted. Without any it affects nobody.
  case names([String])

  /// Why a change affects every other.
  package enum Reason: Codable, Equatable, Sendable {
    case lanesOff
    case barrier(path: String)
    /// Which paths it touches is not known, or there are more than are listed.
    case pathsIncomplete
    case unclaimed(path: String)
    case notReported
    /// More than `Lanes.limit` of them.
    case tooMany(Int)
  }

  /// Lanes of one change; more are as good as all. The 95th percentile of changes has 4 to 24
  /// (research/merge-queue.md §4.3).
  package static let limit = 64

  /// - Parameter names: in any order, also more than once.
  package init(names: [String]) {
    let sorted = Self.distinct(names)
    self = sorted.count > Self.limit ? .all(.tooMany(sorted.count)) : .names(sorted)
  }

  /// - Parameter directories: in any order, also more than once, also one below another.
  package init(directories: [String]) {
    let sorted = Self.distinct(directories)
    let present = Set(sorted)
    let kept = sorted.filter { folder in !Self.above(folder).contains { present.contains($0) } }
    self = kept.count > Self.limit ? .all(.tooMany(kept.count)) : .folders(kept)
  }

  /// Whether both can affect each other. O(lanes × depth).
  package func overlaps(_ other: Lanes) -> Bool {
    switch (self, other) {
    case (.names(let left), .names(let right)):
      return !Set(left).isDisjoint(with: right)
    case (.folders(let left), .folders(let right)):
      let (mine, theirs) = (Set(left), Set(right))
      return left.contains { theirs.contains($0) || Self.above($0).contains { theirs.contains($0) } }
        || right.contains { Self.above($0).contains { mine.contains($0) } }
    case (.names(let few), .folders), (.folders(let few), .names):
      // A change without any affects nobody, whatever the kind.
      return !few.isEmpty && !other.isEmpty && !isEmpty
    case (.all, let one), (let one, .all):
      return !one.isEmpty
    }
  }

  /// Whether it affects nobody.
  package var isEmpty: Bool {
    switch self {
    case .all: false
    case .folders(let lanes), .names(let lanes): lanes.isEmpty
    }
  }

  /// For pages and measures: its lanes, or what stands for all of them.
  package var labels: [String] {
    switch self {
    case .all: ["all lanes"]
    case .folders(let folders): folders.map { $0.isEmpty ? "(root)" : $0 }
    case .names(let names): names
    }
  }

  /// Why it affects every other change, after its name: "affects all others: it touches go.mod, a barrier"; nil when it
  /// does not.
  package var sentence: String? {
    guard case .all(let reason) = self else { return nil }
    switch reason {
    case .lanesOff: return "affects all others: lanes are off"
    case .barrier(let path): return "affects all others: it touches \(path), a barrier"
    case .pathsIncomplete: return "affects all others: which paths it touches is not known, or not all of them"
    case .unclaimed(let path): return "affects all others: no lane claims \(path)"
    case .notReported: return "affects all others until the targets that it affects are reported"
    case .tooMany(let count): return "affects all others: it is in \(count) lanes, more than \(Self.limit)"
    }
  }

  /// The folders that `folder` is in, the nearest first, the root last; empty for the root.
  package static func above(_ folder: String) -> [String] {
    guard !folder.isEmpty else { return [] }
    var found: [String] = []
    var rest = folder[...]
    // Bytes, as git has them: a letter may be made of several, a slash is never part of one.
    while let slash = rest.utf8.lastIndex(of: UInt8(ascii: "/")) {
      rest = rest[..<slash]
      found.append(String(rest))
    }
    return found + [""]
  }

  private static func distinct(_ names: [String]) -> [String] {
    var kept: [String] = []
    for name in names.sorted() where name != kept.last { kept.append(name) }
    return kept
  }
}

extension Lanes {
  /// For each of `line`, which of those before it affect it: their indices, rising.
  ///
  /// Looks each lane up instead of comparing pairs: O(entries × lanes × depth + pairs found × log). Where lanes are off
  /// the pairs are all there are; plan for a part of a long line then.
  package static func after(_ line: [Lanes]) -> [[Int]] {
    var index = LaneIndex()
    return line.enumerated().map { position, lanes in
      defer { index.add(lanes, at: position) }
      return index.affecting(lanes)
    }
  }
}

/// Who is in which lane: a line's entries by what they affect.
package struct LaneIndex: Sendable {
  private var everyone: [Int] = []
  /// Those that affect every other.
  private var unlimited: [Int] = []
  private var named: [String: [Int]] = [:]
  /// The folders of those added, and all that those are in. By number, because most are met again and again.
  private var folders: [Folder] = []
  private var numbers: [String: Int] = [:]
  /// Those with folders, and those with names: one kind affects the whole of the other.
  private var withFolders: [Int] = []
  private var withNames: [Int] = []

  private struct Folder: Sendable {
    /// Those with this very lane.
    var inside: [Int] = []
    /// Those with a lane below it.
    var below: [Int] = []
    /// Numbers of the folders that it is in.
    let above: [Int]
  }

  package init() {}

  /// At the positions 0 and on.
  init(_ line: [Lanes]) { for (position, lanes) in line.enumerated() { add(lanes, at: position) } }

  /// As if nobody had been added; folders that were met are known.
  mutating func removeAll() {
    (everyone, unlimited, withFolders, withNames) = ([], [], [], [])
    named = [:]
    for number in folders.indices {
      folders[number].inside.removeAll(keepingCapacity: true)
      folders[number].below.removeAll(keepingCapacity: true)
    }
  }

  /// - Parameter position: above all that were added before.
  package mutating func add(_ lanes: Lanes, at position: Int) {
    if lanes.isEmpty { return }
    everyone.append(position)
    switch lanes {
    case .all: unlimited.append(position)
    case .names(let names):
      withNames.append(position)
      for name in names { named[name, default: []].append(position) }
    case .folders(let lanes):
      withFolders.append(position)
      for folder in lanes {
        let number = number(of: folder)
        folders[number].inside.append(position)
        for one in folders[number].above where folders[one].below.last != position {
          folders[one].below.append(position)
        }
      }
    }
  }

  private mutating func number(of folder: String) -> Int {
    if let known = numbers[folder] { return known }
    let above = Lanes.above(folder).map { number(of: $0) }
    folders.append(Folder(above: above))
    numbers[folder] = folders.count - 1
    return folders.count - 1
  }

  /// Those added that affect `lanes`, rising.
  package func affecting(_ lanes: Lanes) -> [Int] {
    if lanes.isEmpty { return [] }
    switch lanes {
    case .all: return everyone
    case .names(let names):
      return Self.merged([unlimited, withFolders] + names.compactMap { named[$0] })
    case .folders(let own):
      return Self.merged([unlimited, withNames] + own.flatMap(near))
    }
  }

  /// Those added that affect `lanes`, in any order, also more than once.
  func eachAffecting(_ lanes: Lanes, _ tell: (Int) -> Void) {
    if lanes.isEmpty { return }
    switch lanes {
    case .all: everyone.forEach(tell)
    case .names(let names): ([unlimited, withFolders] + names.compactMap { named[$0] }).forEach { $0.forEach(tell) }
    case .folders(let own): ([unlimited, withNames] + own.flatMap(near)).forEach { $0.forEach(tell) }
    }
  }

  /// Whether anybody is `near`.
  private func isAnyone(near folder: String) -> Bool {
    guard let number = numbers[folder] else { return near(folder).contains { !$0.isEmpty } }
    if !folders[number].inside.isEmpty || !folders[number].below.isEmpty { return true }
    return folders[number].above.contains { !folders[$0].inside.isEmpty }
  }

  /// Those in the folder, below it, and in those that it is in.
  private func near(_ folder: String) -> [[Int]] {
    guard let number = numbers[folder] else {
      return Lanes.above(folder).compactMap { numbers[$0].map { folders[$0].inside } }
    }
    let known = folders[number]
    return [known.inside, known.below] + known.above.map { folders[$0].inside }
  }

  /// Whether any of those added affects `lanes`. O(lanes × depth).
  func affects(_ lanes: Lanes) -> Bool {
    if lanes.isEmpty { return false }
    switch lanes {
    case .all: return !everyone.isEmpty
    case .names(let names):
      return !unlimited.isEmpty || !withFolders.isEmpty || names.contains { named[$0] != nil }
    case .folders(let own):
      return !unlimited.isEmpty || !withNames.isEmpty || own.contains(where: isAnyone)
    }
  }

  /// Each list rises; so does the result, each once.
  private static func merged(_ lists: [[Int]]) -> [Int] {
    let some = lists.filter { !$0.isEmpty }
    guard some.count > 1 else { return some.first ?? [] }
    // Positions are close together as entries are: to mark them costs less than to sort them.
    var all = EntrySet()
    for list in some { all.formUnion(list) }
    return Array(all)
  }
}
