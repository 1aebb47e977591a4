import Kernel
import Ramps

/// What the path of an evaluation leaves behind: who was shown a running ramp's variants, waiting to be taken, and when
/// each flag's variants were shown last.
struct EvidenceDoorway {
  struct Waiting: Sendable {
    let ramp: Int
    let cohort: Cohort
    let unit: UInt64?
    let version: Int
    /// Seconds since 1970.
    let at: Double
  }
  /// What is known of when something was shown last.
  enum LastShown: Equatable, Sendable {
    /// Seconds since 1970.
    case at(Double)
    case never
    /// There was no room to note it, so nobody knows.
    case untold
  }
  private struct Shown {
    let variant: String
    /// By the ramp or by default, and by targeting; seconds since 1970.
    var last = EvidenceDoorway.never
    var lastByTargeting = EvidenceDoorway.never
    /// Until then it may have been shown without being noted; seconds since 1970.
    let missedAt: Double
  }
  private struct FlagDoor {
    var ramp: (id: Int, variant: String)?
    var shown: [Shown] = []
    /// When there was last no room for a variant, or for the flag itself; seconds since 1970.
    var missedAt: Double
  }

  /// Places in `doors`, by environment and flag. Doors are changed in their place: a copy of a dictionary for each
  /// evaluation would cost more than the evaluation.
  private var places: [String: [String: Int]] = [:]
  private var doors: [FlagDoor] = []
  /// When there was last no room for a flag, by environment; seconds since 1970.
  private var missedAt: [String: Double] = [:]
  private(set) var waiting: [Waiting] = []
  private(set) var dropped = 0
  /// How often there was no room for a flag or a variant.
  private(set) var crowded = 0
  private let limit: Int

  /// Of an environment; a definition file of 10,000 is the largest that is promised.
  static let mostFlags = 20_000
  /// Flags that sources alone may fill: the other half is left to what this server evaluates, whose names are real.
  static let mostToldFlags = 10_000
  /// Of a flag; those beyond are not told apart.
  static let mostVariants = 64
  /// Of `mostVariants`, as of flags.
  static let mostToldVariants = 32
  private static let never = -Double.infinity

  /// - Parameter limit: of exposures that wait.
  init(limit: Int) { self.limit = limit }

  mutating func watch(_ flag: String, in environment: String, ramp: Int, variant: String) {
    let place = place(environment, flag) ?? add(environment, flag)
    doors[place].ramp = (ramp, variant)
    // What will have to be proved gone has its place before others take it.
    _ = shown(variant, at: place, isTold: false)
  }

  mutating func unwatch(_ flag: String, in environment: String, ramp: Int) {
    guard let place = place(environment, flag), doors[place].ramp?.id == ramp else { return }
    doors[place].ramp = nil
  }

  private func place(_ environment: String, _ flag: String) -> Int? { places[environment]?[flag] }

  private mutating func add(_ environment: String, _ flag: String) -> Int {
    doors.append(FlagDoor(missedAt: missedAt[environment] ?? EvidenceDoorway.never))
    places[environment, default: [:]][flag] = doors.count - 1
    return doors.count - 1
  }

  /// - Parameter isTold: by others, who may name what there is not.
  mutating func exposed(
    _ environment: String, _ flag: String, _ variant: String, isByTargeting: Bool, isTold: Bool, version: Int,
    unit: String?, _ seconds: Double
  ) {
    let noted = note(environment, flag, variant, isByTargeting: isByTargeting, isTold: isTold, seconds)
    guard let place = noted, !isByTargeting, let ramp = doors[place].ramp else { return }
    guard waiting.count < limit else {
      dropped += 1
      return
    }
    waiting.append(
      Waiting(
        ramp: ramp.id, cohort: ramp.variant == variant ? .treatment : .control,
        unit: unit.flatMap { EvidenceKey.hash($0) }, version: version, at: seconds))
  }

  /// What is told late moves no time back.
  ///
  /// - Parameter isTold: by others, who may name what there is not.
  /// - Returns: where the flag is; nil when there is no room for it.
  @discardableResult
  mutating func note(
    _ environment: String, _ flag: String, _ variant: String, isByTargeting: Bool, isTold: Bool, _ seconds: Double
  ) -> Int? {
    var found = place(environment, flag)
    let most = isTold ? EvidenceDoorway.mostToldFlags : EvidenceDoorway.mostFlags
    if found == nil, (places[environment]?.count ?? 0) < most { found = add(environment, flag) }
    guard let place = found else {
      crowded += 1
      missedAt[environment] = max(missedAt[environment] ?? EvidenceDoorway.never, seconds)
      return nil
    }
    guard let index = shown(variant, at: place, isTold: isTold) else {
      crowded += 1
      doors[place].missedAt = max(doors[place].missedAt, seconds)
      return place
    }
    if isByTargeting {
      doors[place].shown[index].lastByTargeting = max(doors[place].shown[index].lastByTargeting, seconds)
    } else {
      doors[place].shown[index].last = max(doors[place].shown[index].last, seconds)
    }
    return place
  }

  /// Where the variant is; nil when there is no room for it.
  private mutating func shown(_ variant: String, at place: Int, isTold: Bool) -> Int? {
    if let known = doors[place].shown.firstIndex(where: { $0.variant == variant }) { return known }
    let most = isTold ? EvidenceDoorway.mostToldVariants : EvidenceDoorway.mostVariants
    guard doors[place].shown.count < most, !isTold || variant.utf8.count <= EvidenceItem.longestName else { return nil }
    doors[place].shown.append(Shown(variant: variant, missedAt: doors[place].missedAt))
    return doors[place].shown.count - 1
  }

  /// When a variant was shown last; of a named one, only where targeting did not choose it, since a ramp that is
  /// withdrawn takes nothing from whom targeting chose.
  ///
  /// - Parameter since: seconds since 1970; what was shown until then is `never`.
  func lastShown(_ flag: String, in environment: String, variant: String?, since: Double) -> LastShown {
    guard let place = place(environment, flag) else {
      return (missedAt[environment] ?? EvidenceDoorway.never) > since ? .untold : .never
    }
    let door = doors[place]
    var last = EvidenceDoorway.never
    var missed = door.missedAt
    if let variant {
      if let known = door.shown.first(where: { $0.variant == variant }) {
        last = known.last
        missed = known.missedAt
      }
    } else {
      for shown in door.shown { last = max(last, shown.last, shown.lastByTargeting) }
    }
    if last > since { return .at(last) }
    return missed > since ? .untold : .never
  }

  /// What waits, and nothing waits any more.
  mutating func takeAll() -> [Waiting] {
    let taken = waiting
    waiting = []
    waiting.reserveCapacity(min(taken.count, limit))
    return taken
  }
}
