import Kernel

/// What would have made a long wait shorter: more CI at once, or faster CI.
///
/// The model. Time waiting for a slot is the work ahead divided by the slots, so it falls with the number of slots and
/// with the time of a run alike; time in CI, in a search, in another run, and behind those who are in CI falls only with
/// the time of a run. Approvals, holds, outages and pushes past the queue fall with neither. Nobody is assumed to submit
/// less, or more, because the queue is faster.
package struct Levers: Codable, Equatable, Sendable {
  package let whole: Span
  package let slots: Int
  /// Twice as many slots, at most `MergeQueue.slotLimit`.
  package let moreSlots: Int
  package let savedByMoreSlots: Span
  /// By CI that takes half the time.
  package let savedByFasterCI: Span
  /// The fewest slots that bring the wait under `target`; nil when slots alone do not.
  package let slotsForTarget: Int?
  package let lever: Lever
  /// Two sentences for a person: where the time went, and what would help by how much.
  package let sentence: String

  package enum Lever: String, Codable, CaseIterable, Sendable {
    case parallelism
    case ciSpeed
    /// Neither helps much: people or the world held it up.
    case neither
  }

  /// From this wait on the page says what would help (article: "If this exceeds 30 minutes consistently").
  package static let target = Span.minutes(30)
  /// A lever is named when it saves at least this share of the wait.
  static let worthwhile = 0.2

  /// - Parameters:
  ///   - parts: of one entry's wait, or sums over many.
  ///   - slots: CI runs at once, as configured.
  package init(parts: [WaitPart], slots: Int) {
    let slots = max(slots, 1)
    let whole = parts.whole
    let more = min(slots * 2, max(MergeQueue.slotLimit, slots))
    let forSlot = parts[.waitingForSlot]
    let onCI = Self.fallingWithCI.reduce(Span.zero) { $0 + parts[$1] }
    func afterSlots(_ count: Int) -> Span { Span(milliseconds: forSlot.milliseconds * Int64(slots) / Int64(count)) }
    let bySlots = Span(milliseconds: forSlot.milliseconds - afterSlots(more).milliseconds)
    let byCI = Span(milliseconds: (forSlot + onCI).milliseconds / 2)
    let least = Span(milliseconds: whole.milliseconds - forSlot.milliseconds)
    let enough = (slots...max(MergeQueue.slotLimit, slots)).first { least + afterSlots($0) < Self.target }

    self.whole = whole
    self.slots = slots
    moreSlots = more
    savedByMoreSlots = bySlots
    savedByFasterCI = byCI
    slotsForTarget = enough
    lever =
      if Self.share(byCI, of: whole) < Self.worthwhile {
        .neither
      } else if forSlot > onCI, more > slots {
        .parallelism
      } else {
        .ciSpeed
      }
    sentence = Self.sentence(parts, bySlots, byCI, slots, more, lever, enough)
  }

  /// What is shorter when runs are.
  private static let fallingWithCI: [WaitCause] = [
    .merging, .runningCI, .behindPredecessor, .bisecting, .retrying, .landing,
  ]

  private static func share(_ part: Span, of whole: Span) -> Double {
    whole > .zero ? part.seconds / whole.seconds : 0
  }

  private static func sentence(
    _ parts: [WaitPart], _ bySlots: Span, _ byCI: Span, _ slots: Int, _ more: Int, _ lever: Lever, _ enough: Int?
  ) -> String {
    guard let largest = parts.largest else { return "Nothing has been waited for." }
    let spent = "Of \(parts.whole.plainly), \(largest.span.plainly) were spent \(largest.cause.words)"
    let faster = "CI twice as fast: about \(byCI.plainly) less"
    let wider = "\(more) slots instead of \(slots): about \(bySlots.plainly) less"
    switch lever {
    case .parallelism:
      let target = enough.flatMap { $0 > more ? " (\($0) would bring it under \(Self.target.plainly))" : nil } ?? ""
      return "\(spent). More slots would help most: \(wider)\(target); \(faster)."
    case .ciSpeed:
      let slotWords = bySlots > .zero ? wider : "more slots: nothing"
      return "\(spent). Faster CI would help most: \(faster); \(slotWords)."
    case .neither:
      return "\(spent). Neither faster CI nor more slots would help much: \(faster)."
    }
  }
}
