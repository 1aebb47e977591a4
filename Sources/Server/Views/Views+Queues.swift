import API
import ControlPlane
import Kernel
import MergeQueues

/// Machine states as the structs of the API. One file per domain; nothing here decides anything.
enum Views {}

extension Views {
  static func queue(_ state: MergeQueue.State, of stream: StreamID) -> QueueView {
    let explanation = MergeQueue.explanation(of: state)
    let parts = stream.name.split(separator: "/", maxSplits: 1).map(String.init)
    let entries = zip(state.entries, explanation.entries).map { entry, line in
      EntryView(
        entry: entry.id, branch: entry.facts.branch.rawValue, head: entry.facts.head.rawValue,
        author: entry.facts.author, title: entry.facts.title, place: line.place, activity: line.activity.rawValue,
        submittedAtMs: entry.facts.submittedAt.milliseconds, sinceMs: line.since.milliseconds, reason: line.reason)
    }
    return QueueView(
      repository: state.policy?.repository.rawValue ?? parts.first ?? stream.name,
      trunk: state.policy?.trunk.rawValue ?? parts.last ?? "", head: state.trunk?.rawValue,
      headline: explanation.headline, slots: state.policy?.slots ?? 0, entries: entries,
      finished: state.finished.reversed().map(finished), troubles: explanation.troubles)
  }

  static func finished(_ entry: MergeQueue.FinishedEntry) -> FinishedView {
    let (outcome, commit, log): (String, CommitID?, Digest?) =
      switch entry.outcome {
      case .landed(let commit): ("landed", commit, nil)
      case .ejected(let ejection): ("ejected", nil, ejection.log)
      case .withdrawn: ("withdrawn", nil, nil)
      }
    return FinishedView(
      entry: entry.facts.id, branch: entry.facts.branch.rawValue, author: entry.facts.author,
      title: entry.facts.title, outcome: outcome, sentence: entry.sentence, commit: commit?.rawValue,
      log: log?.rawValue, submittedAtMs: entry.facts.submittedAt.milliseconds, atMs: entry.at.milliseconds)
  }

  static func change(
    _ record: Chronicle.ChangeRecord, in state: MergeQueue.State, repository: RepositoryName,
    promotions: [PromotionView]
  ) -> ChangeView {
    let end = record.outcome.map(finished)
    return ChangeView(
      repository: repository.rawValue, entry: record.facts.id, branch: record.facts.branch.rawValue,
      head: record.facts.head.rawValue, author: record.facts.author, title: record.facts.title,
      submittedAtMs: record.facts.submittedAt.milliseconds, outcome: end?.outcome ?? "waiting",
      sentence: end?.sentence ?? MergeQueue.waitReason(of: record.facts.id, in: state) ?? "It left the queue.",
      commit: end?.commit,
      history: record.happenings.map {
        HappeningView(
          position: $0.position, atMs: $0.at.milliseconds, sentence: $0.sentence, log: $0.log?.rawValue)
      },
      promotions: promotions)
  }
}
