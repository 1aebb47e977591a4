import API
import Foundation
import Kernel

/// An address with its words.
struct Link: Sendable {
  let address: String
  let words: String
  let isHere: Bool
  init(address: String, words: String, isHere: Bool = false) {
    self.address = address
    self.words = words
    self.isHere = isHere
  }
}

/// A time as it is shown: how long ago, and exactly when on asking.
struct Moment: Sendable {
  let iso: String
  let absolute: String
  let relative: String
  init(_ milliseconds: Int64, now: Instant) {
    let instant = Instant(milliseconds: milliseconds)
    iso = Words.timestamp(instant)
    absolute = Words.absolute(instant)
    relative = Words.relative(instant, to: now)
  }
}

/// What a state is called and how it looks; the word carries the meaning, the tone only supports it.
struct Badge: Sendable {
  let words: String
  /// A class of style.css: `calm`, `moving`, `good`, `bad`, `waiting`.
  let tone: String
}

/// Identifiers cut for people.
enum Short {
  static func digest(_ text: String) -> String {
    String((text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]).prefix(12))
  }
  static func commit(_ text: String) -> String { String(text.prefix(10)) }

  /// What a rollout of this kind is called.
  static func noun(_ kind: String) -> String {
    switch kind {
    case "rollback": "Rollback"
    case "drill": "Drill"
    default: "Rollout"
    }
  }

  /// A part of a path, safe in an address.
  static func part(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~:"))) ?? ""
  }
}

/// The way of one promotion through its environments.
struct StageRow: Sendable {
  let stageName: String
  let address: String
  /// `passed`, `soaking`, `serving`, `rolling out`, `asked`, `not yet`.
  let standing: String
  let tone: String
  let symbol: String
  let moments: [StageMoment]
  let checks: [CheckRow]
  let hasChecks: Bool

  struct StageMoment: Sendable {
    let what: String
    let at: Moment
  }
  struct CheckRow: Sendable {
    let checkName: String
    let standing: String
    let tone: String
    let reason: String
    let log: String
  }

  init(_ stage: StageView, service: String, isHalted: Bool, isNext: Bool, now: Instant) {
    stageName = stage.environment
    address = "/services/\(Short.part(service))/\(Short.part(stage.environment))"
    let hasFailed = stage.checks.contains { !$0.passed }
    if stage.passedAtMs != nil {
      (standing, tone, symbol) = ("passed", "good", "✓")
    } else if hasFailed || (isHalted && isNext) {
      (standing, tone, symbol) = ("halted", "bad", "✕")
    } else if stage.servedAtMs != nil {
      (standing, tone, symbol) = ("serving, being checked", "moving", "●")
    } else if stage.takenAtMs != nil {
      (standing, tone, symbol) = ("rolling out", "moving", "◐")
    } else if stage.requestedAtMs != nil {
      (standing, tone, symbol) = ("asked", "waiting", "○")
    } else {
      (standing, tone, symbol) = ("not yet", "calm", "·")
    }
    let times: [(String, Int64?)] = [
      ("asked", stage.requestedAtMs), ("taken", stage.takenAtMs), ("served", stage.servedAtMs),
      ("passed", stage.passedAtMs),
    ]
    moments = times.compactMap { what, at in at.map { StageMoment(what: what, at: Moment($0, now: now)) } }
    hasChecks = !stage.checks.isEmpty
    checks = stage.checks.map { check in
      CheckRow(
        checkName: check.name, standing: check.passed ? "passed" : "failed", tone: check.passed ? "good" : "bad",
        reason: check.reason, log: "/logs/\(check.log)")
    }
  }

  static func rows(_ promotion: PromotionView, now: Instant) -> [StageRow] {
    let next = promotion.stages.firstIndex { $0.passedAtMs == nil }
    return promotion.stages.enumerated().map { index, stage in
      StageRow(
        stage, service: promotion.service, isHalted: promotion.phase == "halted", isNext: index == next, now: now)
    }
  }
}

/// One promotion as a block.
struct PromotionBlock: Sendable {
  let service: String
  let commit: String
  let subject: String
  let author: String
  let landed: Moment
  let badge: Badge
  let sentence: String
  let artifact: Link?
  let buildLog: String?
  let stages: [StageRow]

  init(_ view: PromotionView, now: Instant) {
    service = view.service
    commit = Short.commit(view.commit)
    subject = view.title
    author = view.author
    landed = Moment(view.landedAtMs, now: now)
    badge =
      switch view.phase {
      case "completed": Badge(words: "everywhere", tone: "good")
      case "halted", "unbuilt": Badge(words: view.phase, tone: "bad")
      default: Badge(words: view.phase, tone: "moving")
      }
    sentence = view.sentence
    artifact = view.digest.map { Link(address: "/artifacts/\($0)", words: Short.digest($0)) }
    buildLog = view.buildLog.map { "/logs/\($0)" }
    stages = StageRow.rows(view, now: now)
  }
}
