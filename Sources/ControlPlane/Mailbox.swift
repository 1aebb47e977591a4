import Kernel

/// One input on its way to its stream.
package struct Letter: Sendable {
  package let stream: StreamID
  package let input: StreamInput
  package let cause: Cause
  package let actor: String
  package let lane: Lane
  /// Set when someone waits for the outcome.
  package let reply: ReplyID?
  package init(
    to stream: StreamID, _ input: StreamInput, cause: Cause, actor: String = "plimsoll", lane: Lane = .progress,
    reply: ReplyID? = nil
  ) {
    self.stream = stream
    self.input = input
    self.cause = cause
    self.actor = actor
    self.lane = lane
    self.reply = reply
  }
}

package struct ReplyID: Hashable, Sendable {
  package let number: UInt64
  package init(_ number: UInt64) { self.number = number }
}

/// What the mailbox carries.
package enum Parcel: Sendable {
  case letter(Letter)
  /// An effect's task ended. Travels behind the observations that the effect posted before it ended, in their lane.
  case ended(stream: StreamID, key: EffectKey, fence: Fence, lane: Lane, failure: Outage?)

  var lane: Lane {
    switch self {
    case .letter(let letter): letter.lane
    case .ended(_, _, _, let lane, _): lane
    }
  }
}

/// Two lanes, *protect* before *progress*, first in first out within a lane.
package struct Mailbox: Sendable {
  private var protect = Lot()
  private var progress = Lot()

  package init() {}

  package var isEmpty: Bool { protect.isEmpty && progress.isEmpty }
  package var count: Int { protect.count + progress.count }

  package mutating func post(_ parcel: Parcel) {
    switch parcel.lane {
    case .protect: protect.append(parcel)
    case .progress: progress.append(parcel)
    }
  }

  /// The next parcel; `progressFirst` is how a batch keeps a share for the slower lane.
  package mutating func take(progressFirst: Bool = false) -> Parcel? {
    progressFirst ? progress.take() ?? protect.take() : protect.take() ?? progress.take()
  }

  /// Puts parcels back before all others of their lanes, in their order.
  package mutating func putBack(_ parcels: [Parcel]) {
    protect.putBack(parcels.filter { $0.lane == .protect })
    progress.putBack(parcels.filter { $0.lane == .progress })
  }

  /// A queue on an array with a moving head: O(1) amortised.
  private struct Lot: Sendable {
    private var parcels: [Parcel] = []
    private var head = 0
    var isEmpty: Bool { head == parcels.count }
    var count: Int { parcels.count - head }
    mutating func append(_ parcel: Parcel) { parcels.append(parcel) }
    mutating func putBack(_ earlier: [Parcel]) { parcels.insert(contentsOf: earlier, at: head) }
    mutating func take() -> Parcel? {
      guard head < parcels.count else { return nil }
      defer {
        head += 1
        if head == parcels.count {
          parcels.removeAll(keepingCapacity: true)
          head = 0
        } else if head > 1024, head * 2 > parcels.count {
          parcels.removeFirst(head)
          head = 0
        }
      }
      return parcels[head]
    }
  }
}
