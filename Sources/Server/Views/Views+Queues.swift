import API
import ControlPlane
import Kernel
import MergeQueues

/// Machine states as the structs of the API. One file per domain; nothing here decides anything.
enum Views {}

extension Views {
  static func queue(_ state: MergeQueue.State, of stream: StreamID, now: Instant) -> QueueView {
    let explanation = MergeQueue.explanation(of: state)
    let parts = stream.name.split(separator: "/", maxSplits: 1).map(String.init)
    let stalls = Watchdog.stalls(in: state.sight(at: now), at: now)
    var stallOf: [Int: Stall] = [:]
    for stall in stalls { for entry in stall.entries where stallOf[entry] == nil { stallOf[entry] = stall } }
    let forecasts = state.landingForecasts(at: now)
    return QueueView(
      repository: state.policy?.repository.rawValue ?? parts.first ?? stream.name,
      trunk: state.policy?.trunk.rawValue ?? parts.last ?? "", head: state.trunk?.rawValue,
      headline: Words.ended(explanation.headline), slots: state.policy?.slots ?? 0,
      mode: (state.policy?.scheduling.mode ?? .auto).rawValue, hold: hold(state),
      entries: zip(state.entries, explanation.entries).map { entry, line in
        self.entry(entry, line, in: state, stallOf[entry.id], forecasts, now: now)
      },
      builds: explanation.builds.map { build($0, in: state) },
      finished: state.finished.reversed().map(finished),
      troubles: explanation.troubles + stalls.filter(\.entries.isEmpty).map { "\($0.sentence) \($0.nextStep)" })
  }

  /// Nil when it is not in line. O(entries + builds · members).
  private static func standing(of id: Int, in state: MergeQueue.State, now: Instant) -> EntryView? {
    guard let entry = state.entry(id),
      let line = MergeQueue.explanation(of: state).entries.first(where: { $0.entry == id })
    else { return nil }
    let stall = Watchdog.stalls(in: state.sight(at: now), at: now).first { $0.entries.contains(id) }
    return self.entry(entry, line, in: state, stall, state.landingForecasts(at: now), now: now)
  }

  private static func entry(
    _ entry: MergeQueue.Entry, _ line: MergeQueue.Explanation.Line, in state: MergeQueue.State, _ stall: Stall?,
    _ forecasts: (Int) -> Forecast?, now: Instant
  ) -> EntryView {
    let parts = entry.waits.parts(at: now)
    let isLong = entry.waits.whole(at: now) >= Levers.target
    let levers = isLong ? Levers(parts: parts, slots: state.policy?.slots ?? 1).sentence : nil
    let unit = state.entries.unit(of: entry.id).map(\.id)
    return EntryView(
      entry: entry.id, branch: entry.facts.branch.rawValue, head: entry.facts.head.rawValue,
      author: entry.facts.author, title: entry.facts.title, place: line.place, priority: entry.priority.rawValue,
      lanes: entry.lanes?.labels ?? [], unit: unit.count > 1 ? unit : [], activity: line.activity.rawValue,
      submittedAtMs: entry.facts.submittedAt.milliseconds, sinceMs: line.since.milliseconds,
      reason: Words.ended(line.reason),
      waits: waits(parts), forecast: stall == nil ? forecasts(entry.id).map { forecast($0, from: now) } : nil,
      stall: stall.map {
        StallView(
          cause: $0.cause.rawValue, sentence: "\($0.sentence) \($0.nextStep)", levers: [levers].compactMap { $0 })
      } ?? levers.map { StallView(cause: "longWait", sentence: line.reason, levers: [$0]) },
      note: entry.note.map { note($0, state.fate(of: $0)) }, reviews: entry.reviews.map(review))
  }

  /// What is said on the change itself.
  private static func note(_ note: MergeQueue.Note, _ fate: MergeQueue.Note.Fate?) -> NoteView {
    switch fate {
    case nil: NoteView(text: note.text, atMs: note.at.milliseconds, state: "waiting", writtenAtMs: nil, why: nil)
    case .written(let at)?:
      NoteView(
        text: note.text, atMs: note.at.milliseconds, state: "written", writtenAtMs: at.milliseconds, why: nil)
    case .abandoned(let why, _)?:
      NoteView(text: note.text, atMs: note.at.milliseconds, state: "abandoned", writtenAtMs: nil, why: why)
    }
  }

  /// The one that waits to be written, else the last that was to be said, and what became of it.
  private static func note(on record: Chronicle.ChangeRecord, in state: MergeQueue.State) -> NoteView? {
    if let waiting = state.notes.last(where: { $0.entry == record.facts.id }) { return note(waiting, nil) }
    if let left = record.outcome, record.isOutcomeTold, record.note == nil || record.note?.note.standing != nil {
      // Of the note on its outcome no event tells, unless it was written or given up.
      return NoteView(
        text: MergeQueue.Note.text(of: left), atMs: left.at.milliseconds, state: "abandoned", writtenAtMs: nil,
        why: "it was dropped before the forge had it")
    }
    return record.note.map { note($0.note, $0.fate ?? state.fate(of: $0.note)) }
  }

  /// An entry has none until a run has ended, and while people hold it up: it lands when somebody lets it.
  private static func forecast(_ forecast: Forecast, from now: Instant) -> ForecastView {
    ForecastView(
      earliestMs: (now + forecast.earliest).milliseconds, likelyMs: (now + forecast.likely).milliseconds,
      latestMs: (now + forecast.latest).milliseconds)
  }

  private static func hold(_ state: MergeQueue.State) -> QueueHoldView? {
    if let hold = state.hold {
      return QueueHoldView(
        kind: hold.kind.rawValue, actor: hold.by, reason: hold.reason, sinceMs: hold.since.milliseconds, untilMs: nil)
    }
    return state.freeze.map {
      QueueHoldView(
        kind: "frozen", actor: "plimsoll.yaml", reason: $0.reason, sinceMs: $0.since.milliseconds,
        untilMs: $0.until?.milliseconds)
    }
  }

  private static func build(
    _ line: MergeQueue.Explanation.BuildLine, in state: MergeQueue.State
  ) -> QueueBuildView {
    let build = state.builds.first { $0.id == line.build }
    let last = line.members.last.flatMap { state.entries.place(of: $0) } ?? 0
    let members = Set(line.members)
    return QueueBuildView(
      build: line.build, members: line.members,
      without: state.entries.prefix(last).map(\.id).filter { !members.contains($0) },
      purpose: line.purpose.rawValue, state: word(for: line.activity, build), sinceMs: line.since.milliseconds,
      log: build?.runs.last?.log.rawValue, sentence: line.assumes)
  }

  private static func word(for activity: MergeQueue.Explanation.Activity, _ build: MergeQueue.Build?) -> String {
    switch activity {
    case .merging: "merging"
    case .awaitingSlot, .waiting, .missing, .held: "waiting"
    case .testing: "running"
    case .passed, .landing: "passed"
    case .undecided: build?.isStuck == true ? "conflicted" : "failed"
    }
  }

  /// Longest first.
  static func waits(_ parts: [WaitPart]) -> [WaitView] {
    parts.sorted { $0.span > $1.span }.map {
      WaitView(cause: $0.cause.rawValue, words: $0.cause.words, ms: $0.span.milliseconds)
    }
  }

  static func finished(_ entry: MergeQueue.FinishedEntry) -> FinishedView {
    let (outcome, commit, log): (String, CommitID?, Digest?) =
      switch entry.outcome {
      case .landed(let commit): ("landed", commit, nil)
      case .ejected(let ejection): ("ejected", nil, ejection.log ?? ejection.report)
      case .withdrawn: ("withdrawn", nil, nil)
      }
    return FinishedView(
      entry: entry.facts.id, branch: entry.facts.branch.rawValue, author: entry.facts.author,
      title: entry.facts.title, outcome: outcome, sentence: entry.sentence, commit: commit?.rawValue,
      log: log?.rawValue, submittedAtMs: entry.facts.submittedAt.milliseconds, atMs: entry.at.milliseconds,
      waits: waits(entry.waits), reviews: entry.reviews.map(review))
  }

  static func change(
    _ record: Chronicle.ChangeRecord, in state: MergeQueue.State, repository: RepositoryName,
    promotions: [PromotionView], now: Instant
  ) -> ChangeView {
    // Of those that left otherwise than by landing, in older histories, only the queue itself knows where their time went.
    let end = (state.finished.last { $0.facts.id == record.facts.id } ?? record.outcome).map(finished)
    let entry = state.entry(record.facts.id)
    let standing = standing(of: record.facts.id, in: state, now: now)
    return ChangeView(
      repository: repository.rawValue, entry: record.facts.id, branch: record.facts.branch.rawValue,
      head: record.facts.head.rawValue, author: record.facts.author, title: record.facts.title,
      submittedAtMs: record.facts.submittedAt.milliseconds, outcome: end?.outcome ?? "waiting",
      sentence: end?.sentence ?? MergeQueue.waitReason(of: record.facts.id, in: state) ?? "It left the queue.",
      commit: end?.commit, priority: record.facts.priority.rawValue, team: record.facts.team, standing: standing,
      waits: end?.waits ?? standing?.waits ?? [], approvals: record.approvals,
      checks: record.checks.map {
        ReportedCheckView(
          name: $0.name, state: $0.state.rawValue, reporter: $0.reporter, commit: $0.commit.rawValue)
      },
      missing: entry.map { MergeQueue.lacks(of: $0, in: state, at: now) } ?? [],
      history: record.happenings.map {
        HappeningView(
          position: $0.position, atMs: $0.at.milliseconds, sentence: $0.sentence, log: $0.log?.rawValue)
      },
      promotions: promotions, note: note(on: record, in: state),
      reviews: record.reviews.map(review))
  }
}
