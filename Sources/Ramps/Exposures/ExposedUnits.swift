/// One unit as its exposures left it.
struct ExposedUnit: Sendable {
  let key: UInt64
  var cohort: Cohort
  /// The cohort until `since`.
  var before: Cohort
  /// Milliseconds since 1970.
  var since: Int64
  /// Of the newest exposure, in milliseconds since 1970.
  var seen: Int64
  var epoch: Int
  /// Whether its variant is known to be of `epoch`'s allocation, and of no earlier one.
  var isFirm = false
  /// Shown both variants in one epoch: what it does is nobody's evidence.
  var isInBoth = false
  /// Seen again since the hand came by.
  var isTouched = false
  /// The epoch in which it was last counted as a trial of conversions, and the second and cohort of that.
  var windowEpoch = Int.min
  var windowSecond = Int64.min
  var windowCohort = Cohort.control
  /// A bit for each guardrail whose conversion came in its window.
  var converted: UInt8 = 0
}

/// The units of a ramp, at most `capacity`. When it is full the one that was not seen for longest goes, nearly: a hand
/// goes round and takes the first that was not seen since it came by (the clock of Corbató, 1968).
struct ExposedUnits: Sendable {
  private var slots: [ExposedUnit] = []
  private var places: [UInt64: Int32] = [:]
  private var hand = 0
  let capacity: Int

  /// - Parameter capacity: at least 1.
  init(capacity: Int) { self.capacity = max(capacity, 1) }

  var count: Int { slots.count }

  func place(of key: UInt64) -> Int? { places[key].map { Int($0) } }

  subscript(place: Int) -> ExposedUnit {
    get { slots[place] }
    set { slots[place] = newValue }
  }

  /// Adds a unit that is not there. Returns where it is, and who had to go for it. Amortised constant time.
  mutating func add(_ unit: ExposedUnit) -> (place: Int, evicted: ExposedUnit?) {
    guard slots.count >= capacity else {
      slots.append(unit)
      places[unit.key] = Int32(slots.count - 1)
      return (slots.count - 1, nil)
    }
    while slots[hand].isTouched {
      slots[hand].isTouched = false
      hand = (hand + 1) % capacity
    }
    let evicted = slots[hand]
    places[evicted.key] = nil
    slots[hand] = unit
    places[unit.key] = Int32(hand)
    defer { hand = (hand + 1) % capacity }
    return (hand, evicted)
  }

  /// No window is open any more, for anybody.
  mutating func forgetWindows() {
    for place in slots.indices { slots[place].windowSecond = .min }
  }

  /// Nobody was seen later than now. Milliseconds since 1970.
  mutating func setBack(to now: Int64) {
    for place in slots.indices {
      slots[place].since = min(slots[place].since, now)
      slots[place].seen = min(slots[place].seen, now)
    }
  }
}

/// The traces in which somebody was exposed lately, oldest dropped first.
struct RecentTraces: Sendable {
  struct Trace: Sendable {
    let unit: UInt64?
    let cohort: Cohort
  }
  private var known: [UInt64: Trace] = [:]
  private var order: [UInt64] = []
  private var oldest = 0

  /// Six seconds of 10,000 requests/s: a trace's spans come within the time that a second waits. Three megabytes.
  static let capacity = 65_536

  subscript(trace: UInt64) -> Trace? { known[trace] }

  mutating func add(_ key: UInt64, _ trace: Trace) {
    guard known.updateValue(trace, forKey: key) == nil else { return }
    guard order.count >= RecentTraces.capacity else {
      order.append(key)
      return
    }
    known[order[oldest]] = nil
    order[oldest] = key
    oldest = (oldest + 1) % RecentTraces.capacity
  }
}
