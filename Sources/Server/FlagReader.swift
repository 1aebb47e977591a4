import API
import ControlPlane
import Flags
import Foundation
import Kernel
import Ramps

/// Reads flags: lists, one with all that is known, its history, who has heard, and what a context would get.
struct FlagReader: Sendable {
  let lookup: Lookup
  let now: @Sendable () -> Kernel.Instant

  private var backend: any Backend { lookup.backend }

  /// Rows of a page.
  static let usualList = 50
  static let longestList = 500
  static let historyList = 50
  /// Expiry within so long counts as soon.
  static let soon = Span.minutes(14 * 24 * 60)
  static let expiries = ["expired", "later", "soon"]

  /// What a list is narrowed to; nil says nothing.
  struct Filter: Equatable, Sendable {
    var owner: String?
    var type: String?
    var environment: String?
    var phase: String?
    var expiry: String?
    var search: String?
    var archived = false
  }

  // MARK: Lists

  func list(_ filter: Filter, after: String?, limit: Int) async throws -> FlagsView {
    try await check(filter)
    let environments = await lookup.flagEnvironments()
    let place = filter.environment.flatMap(EnvironmentName.init(rawValue:))
    let now = now()
    let words = filter.search?.lowercased()
    let matching = await lookup.flags().filter { key, state in
      guard let definition = state.definition, (state.archived != nil) == filter.archived else { return false }
      if let owner = filter.owner, definition.owner != owner { return false }
      if let type = filter.type, definition.kind.rawValue != type { return false }
      if let words, !Self.has(words, key, definition) { return false }
      if let expiry = filter.expiry, Self.expiry(definition, now) != expiry { return false }
      guard place != nil || filter.phase != nil else { return true }
      let placements = state.placements.filter { place == nil || $0.environment == place }
      guard let phase = filter.phase else { return placements.contains(where: \.isOn) }
      // Where it was never placed, it is off.
      if placements.isEmpty { return phase == "off" }
      return placements.contains { Views.phase($0) == phase }
    }
    let rest = after.map { after in matching.drop { $0.key.rawValue <= after } } ?? matching[...]
    let page = rest.prefix(limit)
    return FlagsView(
      flags: page.compactMap { Views.row($0.key, $0.state, environments, now: now) }, total: matching.count,
      next: page.count < rest.count ? page.last?.key.rawValue : nil)
  }

  private static func has(_ words: String, _ key: FlagKey, _ definition: FlagDefinition) -> Bool {
    key.rawValue.lowercased().contains(words) || definition.owner.lowercased().contains(words)
  }

  private static func expiry(_ definition: FlagDefinition, _ now: Kernel.Instant) -> String {
    definition.expiry <= now ? "expired" : definition.expiry <= now + soon ? "soon" : "later"
  }

  static let phases = [
    "asking", "holding", "killed", "off", "on", "placing", "rolledOut", "sighting", "stopped", "stopping", "watching",
  ]

  private func check(_ filter: Filter) async throws {
    if let environment = filter.environment { _ = try await lookup.flagEnvironment(environment) }
    let words: [(String, String?, [String])] = [
      ("type", filter.type, FlagDefinition.Kind.allCases.map(\.rawValue)), ("phase", filter.phase, Self.phases),
      ("expiry", filter.expiry, Self.expiries),
    ]
    for (name, text, known) in words {
      if let text, !known.contains(text) { throw Lookup.unknown(name, text, among: known) }
    }
  }

  // MARK: Folders

  /// Folders in git that define flags, sorted.
  func folders() async -> FlagFoldersView {
    let flags = await lookup.flags().filter { !$0.state.unmet.isEmpty }
    return FlagFoldersView(
      folders: await lookup.flagFolders().sorted { $0.key < $1.key }
        .map { Views.folder($0.key, $0.value, among: flags) })
  }

  // MARK: One flag

  func flag(_ text: String) async throws -> FlagView {
    let (key, state) = try await lookup.flag(text)
    let view = Views.flag(key, state, await lookup.environments(of: state), now: now())
    guard var view else { throw Refusal(.unknown, "Flag \(key) has no definition: create it.") }
    for index in view.environments.indices {
      let place = view.environments[index]
      if place.proof != nil { view.environments[index].proof = try? await clients(text, place.environment) }
      if place.ramp?.outcome == "running", let name = EnvironmentName(rawValue: place.environment) {
        let remarks = await backend.remarks(of: key, in: name)
        view.environments[index].ramp?.remarks = remarks.isEmpty ? nil : remarks
      }
    }
    return view
  }

  /// Who has what is in force there.
  func clients(_ text: String, _ environment: String) async throws -> FlagProofView {
    let (key, state) = try await lookup.flag(text)
    let name = try await lookup.flagEnvironment(environment, of: state)
    let placement = state.placement(in: name) ?? .init(environment: name, isOn: false)
    let told = try await told(key, name, epoch: placement.epoch)
    let live = try await backend.clients(of: key, in: name, epoch: placement.epoch)
    let proof = placement.proof
    let isWithdrawn = proof != nil || !placement.isOn || told?.isWithdrawal == true
    // The time of the last word is that of the noted standing; of a live one that still lacks somebody, now.
    let standing = live ?? proof?.standing ?? told?.standing
    let at = live.map { $0.isComplete ? told?.at : now() } ?? told?.at
    return Views.standing(
      standing, in: name, epoch: placement.epoch, variant: proof?.variant,
      since: proof?.since ?? told?.since, at: at, shownAt: proof?.shownAt, isProved: told?.isProved ?? false,
      withdrawn: isWithdrawn)
  }

  private struct Told {
    var since: Kernel.Instant?
    var at: Kernel.Instant?
    var standing: FlagStanding?
    var isProved = false
    var isWithdrawal = false
  }

  /// What the ledger says of an epoch's way to the clients, from the newest events.
  private func told(_ key: FlagKey, _ environment: EnvironmentName, epoch: Int) async throws -> Told? {
    let head = try await backend.head(of: .flag(key))
    let events = try await backend.events(
      of: .flag(key), after: max(0, head - Self.toldReach), limit: Int(Self.toldReach))
    var told = Told()
    for event in events {
      guard case .flag(let happened) = event.event else { continue }
      switch happened {
      case .killed(environment, _, epoch: epoch, announceTargets: _):
        told = Told(since: event.at, isWithdrawal: true)
      case .placed(environment, isOn: let isOn, override: _, epoch: epoch, by: _):
        told = Told(since: event.at, isWithdrawal: !isOn)
      case .stageBegan(environment, let begin) where begin.epoch == epoch: told = Told(since: event.at)
      case .rampStopped(environment, let stop) where stop.epoch == epoch:
        told = Told(since: event.at, isWithdrawal: true)
      case .settled(environment, epoch: epoch, let settling):
        (told.at, told.standing) = (settling.at, settling.standing)
      case .proofNoted(environment, epoch: epoch, let standing, shownAt: _, let at):
        (told.at, told.standing) = (at, standing)
      case .proved(environment, epoch: epoch, let standing, let at):
        // Everybody had heard when it was noted so first; the quiet after it is no part of the way.
        if told.standing?.isComplete != true { told.at = at }
        (told.standing, told.isProved) = (standing, true)
      default: continue
      }
    }
    return told.since == nil && told.standing == nil ? nil : told
  }

  /// Newest events of a flag that are looked at for who has heard.
  private static let toldReach: Version = 100

  // MARK: Its past

  /// - Parameter before: a version of its stream; newer ones and it are left out.
  func history(_ text: String, before: Version, limit: Int) async throws -> FlagHistoryView {
    let (key, state) = try await lookup.flag(text)
    let head = try await backend.head(of: .flag(key))
    let upper = min(before, head + 1)
    let after = max(0, upper - 1 - Version(limit))
    let events = try await backend.events(of: .flag(key), after: after, limit: Int(upper - 1 - after))
    return FlagHistoryView(
      events: events.reversed().map { Self.view($0, state) }, next: after > 0 ? after + 1 : nil)
  }

  private static func view(_ event: RecordedEvent<StreamEvent>, _ state: FeatureFlag.State) -> FlagEventView {
    var told: (by: FeatureFlag.Signed?, environment: EnvironmentName?) = (nil, nil)
    var changes: [FlagChangeView] = []
    if case .flag(let happened) = event.event {
      told = happened.told
      if case .revised(let revision, claims: _, releases: _) = happened,
        let before = state.revisions.first(where: { $0.number == revision.number - 1 })
      {
        changes = Views.changes(from: before.definition, to: revision.definition)
      }
    }
    return FlagEventView(
      position: event.position, version: event.version, atMs: event.at.milliseconds, type: event.event.type,
      actor: told.by?.actor ?? event.actor, reason: told.by?.reason, environment: told.environment?.rawValue,
      sentence: Sentences.sentence(for: event.event, of: event.stream), changes: changes)
  }

  // MARK: What a context would get

  /// - Parameter context: JSON text of an object; nil for one without attributes.
  func evaluate(_ text: String, _ environment: String, context: String?) async throws -> FlagEvaluationView {
    let (key, state) = try await lookup.flag(text)
    let name = try await lookup.flagEnvironment(environment, of: state)
    var others: [FlagKey: FeatureFlag.State] = [:]
    if state.definition?.prerequisites.isEmpty == false {
      for flag in await lookup.flags() { others[flag.key] = flag.state }
    }
    others[key] = state
    let served = ([key] + FlagDraft.closure(of: state.definition?.prerequisites ?? [], without: key, others))
      .compactMap { key in others[key]?.served(in: name).map { "\(FlagDraft.quoted(key.rawValue)):\($0)" } }
    let document = FlagDraft.document(of: served, segments: await lookup.segments())
    let flags = try FlagDraft.reading { () throws(FlagRefusal) in try FlagSet(json: document) }
    let subject = try FlagDraft.reading { () throws(FlagRefusal) in
      try EvaluationContext(json: context ?? "{}")
    }
    let evaluation = flags.evaluate(key.rawValue, for: subject, at: now().milliseconds / 1000)
    return FlagEvaluationView(
      environment: name.rawValue, variant: flags.variant(of: evaluation),
      value: flags.flagValue(of: evaluation)?.json, reason: evaluation.reason.text,
      errorCode: evaluation.error?.text,
      why: Self.why(evaluation, flags.variant(of: evaluation), in: name, flags.details(of: evaluation)))
  }

  private static func why(
    _ evaluation: Evaluation, _ variant: String?, in environment: EnvironmentName, _ details: String?
  ) -> String {
    let got = variant ?? "what the code has as its default"
    let words =
      switch evaluation.reason {
      case .static: "It is on in \(environment) without rules, so everybody gets \(got)."
      case .default: "No rule chose, so it is \(got)."
      case .targetingMatch: "Its targeting chose \(got)."
      case .split: "Its targeting chose nothing, and the subject's bucket lies in the share of \(got)."
      case .disabled: "It is off in \(environment), so the code gets its own default."
      case .error: "It cannot be evaluated, so the code gets its own default."
      }
    return words + (details.map { " \(Words.sentence($0))" } ?? "")
  }
}

extension FeatureFlag.Event {
  /// Who asked for it and where, as far as it says.
  var told: (by: FeatureFlag.Signed?, environment: EnvironmentName?) {
    switch self {
    case .created(_, let revision, salt: _, environments: _, declared: _),
      .revised(let revision, claims: _, releases: _):
      (revision.by, nil)
    case .placed(let environment, isOn: _, override: _, epoch: _, let by): (by, environment)
    case .scheduled(let change): (change.by, change.change.environment)
    case .unscheduled(number: _, let by), .archived(let by, releases: _): (by, nil)
    case .rampStarted(let plan, number: _, let by): (by, plan.environment)
    case .stageBegan(let environment, let begin): (begin.by, environment)
    case .resumed(let environment, ramp: _, let by, at: _), .rolledOut(let environment, ramp: _, why: _, let by, at: _):
      (by, environment)
    case .killed(let environment, let kill, epoch: _, announceTargets: _): (kill.by, environment)
    case .sighted(let environment, ramp: _, _), .settled(let environment, epoch: _, _),
      .evidenceNoted(let environment, epoch: _, _), .asked(let environment, ramp: _, _),
      .held(let environment, ramp: _, _), .rampStopped(let environment, _),
      .proofNoted(let environment, epoch: _, _, shownAt: _, at: _), .proved(let environment, epoch: _, _, at: _):
      (nil, environment)
    case .declared, .fellDue, .dueRefused, .claimed, .unclaimed, .announced, .announcementAbandoned, .troubled,
      .declarationRefused, .declarationMet, .declarationDropped:
      (nil, nil)
    }
  }
}

extension Reader {
  var flags: FlagReader { FlagReader(lookup: lookup, now: now) }
}
