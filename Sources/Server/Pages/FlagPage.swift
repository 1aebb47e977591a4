import API
import Foundation
import Kernel

/// `/flags/{key}`: what it is, where it is on, its ramps, who has heard, and how it came to be so.
struct FlagPage: Sendable {
  let key: String
  let badge: Badge?
  let owner: String
  let type: String
  let expiry: Moment
  let expiryWord: String
  let revision: Int
  let unit: String?
  let service: String?
  let declaredIn: String?
  let refused: [FlagFoldersPage.Line]
  let hasRefused: Bool
  let prerequisites: [Link]
  let hasPrerequisites: Bool
  let dependents: [Link]
  let hasDependents: Bool
  let archived: String?
  let trouble: String?
  let definition: String
  let edit: String
  let places: [Place]
  let scheduled: [Scheduled]
  let hasScheduled: Bool
  let history: [Happening]
  let trial: TrialPart
  let older: String?
  let newest: String?
  let ledger: String

  struct Place: Sendable {
    let environment: String
    let badge: Badge
    let sentence: String
    let override: String?
    let ask: Ask?
    let shares: [Bar]
    let hasShares: Bool
    let sharesWords: String
    let stages: [Stage]
    let hasStages: Bool
    let ramp: Link?
    let proof: Proof?
    let commands: [Command]
  }

  /// A stage of a ramp on the way.
  struct Stage: Sendable {
    let words: String
    let standing: String
    let tone: String
    let symbol: String
  }

  struct Bar: Sendable {
    let shareClass: String
    let start: String
    let width: String
  }

  struct Ask: Sendable {
    let heading: String
    let why: String
    let commands: [Command]
  }

  /// What to type, and what it does.
  struct Command: Sendable {
    let what: String
    let text: String
  }

  struct Proof: Sendable {
    let sentence: String
    let evidence: String?
    let lacking: [Client]
    let hasLacking: Bool
  }

  struct Client: Sendable {
    let client: String
    let seen: Moment
  }

  struct Scheduled: Sendable {
    let words: String
    let by: String
    let at: Moment
    let command: String
  }

  struct Happening: Sendable {
    let id: String
    let sentence: String
    let at: Moment
    let position: Link
    let changes: [Change]
    let hasChanges: Bool
    let changesWords: String
  }

  struct Change: Sendable {
    let member: String
    let before: String?
    let after: String?
  }

  /// What would a context get.
  struct Trial: Sendable {
    let environment: String
    let context: String
    var answer: Result<FlagEvaluationView, Refusal>?
  }

  struct TrialPart: Sendable {
    let environments: [FlagsPage.Choice]
    let context: String
    let result: String?
    let why: String?
    let fault: String?
  }

  init(_ view: FlagView, _ history: FlagHistoryView, _ trial: Trial?, isNewest: Bool, now: Instant) {
    key = view.key
    badge =
      view.archived != nil
      ? Badge(words: "archived", tone: "calm") : view.expired ? Badge(words: "expired", tone: "bad") : nil
    owner = view.owner
    type = view.type
    expiry = Moment(view.expiresAtMs, now: now)
    expiryWord = view.expired ? "expired" : "expires"
    revision = view.revision
    unit = view.unit
    service = view.service
    declaredIn = view.declaredIn
    refused = view.refused.map { FlagFoldersPage.Line(words: $0.sentence) }
    hasRefused = !refused.isEmpty
    prerequisites = view.prerequisites.map { Link(address: Self.address($0), words: $0) }
    hasPrerequisites = !view.prerequisites.isEmpty
    dependents = view.dependents.map { Link(address: Self.address($0), words: $0) }
    hasDependents = !view.dependents.isEmpty
    archived = view.archived.map { "Archived by \($0.actor): \(Words.closed($0.reason))" }
    trouble = view.trouble
    definition = view.definition
    edit =
      view.declaredIn.map { "Edit \($0) and land it." }
      ?? "plimsoll flag edit \(view.key) --definition FILE --over \(view.revision) --reason TEXT"
    places = view.environments.map { Place($0, of: view, now: now) }
    scheduled = view.scheduled.map { change in
      Scheduled(
        words: "\(change.words) in \(change.environment)", by: "\(change.by.actor): \(Words.closed(change.by.reason))",
        at: Moment(change.atMs, now: now),
        command: "plimsoll flag schedule \(view.key) --cancel \(change.number) --reason TEXT")
    }
    hasScheduled = !view.scheduled.isEmpty
    self.history = history.events.map { Happening($0, now: now) }
    older = history.next.map { "\(Self.address(view.key))?before=\($0)" }
    newest = isNewest ? nil : Self.address(view.key)
    ledger = "/ledger?stream=flag:\(Short.part(view.key))"
    self.trial = TrialPart(view, trial)
  }

  static func address(_ key: String) -> String { "/flags/\(Short.part(key))" }

  /// One member a line, so that it can be read and copied; letter by letter where it cannot be parsed.
  static func pretty(_ json: String) -> String {
    guard let object = try? JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed),
      let data = try? JSONSerialization.data(
        withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes, .fragmentsAllowed])
    else { return json }
    return String(decoding: data, as: UTF8.self)
  }

  // MARK: Words of phases

  static let phaseWords = [
    "asking": "asks", "holding": "held", "killed": "killed", "off": "off", "on": "on", "placing": "reaching clients",
    "rolledOut": "rolled out", "sighting": "beginning", "stopped": "stopped", "stopping": "being withdrawn",
    "watching": "ramping",
  ]

  static func tone(_ phase: String) -> String {
    switch phase {
    case "on", "rolledOut": "good"
    case "sighting", "placing", "watching": "moving"
    case "asking", "holding": "waiting"
    case "killed", "stopping", "stopped": "bad"
    default: "calm"
    }
  }

  static func symbol(_ phase: String) -> String {
    switch phase {
    case "on": "●"
    case "rolledOut": "✓"
    case "sighting", "placing", "watching": "◐"
    case "asking": "?"
    case "holding": "‖"
    case "killed", "stopping", "stopped": "✕"
    default: "○"
    }
  }
}

extension FlagPage.Place {
  init(_ view: FlagPlaceView, of flag: FlagView, now: Instant) {
    environment = view.environment
    badge = Badge(words: FlagPage.phaseWords[view.phase] ?? view.phase, tone: FlagPage.tone(view.phase))
    sentence = view.sentence
    override = view.override.map(FlagPage.pretty)
    let place = "\(flag.key) \(view.environment)"
    ask = view.ramp?.question.map { why in
      FlagPage.Ask(
        heading: "May \(view.ramp?.variant ?? "it") go on from \(Views.number(view.ramp?.percent ?? 0)) %?",
        why: Words.closed(why),
        commands: [
          FlagPage.Command(what: "go on", text: "plimsoll flag advance \(place) --reason TEXT"),
          FlagPage.Command(what: "go back", text: "plimsoll flag stop \(place) --reason TEXT"),
        ])
    }
    shares = view.shares.map { share in
      FlagPage.Bar(
        shareClass: share.variant == view.ramp?.variant ? "share-new" : "share-old",
        start: String(format: "%.3f", Double(share.from) / 1000),
        width: String(format: "%.3f", Double(share.to - share.from) / 1000))
    }
    hasShares = !view.shares.isEmpty && view.on
    let sizes = Dictionary(grouping: view.shares, by: \.variant).mapValues { $0.reduce(0) { $0 + $1.to - $1.from } }
    let given = sizes.sorted { $0.key < $1.key }.map { "\(Views.number(Double($0.value) / 1000)) % \($0.key)" }
    let rest = 100_000 - sizes.values.reduce(0, +)
    sharesWords = (given + (rest > 0 ? ["\(Views.number(Double(rest) / 1000)) % the default"] : [])).joined(
      separator: ", ")
    let isShown = view.ramp.map { $0.outcome == "running" || $0.outcome == "stopping" } ?? false
    stages = isShown ? (view.ramp?.stages ?? []).map(FlagPage.Stage.init) : []
    hasStages = !stages.isEmpty
    ramp = view.ramp.map { ramp in
      Link(
        address: "\(FlagPage.address(flag.key))/ramps/\(Short.part(view.environment))",
        words: ramp.outcome == "running"
          ? "What ramp \(ramp.number) sees" : "What ramp \(ramp.number) saw, and how it ended")
    }
    proof = view.proof.map { FlagPage.Proof($0, now: now) }
    commands = flag.archived == nil ? Self.commands(view, place, flag) : []
  }

  private static func commands(_ view: FlagPlaceView, _ place: String, _ flag: FlagView) -> [FlagPage.Command] {
    var found: [FlagPage.Command] = []
    func add(_ what: String, _ text: String) {
      found.append(FlagPage.Command(what: what, text: "plimsoll flag \(text) --reason TEXT"))
    }
    if !view.on {
      add("switch on", "on \(place)")
      return found
    }
    switch view.phase {
    case "placing", "watching":
      add("next stage now", "advance \(place)")
      add("stay here", "hold \(place)")
      add("take it back", "stop \(place)")
    case "asking", "sighting": add("take it back", "stop \(place)")
    case "holding":
      add("go on", "resume \(place)")
      add("take it back", "stop \(place)")
    default:
      let variant = flag.variants.first { $0 != "off" } ?? "VARIANT"
      add("give it out by shares", "ramp \(place) \(variant)")
    }
    add("switch off", "off \(place)")
    add("off at once", "kill \(flag.key) --environment \(view.environment) --follow")
    return found
  }
}

extension FlagPage.Stage {
  init(_ view: FlagStageView) {
    words = "\(Views.number(view.percent)) %"
    (standing, tone, symbol) =
      switch view.standing {
      case "passed": ("passed", "good", "✓")
      case "now": ("now", "moving", "◐")
      case "stopped": ("stopped here", "bad", "✕")
      case "next": ("not yet", "calm", "·")
      default: ("not reached", "calm", "·")
      }
  }
}

extension FlagPage.Proof {
  init(_ view: FlagProofView, now: Instant) {
    sentence = view.sentence
    let parts = [
      (view.evaluated, "seen evaluating it"), (view.refetched, "fetched it"),
      (view.delivered, "had it written to their stream"),
    ].filter { $0.0 > 0 }
    evidence = parts.isEmpty ? nil : parts.map { "\(Views.grouped($0.0)) \($0.1)" }.joined(separator: ", ")
    lacking = view.lacking.map { FlagPage.Client(client: $0.client, seen: Moment($0.seenAtMs, now: now)) }
    hasLacking = !view.lacking.isEmpty
  }
}

extension FlagPage.Happening {
  init(_ view: FlagEventView, now: Instant) {
    id = "v\(view.version)"
    sentence = view.sentence
    at = Moment(view.atMs, now: now)
    position = Link(address: LedgerPage.address(of: view.position), words: "\(view.position)")
    changes = view.changes.map {
      FlagPage.Change(
        member: $0.member, before: $0.before.map(FlagPage.pretty), after: $0.after.map(FlagPage.pretty))
    }
    hasChanges = !view.changes.isEmpty
    changesWords = "what changed: \(view.changes.map(\.member).joined(separator: ", "))"
  }
}

extension FlagPage.TrialPart {
  init(_ view: FlagView, _ trial: FlagPage.Trial?) {
    environments = view.environments.map {
      FlagsPage.Choice(
        value: $0.environment, words: $0.environment,
        isChosen: $0.environment == (trial?.environment ?? view.environments.last?.environment))
    }
    context = trial?.context ?? #"{"targetingKey": "user-1"}"#
    switch trial?.answer {
    case .success(let answer):
      result =
        answer.variant.map { "\($0), which is \(answer.value ?? "nothing")" } ?? "what the code has as its default"
      why = "\(answer.why) (\(answer.errorCode ?? answer.reason))"
      fault = nil
    case .failure(let refusal): (result, why, fault) = (nil, nil, refusal.sentence)
    case nil: (result, why, fault) = (nil, nil, nil)
    }
  }
}
