import Kernel

/// What makes two changes affect each other, from `plimsoll.yaml`.
package struct LaneRules: Codable, Equatable, Sendable {
  package let division: Division
  /// A change that touches one of these affects all others, whatever its lanes.
  package let barriers: [PathPattern]

  package enum Division: Codable, Equatable, Sendable {
    /// One line: each change affects all others.
    case none
    /// By the folders that a change touches, cut to `depth`, 1 to `depthLimit`. A file less deep affects all below its
    /// folder.
    case directories(depth: Int)
    /// By patterns. A path that no lane claims may affect anything.
    case named([NamedLane])
    /// By what a command or CI says is affected: build targets, packages. A path list is only for the barriers then.
    case reported
  }

  /// Lanes in front of a build system's own rule: a folder more is seldom a unit of its own.
  package static let depthLimit = 8
  /// Lanes that a policy may name; a page shows them side by side.
  package static let namedLimit = 200

  package init(division: Division, barriers: [PathPattern] = []) {
    self.division = division
    self.barriers = barriers
  }

  /// Every change affects every other: what `strict: true` means, too.
  package static let oneLane = LaneRules(division: .none)

  /// - Throws: `Refusal.malformed` for rules that cannot work.
  package func validate() throws(Refusal) {
    switch division {
    case .none, .reported: break
    case .directories(let depth):
      guard (1...Self.depthLimit).contains(depth) else {
        throw Refusal(.malformed, "Lanes by directories have a depth of \(depth); set 1 to \(Self.depthLimit).")
      }
    case .named(let lanes):
      guard (1...Self.namedLimit).contains(lanes.count) else {
        throw Refusal(.malformed, "The queue names \(lanes.count) lanes; name 1 to \(Self.namedLimit).")
      }
      var seen: Set<String> = []
      for lane in lanes {
        guard !lane.name.isEmpty else { throw Refusal(.malformed, "A lane has no name; give it one.") }
        guard seen.insert(lane.name).inserted else {
          throw Refusal(.malformed, "Two lanes are named '\(lane.name)'; put their patterns into one.")
        }
        guard !lane.patterns.isEmpty else {
          throw Refusal(.malformed, "The lane '\(lane.name)' has no patterns; name the paths that it claims.")
        }
      }
    }
  }

  /// The lanes of a change.
  ///
  /// - Parameters:
  ///   - paths: what it touches; nil while that is not known.
  ///   - targets: what was reported as affected, in any order; nil while nothing was. Only for `reported`.
  package func lanes(of paths: ChangedPaths?, reported targets: [String]? = nil) -> Lanes {
    if division == .none { return .all(.lanesOff) }
    if let paths, let barrier = paths.paths.first(where: { path in barriers.contains { $0.matches(path) } }) {
      return .all(.barrier(path: barrier))
    }
    // Whether a barrier is among the paths that are not listed cannot be known.
    let isBlind = paths.map { !$0.isComplete } ?? true
    switch division {
    case .none: return .all(.lanesOff)
    case .reported:
      guard let targets else { return .all(.notReported) }
      if isBlind, !barriers.isEmpty { return .all(.pathsIncomplete) }
      return Lanes(names: targets)
    case .directories(let depth):
      guard let paths, !isBlind else { return .all(.pathsIncomplete) }
      return Lanes(directories: paths.paths.map { Self.folder(of: $0, depth: depth) })
    case .named(let lanes):
      guard let paths, !isBlind else { return .all(.pathsIncomplete) }
      var names: [String] = []
      for path in paths.paths {
        let claiming = lanes.filter { $0.claims(path) }
        if claiming.isEmpty { return .all(.unclaimed(path: path)) }
        names += claiming.map(\.name)
      }
      return Lanes(names: names)
    }
  }

  /// `a/b` of `a/b/c/d.swift` at depth 2; empty for a file in the root.
  private static func folder(of path: String, depth: Int) -> String {
    path.split(separator: "/").dropLast().prefix(depth).joined(separator: "/")
  }
}

/// A lane that a policy names, with the paths that it claims.
package struct NamedLane: Codable, Equatable, Sendable {
  package let name: String
  package let patterns: [PathPattern]
  package init(name: String, patterns: [PathPattern]) {
    self.name = name
    self.patterns = patterns
  }

  package func claims(_ path: String) -> Bool { patterns.contains { $0.matches(path) } }
}
