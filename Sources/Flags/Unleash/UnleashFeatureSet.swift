/// All features of one Unleash environment, compiled and ready to be asked.
///
/// Evaluation is bit for bit that of Unleash's reference engine (yggdrasil 0.21): same buckets, same variants. It
/// neither parses nor allocates. Time and chance are the caller's: `at` is the current time in seconds since 1970, and
/// `chance` 64 random bits, used where a rule asks for chance and ignored elsewhere.
///
/// A set is a value: copies share all programs, and a change replaces only what it names.
public struct UnleashFeatureSet: Sendable {
  /// Bytes of JSON that a document may have.
  public static let sizeLimit = 256 << 20

  /// A feature and the segments that it uses, in its own order; nil where there is none of that number.
  struct Entry: Sendable {
    let program: UnleashProgram
    let segments: [UnleashProgram?]
    /// Never on: its own fault, or that of a segment.
    let isBroken: Bool
  }

  private(set) var entries: [Entry] = []
  /// Open addressing over names: position + 1, 0 is free; at most half full, a power of two of places.
  private(set) var table: [UInt32] = [0]
  private(set) var segments: [Int32: UnleashProgram] = [:]

  /// A set without features.
  public init() {}

  /// From what `/api/client/features` answers, or from a hydration of the delta API.
  ///
  /// - Throws: `FlagRefusal` with line and column when it is no such document.
  public init(json: String) throws(FlagRefusal) { try apply(json: json) }

  /// From the bytes of such a document; see ``init(json:)``.
  public init(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) { try apply(json: bytes) }

  public var count: Int { entries.count }

  /// Names in their document's order.
  public var names: [String] { entries.map { $0.program.string($0.program.name) } }

  /// Features that can never be on, and why: unknown operators, numbers that are none, segments that do not exist.
  public var faults: [(feature: String, cause: String)] {
    entries.compactMap { entry in
      Self.fault(of: entry).map { (entry.program.string(entry.program.name), $0) }
    }
  }

  private static func fault(of entry: Entry) -> String? {
    guard entry.isBroken else { return nil }
    if let own = entry.program.fault { return own }
    for (index, segment) in entry.segments.enumerated() {
      let number = entry.program.segmentNumbers[index]
      guard let segment else { return "uses segment \(number), which does not exist" }
      if let fault = segment.fault { return "uses segment \(number), which \(fault)" }
    }
    return nil
  }

  /// Whether the feature asks its clients to report each evaluation; nil when it is not known.
  public func emitsImpressions(_ feature: String) -> Bool? {
    entry(named: feature)?.program.emitsImpressions
  }

  // MARK: Changes

  /// Takes over a document: all features and segments when it has `features`, and changes one by one when it has
  /// `events` (hydration, feature-updated, feature-removed, segment-updated, segment-removed). All or nothing.
  ///
  /// - Throws: `FlagRefusal` with line and column when it is no such document.
  public mutating func apply(json: String) throws(FlagRefusal) {
    var copy = json
    let result: Result<UnleashFeatureSet, FlagRefusal> = copy.withUTF8 { bytes in
      var changed = self
      do throws(FlagRefusal) {
        try changed.apply(json: bytes)
        return .success(changed)
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  /// From the bytes of a document; see ``apply(json:)``.
  public mutating func apply(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    let change = try UnleashChange(json: bytes)
    apply(change)
  }

  mutating func apply(_ change: UnleashChange) {
    var replaced: Set<Int32> = []
    for step in change.steps {
      switch step {
      case .all(let programs, let numbered):
        segments = numbered
        entries.removeAll(keepingCapacity: true)
        table = [0]
        reserve(programs.count)
        for program in programs { put(program) }
        replaced = []
      case .feature(let program): put(program)
      case .removal(let name): remove(name)
      case .segment(let number, let program):
        segments[number] = program
        replaced.insert(number)
      case .segmentRemoval(let number):
        segments[number] = nil
        replaced.insert(number)
      }
    }
    if !replaced.isEmpty { relink(replaced) }
  }

  private mutating func put(_ program: UnleashProgram) {
    let entry = linked(program)
    let name = program.text(program.name)
    if let position = position(of: name, hash: program.nameHash) {
      entries[position] = entry
      return
    }
    if 2 * (entries.count + 1) > table.count { reserve(2 * (entries.count + 1)) }
    entries.append(entry)
    insert(entries.count - 1)
  }

  private mutating func remove(_ name: String) {
    guard let position = position(of: name) else { return }
    entries.remove(at: position)
    // Positions behind it moved: the table is made anew, which for 10,000 features takes a fraction of a millisecond.
    reserve(entries.count)
  }

  private func linked(_ program: UnleashProgram) -> Entry {
    if program.segmentCount == 0 { return Entry(program: program, segments: [], isBroken: program.fault != nil) }
    let found: [UnleashProgram?] = (0..<program.segmentCount).map { segments[program.segmentNumbers[$0]] }
    let isBroken = program.fault != nil || found.contains { $0 == nil || $0?.fault != nil }
    return Entry(program: program, segments: found, isBroken: isBroken)
  }

  private mutating func relink(_ numbers: Set<Int32>) {
    for position in entries.indices {
      let program = entries[position].program
      guard (0..<program.segmentCount).contains(where: { numbers.contains(program.segmentNumbers[$0]) }) else {
        continue
      }
      entries[position] = linked(program)
    }
  }

  // MARK: Looking up

  private mutating func reserve(_ count: Int) {
    var places = 8
    while places < 2 * count { places *= 2 }
    table = [UInt32](repeating: 0, count: places)
    for position in entries.indices { insert(position) }
  }

  private mutating func insert(_ position: Int) {
    let mask = table.count - 1
    var place = Int(entries[position].program.nameHash) & mask
    while table[place] != 0 { place = (place + 1) & mask }
    table[place] = UInt32(position + 1)
  }

  private func entry(named name: String) -> Entry? {
    position(of: name).map { entries[$0] }
  }

  private func position(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { bytes in position(of: UnsafeRawBufferPointer(bytes)) }
  }

  /// O(1).
  func position(of name: UnsafeRawBufferPointer, hash given: UInt32? = nil) -> Int? {
    entries.withUnsafeBufferPointer { entries in
      table.withUnsafeBufferPointer { table in
        Self.find(name, hash: given ?? JSONIndex.hash(name), in: table, entries)
      }
    }
  }

  @inline(__always)
  static func find(
    _ name: UnsafeRawBufferPointer, hash: UInt32, in table: UnsafeBufferPointer<UInt32>,
    _ entries: UnsafeBufferPointer<Entry>
  ) -> Int? {
    let mask = table.count - 1
    var place = Int(hash) & mask
    while true {
      let position = Int(table[place])
      if position == 0 { return nil }
      let program = entries[position - 1].program
      if program.nameHash == hash, Int(program.name.count) == name.count, sameBytes(program.text(program.name), name) {
        return position - 1
      }
      place = (place + 1) & mask
    }
  }
}
