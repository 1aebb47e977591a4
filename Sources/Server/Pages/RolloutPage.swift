import API
import Kernel
import Rollouts

/// `/rollouts/{service}/{environment}/{id}`: the evidence as a picture, and the chain of times.
struct RolloutPage: Sendable {
  let service: String
  let environment: String
  let place: String
  let noun: String
  let id: Int
  /// A drill has neither plan nor verdict.
  let isJourney: Bool
  let subject: String
  let badge: Badge
  let sentence: String
  let detectable: String?
  let ask: AskPart?
  let freeze: FreezePart?
  let inconclusive: InconclusivePart?
  let caveats: [String]
  let hasCaveats: Bool
  /// What a drill found.
  let drill: String?
  let guarantee: String?
  let plan: [StepRow]
  let strategy: String
  let preview: String?
  let new: Version
  let old: Version?
  let newIs: String
  let oldIs: String
  let started: Moment
  let baseline: String?
  /// SVG made here, its texts escaped.
  let picture: String
  let hasPicture: Bool
  let pictureAddress: String
  let harm: Harm?
  let remedy: String?
  let chain: [ChainRow]
  let hasChain: Bool
  let ledger: String

  struct Version: Sendable {
    let commit: String
    let artifact: Link
    let configuration: String
  }
  struct Harm: Sendable {
    let requests: String
    let minutes: String
    let cause: String
    /// Nil when the place was closed before.
    let restoredIn: String?
  }
  struct ChainRow: Sendable {
    let what: String
    let clock: String
    let absolute: String
    let after: String
  }

  /// - Parameter freeze: of its place, now.
  init(
    _ view: RolloutView, _ record: Chronicle.RolloutRecord, _ picture: Picture, freeze: FreezeView?, now: Instant
  ) {
    service = view.service
    environment = view.environment
    place = "/services/\(Short.part(view.service))/\(Short.part(view.environment))"
    noun = Short.noun(view.kind)
    id = view.id
    isJourney = view.kind != "drill"
    subject = view.deployment.title ?? ""
    badge = ServicePage.badge(view)
    sentence = view.sentence ?? "No verdict yet."
    detectable = view.detectable
    ask = view.gate.map { AskPart($0, of: view, now: now) }
    let isHeld = view.outcome == "running"
    self.freeze = freeze.flatMap { freeze in
      isHeld ? FreezePart(freeze, service: view.service, environment: view.environment, now: now) : nil
    }
    inconclusive = view.inconclusive.map { InconclusivePart($0, now: now) }
    caveats = view.caveats
    hasCaveats = !caveats.isEmpty
    drill = view.drill?.sentence
    guarantee = view.guarantee
    plan = StepRow.rows(view)
    strategy = view.strategy.map { "\($0): what each step needs" } ?? "What each step needs"
    preview = view.preview
    new = Self.version(view.deployment)
    old = view.knownGood.map(Self.version)
    (newIs, oldIs) = isJourney ? ("new", "old") : ("visited", "serving")
    started = Moment(view.startedAtMs, now: now)
    baseline = record.baseline.map {
      "\(Words.percent($0.errorRate)) errors and \(Words.percent($0.slowRate)) slow in "
        + Words.count($0.requests, "request")
    }
    self.picture = picture.fragment
    hasPicture = picture.hasPoints
    pictureAddress = "/rollouts/\(Short.part(view.service))/\(Short.part(view.environment))/\(view.id).svg"
    harm = view.report.map(Self.harm)
    remedy = view.report?.remedy
    chain = view.report.map { Self.chain($0) } ?? []
    hasChain = view.report != nil
    ledger = LedgerPage.address(of: record.positions.upperBound)
  }

  private static func version(_ deployment: DeploymentView) -> Version {
    Version(
      commit: Short.commit(deployment.commit),
      artifact: Link(address: "/artifacts/\(deployment.digest)", words: Short.digest(deployment.digest)),
      configuration: Short.digest(deployment.configuration))
  }

  private static func harm(_ report: RollbackReportView) -> Harm {
    Harm(
      requests: "\(report.requestsHurt)", minutes: "\(report.clientMinutesHurt)", cause: report.cause,
      restoredIn: report.restoredAtMs.map {
        Span(milliseconds: $0 - (report.firstBadAtMs ?? report.detectedAtMs)).words
      })
  }

  /// In the order of time; each with how long after the one before.
  private static func chain(_ report: RollbackReportView) -> [ChainRow] {
    let links: [(String, Int64?)] = [
      ("First bad response", report.firstBadAtMs), ("Detected", report.detectedAtMs),
      ("Decided", report.decidedAtMs), ("Last bad response", report.lastBadAtMs), ("Restored", report.restoredAtMs),
      ("Closed", report.closedAtMs),
    ]
    let known = links.compactMap { what, at in at.map { (what: what, at: $0) } }
      .enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    return known.enumerated().map { index, link in
      let instant = Instant(milliseconds: link.at)
      let before = index == 0 ? nil : known[index - 1].at
      return ChainRow(
        what: link.what, clock: Words.clock(instant), absolute: Words.absolute(instant),
        after: before.map { "+\(Span(milliseconds: link.at - $0).words)" } ?? "")
    }
  }
}
