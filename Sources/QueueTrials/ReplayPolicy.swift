import Kernel
import MergeQueues
import Statistics

/// A rule that a trace can be put through, by name.
package struct ReplayPolicy: Equatable, Sendable {
  /// As written on the command line.
  package let name: String
  /// One line for a person.
  package let summary: String
  private let kind: Kind

  private enum Kind: Equatable, Sendable {
    case ours
    case line(Model2Policy)
    case graph(Model1Policy)
  }

  /// Ours first, then those that know lanes, then those that have one line. Zuul's window is that of one line.
  package static let all: [ReplayPolicy] =
    [ReplayPolicy(name: "plimsoll", summary: "ours", kind: .ours)]
    + Model1Policy.rivals.filter { $0 != .zuul }.map {
      ReplayPolicy(name: $0.rawValue, summary: $0.summary, kind: .graph($0))
    }
    + Model2Policy.rivals.map { ReplayPolicy(name: $0.rawValue, summary: $0.summary, kind: .line($0)) }

  /// - Throws: `Refusal.unknown` with the nearest name.
  package static func named(_ name: String) throws(Refusal) -> ReplayPolicy {
    if let policy = all.first(where: { $0.name == name }) { return policy }
    let names = all.map(\.name)
    let hint = nearestMatch(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
    throw Refusal(.unknown, "No policy is named '\(name)'\(hint); there are all, \(names.joined(separator: ", ")).")
  }

  /// Whether it keeps changes apart that cannot affect each other; the others have one line for all.
  package var knowsLanes: Bool {
    switch kind {
    case .line: false
    case .ours, .graph: true
    }
  }

  /// All waits are measured, from the first change to the last.
  package func run(_ trace: Trace, slots: Int) -> TrialOutcome {
    let hasLanes = trace.overlap != .everything
    // In one line a green build shows that everything passes together; with lanes it runs what its tip affects.
    let farm = CIFarm(trace: trace, slots: slots, proof: knowsLanes && hasLanes ? .tip : .tree, measured: 0...1)
    switch kind {
    case .ours: return hasLanes ? Model1Policy.planner.run(on: farm) : Model2Policy.ours.run(on: farm)
    case .line(.article) where Self.isQuiet(trace): return Model2Policy.serial.run(on: farm)
    case .line(let rule): return rule.run(on: farm)
    case .graph(let rule): return rule.run(on: farm)
    }
  }
}

extension ReplayPolicy {
  /// What the article's rule calls a team that needs no batches; Model 2 has none such.
  private static let quietCISeconds = 600.0
  private static let quietMergesADay = 20.0

  private static func isQuiet(_ trace: Trace) -> Bool {
    let days = max((trace.changes.last?.arrivalSeconds ?? 0) / 86_400, 1)
    let median = Waits(trace.changes.map(\.durationSeconds)).at(0.5)
    return median < quietCISeconds && Double(trace.changes.count) / days < quietMergesADay
  }
}

extension Model1Policy {
  /// One line for a person.
  package var summary: String {
    switch self {
    case .oracle: "knows every outcome; lands in order"
    case .singleQueue: "one at a time in each lane"
    case .optimistic: "each on all ahead of it, without a window"
    case .zuul: "each on all ahead of it, within a window that grows and halves"
    case .speculateAll: "every combination of those ahead"
    case .bestFirst: "the likeliest combinations first"
    case .bestFirstThreshold: "the same; beside the likeliest only what is needed with 0.1 or more"
    case .ours: "ours: lands when green with all ahead"
    case .planner: "ours: lands when green with all ahead and with none"
    }
  }
}

extension Model2Policy {
  /// One line for a person.
  package var summary: String {
    switch self {
    case .serial: "one at a time"
    case .borsHalves: "one batch of 16 at most at a time, a red one halved"
    case .githubStrict: "one change a build, as many as slots"
    case .githubHeadGreen: "the same; a red one lands with a later green that contains it"
    case .zuul: "one change a build, a window that grows with landings and halves with failures"
    case .trunk: "batches of 4, optimistic, a red one halved"
    case .mergify: "batches of 5, a red one split into prefixes"
    case .mergifyDynamic: "batches of 1 to 10 by the queue's depth, split into prefixes"
    case .rateAware: "batches by the failure rate, split into prefixes"
    case .article: "one at a time while CI and merges are few, else batches of 2 to 3"
    case .ours: "ours"
    }
  }
}

/// What came of a trace in a policy's hands, to be printed.
package struct ReplayResult: Codable, Equatable, Sendable {
  package let policy: String
  package let changes: Int
  package let landed: Int
  package let ejected: Int
  /// Ejected, and would have passed on the trunk of that moment.
  package let falseEjections: Int
  /// Landed, and failed on the trunk of that moment: only a policy that lands what it did not test has any.
  package let brokenLandings: Int
  /// Neither landed nor ejected: the policy got stuck.
  package let stuck: Int
  package let builds: Int
  package let buildsPerChange: Double
  /// Of the builds, those ended before they were done, 0 to 1.
  package let stoppedShare: Double
  /// From arrival to landing or ejection.
  package let waitSeconds: Percentiles

  package struct Percentiles: Codable, Equatable, Sendable {
    package let p50: Double
    package let p95: Double
    package let p99: Double
  }

  package init(_ policy: ReplayPolicy, _ outcome: TrialOutcome) {
    self.policy = policy.name
    changes = outcome.changes
    landed = outcome.landed
    ejected = outcome.ejected
    falseEjections = outcome.falseEjections
    brokenLandings = outcome.brokenLandings
    stuck = outcome.changes - outcome.landed - outcome.ejected
    builds = outcome.builds
    buildsPerChange = outcome.buildsPerChange
    stoppedShare = outcome.stoppedShare
    let waits = Waits(outcome.waits)
    waitSeconds = Percentiles(p50: waits.at(0.5), p95: waits.at(0.95), p99: waits.at(0.99))
  }
}
