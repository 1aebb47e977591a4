import Kernel

/// Which units have failed lately, so that one that goes on failing is not taken for many.
///
/// A unit's failure counts when none of it counted within a quiet time, which is a minute at first and doubles each
/// time up to `longest`: a burst is one failure, a client that is broken for half an hour is five. Counted once a
/// stage, the cohorts' shares would hold exactly, but in a stage of days nearly everybody has failed once and nothing
/// new would be seen. Bounded: `capacity` units twice; beyond that the older half is forgotten.
package struct UnitMemory: Sendable {
  private struct Entry {
    var counted: Instant
    var quiet: Span
  }
  private var newer: [UInt64: Entry] = [:]
  private var older: [UInt64: Entry] = [:]
  private var turnedAt: Instant?
  /// How often units were forgotten for want of room.
  package private(set) var overflows = 0

  package static let shortest = Span.minutes(1)
  package static let longest = Span.minutes(16)
  /// Half a megabyte each.
  package static let capacity = 16_384

  package init() {}

  /// Whether this failure counts.
  ///
  /// - Parameters:
  ///   - unit: a hash of its key; units that share one are taken for one.
  ///   - at: when it failed. A clock set back counts as no time passed.
  package mutating func counts(_ unit: UInt64, at: Instant) -> Bool {
    turn(at)
    let known = newer[unit] ?? older[unit]
    guard let known else {
      keep(unit, Entry(counted: at, quiet: UnitMemory.shortest))
      return true
    }
    guard at - known.counted >= known.quiet else { return false }
    // One that was well for its longest quiet time beyond the end of its own begins anew.
    let isWell = at - known.counted >= known.quiet + UnitMemory.longest
    keep(unit, Entry(counted: at, quiet: isWell ? UnitMemory.shortest : min(known.quiet * 2, UnitMemory.longest)))
    return true
  }

  private mutating func keep(_ unit: UInt64, _ entry: Entry) {
    if newer.count >= UnitMemory.capacity, newer[unit] == nil {
      overflows += 1
      older = newer
      newer = [:]
    }
    newer[unit] = entry
  }

  /// What was counted longest ago is dropped when nothing in it is quiet any more.
  private mutating func turn(_ now: Instant) {
    guard let turnedAt else {
      self.turnedAt = now
      return
    }
    guard now - turnedAt >= UnitMemory.longest * 2 else { return }
    older = newer
    newer = [:]
    self.turnedAt = now
  }
}
