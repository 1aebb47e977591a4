import API
import Kernel
import Measures
import MergeQueues

extension Views {
  static func waits(_ report: WaitReport, of repository: RepositoryName) -> QueueWaitsView {
    let mark: String? = if case .flagged(let advice)? = report.all.wait.mark { advice } else { nil }
    let groups =
      [waits(report.all, "all")]
      + [("lane", report.byLane), ("service", report.byService), ("team", report.byTeam)].flatMap { kind, groups in
        groups.map { waits($0, "\(kind) \($0.name)") }
      }
    return QueueWaitsView(
      repository: repository.rawValue, fromMs: report.from.milliseconds, toMs: report.to.milliseconds,
      definition: report.all.wait.definition, mark: mark, unmeasured: report.all.wait.unmeasured,
      groups: groups.compactMap { $0 })
  }

  /// Nil when nothing of the group was measured: empty is not zero.
  private static func waits(_ group: WaitGroup, _ name: String) -> WaitGroupView? {
    group.wait.value.map { spread in
      WaitGroupView(
        group: name, count: spread.count, p50Ms: spread.p50.milliseconds, p95Ms: spread.p95.milliseconds,
        p99Ms: spread.p99.milliseconds,
        parts: waits(group.parts.map { WaitPart(cause: $0.cause, span: $0.total) }))
    }
  }
}
