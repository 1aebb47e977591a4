import Kernel
import Rollouts

/// Recorded evidence through the judge of production: would it have caught this deploy, when, and by what?
package struct ReplayRun: Sendable {
  /// What stands for the two versions; their recorded names are in the report.
  package static let canary = place("b")
  package static let control = place("a")
  /// A watch no longer than that: more is a mistake in the seconds.
  package static let longestWatchSeconds: Int64 = 7 * 24 * 3600

  package let report: ReplayReport
  /// For the picture; the judge's own path.
  package let points: [EvidencePoint]

  /// - Parameters:
  ///   - crashLimit: ends of instances of the new version that condemn it, 1 or more, as `crash-limit` for a service
  ///     of one instance: how many there were is not recorded.
  /// - Throws: `Refusal` when the recording has no deploy, several, or nothing to judge.
  package init(
    _ evidence: RecordedEvidence, file: String, policy: JudgePolicy, crashLimit: Int = Rollout.Policy.defaultCrashLimit
  ) throws(Refusal) {
    let deploy = try ReplayRun.deploy(in: evidence, file: file)
    var notes = evidence.notes
    let old = ReplayRun.oldVersion(in: evidence, before: deploy.second, new: deploy.version, notes: &notes)
    let before = evidence.rows.filter { $0.second < deploy.second && $0.version == old }
    let baseline = Baseline(windows: ReplayRun.windows(of: before))
    if baseline.requests == 0 { notes.append("Nothing was recorded before the deploy: only absolute rules judge.") }
    let watched = evidence.rows.filter {
      $0.second >= deploy.second && ($0.version == deploy.version || $0.version == old)
    }
    // A version that fell before its first request has no counts.
    let lastEnd = evidence.marks.last { $0.second >= deploy.second && $0.event.isEnd(of: deploy.version) }
    guard lastEnd != nil || watched.contains(where: { $0.version == deploy.version }) else {
      throw Refusal(
        .malformed,
        "\(file) has no counts of '\(deploy.version)' from its deploy in second \(deploy.second) on; record the new "
          + "version by its own name.")
    }
    let last = max(watched.last?.second ?? deploy.second, lastEnd?.second ?? deploy.second)
    guard last - deploy.second < ReplayRun.longestWatchSeconds else {
      throw Refusal(
        .malformed,
        "\(file) goes on for \(last - deploy.second) s after the deploy, more than \(ReplayRun.longestWatchSeconds) s; "
          + "cut it, or look whether all seconds count from one beginning.")
    }
    var telling = Telling(
      policy: policy, baseline: baseline, deploy: deploy, old: old, crashLimit: max(crashLimit, 1),
      marks: evidence.marks.filter { $0.second >= deploy.second })
    telling.begin(before: evidence.marks.filter { $0.second < deploy.second })
    var index = watched.startIndex
    for second in deploy.second...last {
      let end = watched[index...].firstIndex { $0.second > second } ?? watched.endIndex
      telling.tell(second, watched[index..<end])
      index = end
    }
    points = telling.judge.path
    let span = before.first.map { deploy.second - $0.second } ?? 0
    report = telling.report(file: file, baselineSeconds: span, notes: notes)
  }

  // MARK: What is what

  struct Deploy {
    let second: Int64
    let version: String
  }

  private static func deploy(in evidence: RecordedEvidence, file: String) throws(Refusal) -> Deploy {
    var found: [(deploy: Deploy, line: Int)] = []
    for mark in evidence.marks {
      if case .deploy(let version) = mark.event {
        found.append((Deploy(second: mark.second, version: version), mark.line))
      }
    }
    guard let first = found.first else {
      throw Refusal(
        .malformed,
        "\(file) has no deploy; add a row with the event 'deploy', its second and the new version's name.")
    }
    guard found.count == 1 else {
      throw Refusal(
        .malformed,
        "\(file) has \(found.count) deploys, in lines \(found.map { "\($0.line)" }.joined(separator: " and ")); "
          + "replay one at a time.")
    }
    return first.deploy
  }

  /// The version with most requests before the deploy; nil when there is none.
  private static func oldVersion(
    in evidence: RecordedEvidence, before second: Int64, new: String, notes: inout [String]
  ) -> String? {
    var requests: [String: Int] = [:]
    for row in evidence.rows where row.second < second && row.version != new {
      requests[row.version, default: 0] += row.counts.requests
    }
    let names = requests.keys.sorted { (requests[$1, default: 0], $0) < (requests[$0, default: 0], $1) }
    if names.count > 1 {
      notes.append(
        "Before the deploy '\(names[0])' had most requests and is compared with; left out: "
          + "\(names.dropFirst().joined(separator: ", ")).")
    }
    return names.first
  }

  /// As the judge wants its history, so that it learns how much the rate fluctuates by itself. Windows without a row
  /// tell nothing and are left out.
  private static func windows(of rows: [RecordedEvidence.Row]) -> [RequestCounts] {
    let width = Judge.window.milliseconds / 1000
    var windows: [RequestCounts] = []
    var number: Int64?
    for row in rows {
      if row.second / width != number { windows.append(.zero) }
      number = row.second / width
      windows[windows.count - 1] = windows[windows.count - 1] + row.counts
    }
    return windows
  }

  private static func place(_ digit: String) -> DeploymentID {
    guard let id = DeploymentID(rawValue: "recorded.replay.\(String(repeating: digit, count: 12)).00000000") else {
      preconditionFailure("two names, twelve and eight digits")
    }
    return id
  }
}

extension RecordedEvidence.Event {
  fileprivate func isEnd(of version: String) -> Bool {
    switch self {
    case .restart(let name, detail: _), .notReady(let name): name == version
    case .deploy, .sourceLost, .sourceBack: false
    }
  }
}
