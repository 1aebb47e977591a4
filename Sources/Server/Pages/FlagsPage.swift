import API
import Foundation
import Kernel

/// `/flags`: every flag, a row each, with a dot for each environment.
struct FlagsPage: Sendable {
  let rows: [Row]
  let isEmpty: Bool
  let isFiltered: Bool
  let count: String
  let search: String
  let environments: [Choice]
  let phases: [Choice]
  let types: [Choice]
  let expiries: [Choice]
  /// Flags that should be gone; nil when none is.
  let expired: Expired?
  let next: String?

  struct Row: Sendable {
    let address: String
    let key: String
    let facts: String
    let expiry: Moment
    let expiryWord: String
    let badge: Badge?
    let dots: [Dot]
  }

  struct Dot: Sendable {
    let tone: String
    let symbol: String
    let environment: String
    let words: String
  }

  struct Choice: Sendable {
    let value: String
    let words: String
    let isChosen: Bool
  }

  struct Expired: Sendable {
    let heading: String
    let flags: [Link]
    let all: Link?
  }

  /// Named in the notice; the others are counted.
  static let expiredShown = 8

  init(
    _ view: FlagsView, expired late: FlagsView, _ filter: FlagReader.Filter, environments known: [String],
    now: Instant
  ) {
    rows = view.flags.map { Row($0, now: now) }
    isEmpty = view.flags.isEmpty
    isFiltered = filter != FlagReader.Filter()
    count = Words.count(view.total, "flag")
    search = filter.search ?? ""
    environments = Self.choices("every environment", known, filter.environment)
    phases = Self.choices("any phase", FlagReader.phases, filter.phase, words: FlagPage.phaseWords)
    types = Self.choices(
      "any type", ["release", "experiment", "operational", "kill-switch", "permission"], filter.type)
    expiries = Self.choices(
      "any expiry", FlagReader.expiries, filter.expiry,
      words: ["expired": "expired", "soon": "within 14 days", "later": "later"])
    expired =
      late.total == 0 || filter.expiry == "expired"
      ? nil
      : Expired(
        heading: late.total == 1 ? "One flag has expired" : "\(late.total) flags have expired",
        flags: late.flags.map { Link(address: FlagPage.address($0.key), words: "\($0.key) (\($0.owner))") },
        all: late.total > late.flags.count ? Link(address: "/flags?expiry=expired", words: "all of them") : nil)
    next = view.next.map { next in
      var query = URLComponents()
      let items: [(String, String?)] = [
        ("search", filter.search), ("environment", filter.environment), ("phase", filter.phase),
        ("type", filter.type), ("owner", filter.owner), ("expiry", filter.expiry), ("after", next),
      ]
      query.queryItems = items.compactMap { name, value in value.map { URLQueryItem(name: name, value: $0) } }
      return "/flags?\(query.percentEncodedQuery ?? "")"
    }
  }

  private static func choices(
    _ any: String, _ values: [String], _ chosen: String?, words: [String: String] = [:]
  ) -> [Choice] {
    [Choice(value: "", words: any, isChosen: chosen == nil)]
      + values.map { Choice(value: $0, words: words[$0] ?? $0, isChosen: $0 == chosen) }
  }
}

extension FlagsPage.Row {
  init(_ view: FlagRowView, now: Instant) {
    address = FlagPage.address(view.key)
    key = view.key
    facts = "\(view.type), owned by \(view.owner)"
    expiry = Moment(view.expiresAtMs, now: now)
    expiryWord = view.expired ? "expired" : "expires"
    badge =
      view.archivedAtMs != nil
      ? Badge(words: "archived", tone: "calm") : view.expired ? Badge(words: "expired", tone: "bad") : nil
    dots = view.environments.map { dot in
      FlagsPage.Dot(
        tone: FlagPage.tone(dot.phase), symbol: FlagPage.symbol(dot.phase), environment: dot.environment,
        words: dot.words)
    }
  }
}

extension Pages {
  func addFlags(to router: WebRouter) {
    router.get("flags") { request, context in
      let query = Query(request, context)
      let filter = try FlagRoutes.filter(query)
      let view = try await reader.flags.list(filter, after: query.text("after"), limit: FlagReader.usualList)
      let late = try await reader.flags.list(
        FlagReader.Filter(expiry: "expired"), after: nil, limit: FlagsPage.expiredShown)
      let environments = await reader.lookup.flagEnvironments().map(\.rawValue)
      return try page(
        "Flags", "flags", FlagsPage(view, expired: late, filter, environments: environments, now: reader.now()),
        here: "/flags")
    }
    router.get("flag-folders") { _, _ in
      try page(
        "Flags in git", "flagfolders", FlagFoldersPage(await reader.flags.folders(), now: reader.now()),
        here: "/flags")
    }
    router.get("flags/:key") { request, context in
      let query = Query(request, context)
      let key = query.path("key")
      let view = try await reader.flags.flag(key)
      let before = try query.number("before", in: 1...Int64.max, otherwise: .max)
      let history = try await reader.flags.history(key, before: before, limit: FlagReader.historyList)
      var trial: FlagPage.Trial?
      if let environment = query.text("environment") {
        trial = FlagPage.Trial(environment: environment, context: query.text("context") ?? "{}")
        do {
          trial?.answer = .success(
            try await reader.flags.evaluate(key, environment, context: query.text("context")))
        } catch let refusal as Refusal {
          trial?.answer = .failure(refusal)
        }
      }
      let content = FlagPage(view, history, trial, isNewest: before == .max, now: reader.now())
      return try page("Flag \(view.key)", "flag", content)
    }
    router.get("flags/:key/ramps/:environment") { request, context in
      let query = Query(request, context)
      let (key, environment) = (query.path("key"), query.path("environment"))
      let view = try await reader.flags.flag(key)
      guard let place = view.environments.first(where: { $0.environment == environment }) else {
        throw Lookup.unknown("environment", environment, among: view.environments.map(\.environment))
      }
      guard let ramp = place.ramp else {
        throw Refusal(
          .unknown,
          "Flag \(view.key) was not ramped in \(environment) since it was switched on last: see /flags/\(view.key).")
      }
      let past = try await reader.flags.past(view.key, environment, ramp: ramp.number)
      return try page(
        "Ramp of \(view.key) in \(environment)", "ramp", RampPage(view, place, ramp, past, now: reader.now()))
    }
  }
}
