import ControlPlane
import Kernel
import Ramps

/// What the ledger has of one ramp: its share over time, what was noted on the way, who was told of its end.
struct RampPast: Sendable {
  struct Step: Sendable {
    let at: Instant
    let percent: Double
  }
  struct Note: Sendable {
    let at: Instant
    let sentence: String
  }

  let started: Instant?
  /// Oldest first; a share of zero ends it.
  let steps: [Step]
  /// Oldest first, at most `noteLimit`: the newest of them.
  let notes: [Note]
  /// A sentence each.
  let announcements: [Note]

  /// Newest events of the flag that are looked at: a watch of a day notes one in thirty seconds.
  static let reach: Version = 3_000
  static let noteLimit = 60
}

extension FlagReader {
  /// - Parameter ramp: its number.
  func past(_ text: String, _ environment: String, ramp: Int) async throws -> RampPast {
    let (key, _) = try await lookup.flag(text)
    let backend = lookup.backend
    let head = try await backend.head(of: .flag(key))
    let events = try await backend.events(
      of: .flag(key), after: max(0, head - RampPast.reach), limit: Int(RampPast.reach))
    var started: Instant?
    var steps: [RampPast.Step] = []
    var notes: [RampPast.Note] = []
    var announcements: [RampPast.Note] = []
    let told = "flag/\(key)/\(environment)/ramp-\(ramp)"
    var isOurs = false
    var lastNote: String?
    for event in events {
      guard case .flag(let happened) = event.event else { continue }
      let sentence = Sentences.sentence(for: event.event, of: event.stream)
      switch happened {
      case .announced(told, target: _), .announcementAbandoned(told, target: _, why: _):
        announcements.append(RampPast.Note(at: event.at, sentence: sentence))
        continue
      case .rampStarted(let plan, let number, by: _) where plan.environment.rawValue == environment:
        isOurs = number == ramp
        if isOurs { (started, steps) = (event.at, [RampPast.Step(at: event.at, percent: 0)]) }
      case .stageBegan(_, let begin) where isOurs && happened.told.environment?.rawValue == environment:
        steps.append(RampPast.Step(at: begin.at, percent: begin.percent))
      case .rampStopped(_, let stop) where isOurs && happened.told.environment?.rawValue == environment:
        steps.append(RampPast.Step(at: stop.at, percent: 0))
      default: break
      }
      guard isOurs, happened.told.environment?.rawValue == environment else { continue }
      // What a note repeats says nothing new.
      if case .evidenceNoted(_, epoch: _, let note) = happened {
        let kind = Views.verdict(note).kind
        if kind == lastNote { continue }
        lastNote = kind
      }
      notes.append(RampPast.Note(at: event.at, sentence: sentence))
    }
    return RampPast(
      started: started, steps: steps, notes: Array(notes.suffix(RampPast.noteLimit)), announcements: announcements)
  }
}
