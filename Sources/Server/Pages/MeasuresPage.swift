import API
import ControlPlane
import Kernel

/// `/measures`: the numbers, what each means, and what it stands on.
struct MeasuresPage: Sendable {
  let days: Int
  let from: Moment
  let knownSince: Moment?
  let groups: [Group]
  let services: [Choice]
  let environments: [Choice]
  let spans: [Choice]

  struct Group: Sendable {
    let heading: String
    let rows: [Row]
  }
  struct Row: Sendable {
    let label: String
    let text: String
    let isMeasured: Bool
    let definition: String
    let badge: Badge?
    let advice: String?
    let detail: String?
    let facts: String
    let sources: [Link]
    let hasSources: Bool
  }
  struct Choice: Sendable {
    let value: String
    let words: String
    let isChosen: Bool
  }

  /// Ledger links beside a number; the API has up to a hundred.
  static let sourcesShown = 3

  init(_ view: MeasuresView, _ topology: Topology, days: Int, now: Instant) {
    self.days = days
    from = Moment(view.fromMs, now: now)
    knownSince = view.knownSinceMs.map { Moment($0, now: now) }
    let headings = [
      ("delivery", "How often, how safely"), ("time", "How long it takes"), ("rollbacks", "What went wrong"),
      ("restore", "How fast it was mended"),
    ]
    groups = headings.map { key, heading in
      Group(heading: heading, rows: view.measures.filter { $0.group == key }.map(Self.row))
    }
    services =
      [Choice(value: "", words: "all services", isChosen: view.service == nil)]
      + topology.services.map {
        Choice(value: $0.name.rawValue, words: $0.name.rawValue, isChosen: $0.name.rawValue == view.service)
      }
    environments =
      [Choice(value: "", words: "the last environment", isChosen: view.environment == nil)]
      + topology.environments.map {
        Choice(value: $0.rawValue, words: $0.rawValue, isChosen: $0.rawValue == view.environment)
      }
    spans = Set([1, 7, 30, 90, days]).sorted().map {
      Choice(value: "\($0)", words: Words.count($0, "day"), isChosen: $0 == days)
    }
  }

  private static func row(_ measure: MeasureView) -> Row {
    let detail = measure.spread.map { spread in
      let (p90, longest) = (Span(milliseconds: spread.p90Ms).words, Span(milliseconds: spread.longestMs).words)
      return "mean \(Span(milliseconds: spread.meanMs).words), 90 % within \(p90), longest \(longest)"
    }
    let unmeasured = measure.unmeasured == 0 ? "" : ", \(measure.unmeasured) not measurable"
    return Row(
      label: measure.label, text: measure.text, isMeasured: measure.value != nil || measure.spread != nil,
      definition: measure.definition,
      badge: measure.mark.map { Badge(words: $0, tone: $0 == "flagged" ? "bad" : "good") }, advice: measure.advice,
      detail: detail, facts: "\(Words.count(measure.facts, "fact"))\(unmeasured)",
      sources: measure.positions.suffix(sourcesShown).reversed().map {
        Link(address: LedgerPage.address(of: $0), words: "\($0)")
      }, hasSources: !measure.positions.isEmpty)
  }
}
