import API
import Kernel

/// `/queues/{repository}`: the line as a picture, each entry's wait taken apart, what would make it shorter.
struct QueuePage: Sendable {
  let repository: String
  let trunk: String
  let head: String?
  let headline: String
  let settings: String
  let hold: Hold?
  let troubles: [String]
  let hasTroubles: Bool
  let picture: String
  let hasPicture: Bool
  let beyondPicture: String?
  let entries: [Row]
  let isEmpty: Bool
  let beyondRows: String?
  let finished: [Left]
  let hasFinished: Bool
  let waits: [AnalyticsRow]
  let hasWaits: Bool
  let waitMark: String?
  /// What the waits are, in words.
  let waitWords: String
  let ledger: String

  struct Hold: Sendable {
    let heading: String
    let reason: String
    let since: Moment
    let until: Moment?
    /// How it ends before its time.
    let resume: String
  }

  struct Row: Sendable {
    let entry: Int
    let address: String
    let place: Int
    let subject: String
    let branch: String
    let author: String
    let priority: String?
    let lanes: String?
    let unit: String?
    let badge: Badge
    let reason: String
    let submitted: Moment
    let wait: WaitBar
    let forecast: String?
    let stall: Stall?
  }

  struct Stall: Sendable {
    let heading: String
    let sentence: String
    let levers: [String]

    init(_ view: StallView) {
      heading = view.cause == "longWait" ? "A long wait" : "Stalled"
      sentence = view.sentence
      levers = view.levers
    }
  }

  struct Left: Sendable {
    let entry: Int
    let address: String
    let subject: String
    let author: String
    let badge: Badge
    let sentence: String
    let log: String?
    let at: Moment
    let wait: WaitBar
  }

  struct AnalyticsRow: Sendable {
    let group: String
    let count: Int
    let median: String
    let p95: String
    let p99: String
    /// The two parts that took most of its time.
    let mostly: String

    init(_ view: WaitGroupView) {
      let whole = view.parts.reduce(Int64(0)) { $0 + $1.ms }
      group = view.group
      count = view.count
      median = Span(milliseconds: view.p50Ms).words
      p95 = Span(milliseconds: view.p95Ms).words
      p99 = Span(milliseconds: view.p99Ms).words
      mostly = view.parts.prefix(2).map { part in
        "\(whole == 0 ? 0 : (part.ms * 100 + whole / 2) / whole) % \(part.words)"
      }.joined(separator: ", ")
    }
  }

  /// Rows of a page; `plimsoll queue --json` has them all.
  static let rowLimit = 100

  init(_ view: QueueView, waits told: QueueWaitsView?, now: Instant) {
    repository = view.repository
    trunk = view.trunk
    head = view.head.map(Short.commit)
    headline = view.headline
    settings = "mode \(view.mode), \(view.slots) CI runs at once"
    hold = view.hold.map { hold in
      Hold(
        heading: ["paused": "Paused", "draining": "Draining", "frozen": "Frozen"][hold.kind, default: hold.kind]
          + " by \(hold.actor)",
        reason: Words.closed(hold.reason), since: Moment(hold.sinceMs, now: now),
        until: hold.untilMs.map { Moment($0, now: now) },
        resume: hold.kind == "frozen"
          ? "Its windows are in plimsoll.yaml."
          : "To go on: plimsoll queue resume --repository \(view.repository) --reason WHY")
    }
    troubles = view.troubles
    hasTroubles = !troubles.isEmpty
    let drawn = QueuePicture(view, now: now)
    picture = drawn.fragment
    hasPicture = drawn.hasRows
    let more = view.entries.count - QueuePicture.columnLimit
    beyondPicture = more > 0 ? "\(more) more wait behind these." : nil
    entries = view.entries.prefix(Self.rowLimit).map { Row($0, in: view.repository, now: now) }
    isEmpty = view.entries.isEmpty
    let hidden = view.entries.count - Self.rowLimit
    beyondRows = hidden > 0 ? "\(hidden) more: plimsoll queue \(view.repository) --json" : nil
    finished = view.finished.map { left in
      Left(
        entry: left.entry, address: "/changes/\(Short.part(view.repository))/\(left.entry)", subject: left.title,
        author: left.author, badge: OverviewPage.badge(outcome: left.outcome), sentence: left.sentence,
        log: left.log.map(left.reviews.page), at: Moment(left.atMs, now: now), wait: WaitBar(left.waits))
    }
    hasFinished = !finished.isEmpty
    waits = told?.groups.map { AnalyticsRow($0) } ?? []
    hasWaits = !waits.isEmpty
    waitMark = told?.mark
    waitWords = told.map { $0.definition } ?? ""
    ledger = "/ledger?stream=queue:\(Short.part(view.repository))/\(Short.part(view.trunk))"
  }
}

extension QueuePage.Row {
  init(_ view: EntryView, in repository: String, now: Instant) {
    self.init(
      entry: view.entry, address: "/changes/\(Short.part(repository))/\(view.entry)", place: view.place,
      subject: view.title, branch: view.branch, author: view.author,
      priority: view.priority == "normal" ? nil : view.priority,
      lanes: view.lanes.isEmpty ? nil : view.lanes.joined(separator: ", "),
      unit: view.unit.isEmpty ? nil : view.unit.map { "#\($0)" }.joined(separator: ", "),
      badge: OverviewPage.badge(activity: view.activity), reason: view.reason,
      submitted: Moment(view.submittedAtMs, now: now), wait: WaitBar(view.waits),
      forecast: view.forecast.map { QueuePage.words($0, now: now) },
      stall: view.stall.map { QueuePage.Stall($0) })
  }
}

extension QueuePage {
  /// `Expected to land in about 12 min; 8 of 10 times between 7 and 31 min from now.`
  static func words(_ forecast: ForecastView, now: Instant) -> String {
    func ahead(_ milliseconds: Int64) -> String {
      Span(milliseconds: max(0, milliseconds - now.milliseconds)).words
    }
    return "Expected to land in about \(ahead(forecast.likelyMs)); 8 of 10 times between "
      + "\(ahead(forecast.earliestMs)) and \(ahead(forecast.latestMs)) from now."
  }
}

/// A wait taken apart: a bar whose parts sum to the whole, with the same in words.
struct WaitBar: Sendable {
  let parts: [Part]
  let words: String
  let hasParts: Bool

  struct Part: Sendable {
    /// In tenths of a per cent of the whole.
    let start: Int
    let width: Int
    let cause: String
  }

  /// Less would be told as 0.0 s.
  private static let leastTold: Int64 = 50

  init(_ waits: [WaitView]) {
    let whole = waits.reduce(0) { $0 + $1.ms }
    var start = 0
    parts =
      whole == 0
      ? []
      : waits.map { wait in
        let width = Int(wait.ms * 1000 / whole)
        defer { start += width }
        return Part(start: start, width: width, cause: wait.cause)
      }
    words =
      "\(Span(milliseconds: whole).words) in all: "
      + waits.filter { $0.ms >= Self.leastTold }.map { "\(Span(milliseconds: $0.ms).words) \($0.words)" }
      .joined(separator: ", ")
    hasParts = !parts.isEmpty
  }
}
