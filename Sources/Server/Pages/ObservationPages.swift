import API
import HTTPTypes
import Hummingbird
import Kernel
import Rollouts

/// `/observations`: what Plimsoll would have done, against what teams did.
struct ObservationsPage: Sendable {
  let sentence: String
  let places: [Place]
  let isEmpty: Bool

  struct Place: Sendable {
    let service: String
    let environment: String
    let badge: Badge
    let sentence: String
    let score: String
    let rows: [Row]
  }
  struct Row: Sendable {
    let address: String
    let number: Int
    let version: String
    let deployed: Moment
    let judgement: String
    let team: String
    let badge: Badge
  }

  /// Of one place; the API has a hundred.
  static let rowsShown = 20

  init(_ view: ObservationsView, now: Instant) {
    sentence = view.score.sentence
    isEmpty = view.places.isEmpty
    places = view.places.map { place in
      Place(
        service: place.service, environment: place.environment,
        badge: Badge(words: place.phase, tone: place.phase == "watching" ? "moving" : "calm"), sentence: place.sentence,
        score: place.score.sentence,
        rows: place.deployments.prefix(Self.rowsShown).map { Self.row($0, of: place, now: now) })
    }
  }

  private static func row(_ view: ObservedDeploymentView, of place: ObservedPlaceView, now: Instant) -> Row {
    Row(
      address: ObservationPage.address(place.service, place.environment, view.id), number: view.id,
      version: view.version, deployed: Moment(view.deployedAtMs, now: now), judgement: view.judgementSentence,
      team: view.teamSentence ?? "The team may still act.", badge: ObservationPage.badge(view))
  }
}

/// `/observations/{service}/{environment}/{id}`: one deployment, its verdict and its evidence as a picture.
struct ObservationPage: Sendable {
  let service: String
  let environment: String
  let id: Int
  let version: String
  let previous: String
  let badge: Badge
  let judgement: String
  let team: String
  let comparison: String?
  let correction: String?
  let deployed: Moment
  let source: String
  let ends: Moment
  /// SVG made here, its texts escaped.
  let picture: String
  let hasPicture: Bool

  init(
    _ view: ObservedDeploymentView, _ service: String, _ environment: String, _ series: EvidenceSeries?, now: Instant
  ) {
    self.service = service
    self.environment = environment
    id = view.id
    version = view.version
    previous = view.previous
    badge = Self.badge(view)
    judgement = view.judgementSentence
    team = view.teamSentence ?? "The team may still act."
    comparison = view.comparisonSentence
    correction = view.correctedBy.map { "\($0) corrected what the team did." }
    deployed = Moment(view.deployedAtMs, now: now)
    source = view.source
    ends = Moment(view.endsAtMs, now: now)
    let picture = Self.picture(view, series)
    self.picture = picture.fragment
    hasPicture = picture.hasPoints
  }

  static func picture(_ view: ObservedDeploymentView, _ series: EvidenceSeries?) -> Picture {
    Picture(
      series?.points ?? [], hasControl: series?.control != nil, marks: marks(view), end: view.judgementSentence)
  }

  private static func marks(_ view: ObservedDeploymentView) -> [Picture.Mark] {
    let marks: [(Int64?, String)] = [
      (view.deployedAtMs, "deployed"), (view.wouldHaveRolledBackAtMs, "Plimsoll would have gone back"),
      (view.teamActedAtMs, view.team == "replaced" ? "replaced" : "the team went back"),
    ]
    return marks.compactMap { at, words in
      at.map { Picture.Mark(at: Instant(milliseconds: $0), words: words, isStep: false) }
    }.sorted { $0.at < $1.at }
  }

  static func address(_ service: String, _ environment: String, _ id: Int) -> String {
    "/observations/\(Short.part(service))/\(Short.part(environment))/\(id)"
  }

  static func badge(_ view: ObservedDeploymentView) -> Badge {
    switch view.comparison {
    case "bothKept": Badge(words: "agreed: kept", tone: "good")
    case "bothWentBack": Badge(words: "agreed: back", tone: "good")
    case "needless": Badge(words: "needless?", tone: "waiting")
    case "missed": Badge(words: "missed", tone: "bad")
    case "undecided": Badge(words: "undecided", tone: "waiting")
    case .some: Badge(words: "could not tell", tone: "calm")
    case nil where view.judgement == "wouldHaveRolledBack": Badge(words: "would go back", tone: "bad")
    case nil: Badge(words: "judged now", tone: "moving")
    }
  }
}

extension Pages {
  func addObservations(to router: WebRouter) {
    router.get("observations") { _, _ in
      let content = ObservationsPage(await reader.observations(), now: reader.now())
      return try page("Observed", "observations", content, here: "/observations")
    }
    router.get("observations/:service/:environment/:id") { request, context in
      let query = Query(request, context)
      let (service, environment) = (query.path("service"), query.path("environment"))
      // The router's captures take whole path parts, so the picture is told from the page by its ending.
      let id = query.path("id")
      let isPicture = id.hasSuffix(".svg")
      let view = try await reader.observed(service, environment, isPicture ? String(id.dropLast(4)) : id)
      let series = try await reader.observedSeries(service, environment, view.id)
      if isPicture {
        var response = Answer.text(ObservationPage.picture(view, series).document, type: "image/svg+xml")
        response.headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'"
        return response
      }
      let content = ObservationPage(view, service, environment, series, now: reader.now())
      return try page("\(view.version) of \(service) in \(environment)", "observation", content)
    }
  }
}
