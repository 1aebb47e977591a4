import Kernel

/// Which notes are due. Notes are wanted effects like all others: they are kept in the state until the forge has them, so
/// a crash loses none; a later one for the same head takes the place of one that was not written yet.
extension MergeQueue {
  /// Notes on entries that stand still, go on, or wait for long: what a clock shows and no event says. O(horizon).
  static func notes(in state: State, at now: Instant) -> [Event] {
    guard let policy = state.policy, policy.notes, state.notes.count < noteLimit else { return [] }
    let horizon = state.entries.prefix(noteHorizon)
    // What passes by itself within the watchdog's patience is not worth a push, and another that takes it back.
    let stalls = Watchdog.stalls(in: state.sight(at: now), at: now).filter { now - $0.since >= Watchdog.patience }
    var own: [Int: Stall] = [:]
    for stall in stalls { for entry in stall.entries where own[entry] == nil { own[entry] = stall } }
    let general = stalls.first { $0.entries.isEmpty }
    var events: [Event] = []
    var reasons: WaitReasons?
    for entry in horizon where !isLanding(entry.id, in: state) {
      // Who lacks something waits for that, whatever else stands still.
      let hasAll = !state.lacks(entry)
      let stall = own[entry.id] ?? (hasAll ? general : nil)
      let standing = Note.Standing(stall: stall?.cause, doublings: doublings(of: entry.waits.whole(at: now)))
      guard standing != (entry.note?.standing ?? Note.Standing(stall: nil, doublings: nil)) else { continue }
      let known = reasons ?? WaitReasons(in: state)
      reasons = known
      let levers = Levers(parts: entry.waits.parts(at: now), slots: policy.slots)
      let text = Note.text(
        of: entry, standing: standing, stall, reason: known.reason(of: entry),
        goesOn: hasAll && !state.isPaused, levers: levers, at: now)
      events.append(
        .noted(
          Note(
            number: state.nextNote + events.count, entry: entry.id, branch: entry.facts.branch, head: entry.facts.head,
            standing: standing, text: text, at: now)))
      if events.count == min(noteBurst, noteLimit - state.notes.count) { break }
    }
    return events
  }

  /// 0 from `Levers.target` on, 1 from twice as long on, and so forth; nil below.
  private static func doublings(of wait: Span) -> Int? {
    guard wait >= Levers.target else { return nil }
    var (count, next) = (0, Levers.target * 2)
    while wait >= next { (count, next) = (count + 1, next * 2) }
    return count
  }

  static func commented(_ number: Int, in state: State, _ turn: TurnContext) -> [Event] {
    guard let note = state.notes.first(where: { $0.number == number }) else { return [] }
    return [.noteWritten(note, at: turn.now)]
  }
}

extension MergeQueue.State {
  mutating func want(_ note: MergeQueue.Note) {
    nextNote = max(nextNote, note.number + 1)
    // By place: to hand each note to a closure is to copy it, and of a batch each member's landing comes by here.
    if let old = notes.indices.first(where: { notes[$0].head == note.head }) { notes.remove(at: old) }
    notes.append(note)
    if notes.count > MergeQueue.noteLimit {
      // What became of a change is said only once; where one stands is said again.
      let dropped = notes.remove(at: notes.indices.first { notes[$0].standing != nil } ?? 0)
      settle(dropped, .abandoned(why: "later notes took its place", at: note.at))
    }
    entries.change(note.entry) { entry in
      entry.note = note
      entry.noteFate = nil
    }
  }

  mutating func settle(_ note: MergeQueue.Note, _ fate: MergeQueue.Note.Fate) {
    if let place = notes.indices.first(where: { notes[$0].number == note.number }) { notes.remove(at: place) }
    entries.change(note.entry) { if $0.note?.number == note.number { $0.noteFate = fate } }
  }

  /// What became of the note; nil while it waits to be written.
  package func fate(of note: MergeQueue.Note) -> MergeQueue.Note.Fate? {
    if notes.contains(where: { $0.number == note.number }) { return nil }
    if let entry = entries[id: note.entry], entry.note?.number == note.number, let fate = entry.noteFate { return fate }
    return .abandoned(why: "it was dropped before the forge had it", at: note.at)
  }

  /// Whoever leaves is told so, unless the queue itself goes: then nothing is wanted any more.
  mutating func wantNote(of finished: MergeQueue.FinishedEntry) {
    guard let policy, policy.notes else { return }
    if case .retired = phase { return }
    want(
      MergeQueue.Note(
        number: nextNote, entry: finished.facts.id, branch: finished.facts.branch, head: finished.facts.head,
        standing: nil, text: MergeQueue.Note.text(of: finished), at: finished.at))
  }
}
