/// Flags as defined, compiled, by key: a value, whose copies share everything.
///
/// ```swift
/// let flags = try FlagSet(json: definitions)
/// let context = try EvaluationContext(json: #"{"targetingKey": "user-1", "country": "SE"}"#)
/// let evaluation = flags.evaluate("new-checkout", for: context, at: now)
/// let isOn = flags.boolean(of: evaluation) ?? false
/// ```
///
/// Definitions are flagd's JSON: flags as an object by key or as a list, with state, variants, defaultVariant,
/// targeting (JSONLogic) and metadata, `$evaluators` and metadata beside them. With the member `"plimsoll": 1` the set
/// is native: segments, prerequisites, schedules and ramps work, and every flag needs an expiry.
public struct FlagSet: Sendable {
  /// Bytes of JSON that definitions may have.
  public static let sizeLimit = 64 << 20
  /// Prerequisites behind each other; a longer way is refused, since every step costs every evaluation.
  package static let prerequisiteLimit = 16

  private(set) var flags: [Flag]
  /// Of `flags`, by the same positions.
  private(set) var heads: [FlagHead]
  private var keys: KeyTable
  private(set) var segments: [Segment]
  private let rules: [Rule]
  /// Whether the definitions carry the marker of native sets.
  package let isNative: Bool
  private let metadataTape: JSONTape?
  /// See `Evaluator.hashesText`.
  let hashesText: Bool

  /// Reads and compiles definitions.
  ///
  /// - Throws: `FlagRefusal` with line and column: of what is no JSON, of a flag without state or variants, of unknown
  ///   or cyclic prerequisites, of unknown segments. What flagd only finds when it evaluates (unknown operations, a
  ///   variant that does not exist) is accepted here; ``FlagLint`` tells of it.
  public init(json: String) throws(FlagRefusal) {
    var copy = json
    let result: Result<FlagSet, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        return .success(try FlagSet(json: bytes))
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  /// From the bytes of JSON text; see ``init(json:)``.
  public init(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    var reader = try DefinitionsReader(bytes)
    self = try reader.flagSet()
  }

  init(flags: [Flag], segments: [Segment], rules: [Rule], isNative: Bool, metadata: JSONTape?, hashesText: Bool) {
    self.flags = flags
    self.segments = segments
    self.rules = rules
    self.isNative = isNative
    metadataTape = metadata
    self.hashesText = hashesText
    heads = flags.map(\.head)
    keys = KeyTable(heads)
  }

  public var count: Int { flags.count }

  /// Keys in the order of the definitions.
  public var flagKeys: [String] { flags.map(\.name) }

  /// Metadata of the set, an object; null without.
  package var metadata: JSONView { metadataTape?.root ?? .null }

  package func flag(at position: Int) -> Flag { flags[position] }

  /// Position of the flag; nil if there is none of that key. O(1).
  @inline(__always)
  package func position(of key: UnsafeRawBufferPointer) -> Int? { keys.position(of: key, in: heads) }

  package func position(of key: String) -> Int? {
    var key = key
    return key.withUTF8 { position(of: UnsafeRawBufferPointer($0)) }
  }

  /// The set with one flag replaced or added; everything else is shared. O(flags) copies of references.
  ///
  /// - Parameter definition: the flag's JSON, without its key.
  /// - Throws: `FlagRefusal` as ``init(json:)`` does.
  public func replacing(_ key: String, with definition: String) throws(FlagRefusal) -> FlagSet {
    var copy = definition
    let result: Result<Flag, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        let builder = DefinitionsReader.builder()
        let mark = builder.mark
        builder.add(key)
        var reader = JSONReader(bytes, into: builder, subject: "flag `\(key)`")
        try reader.value()
        try reader.end()
        builder.endArray(from: mark)
        return .success(try self.flag(builder.finish(), in: bytes))
      } catch {
        return .failure(error)
      }
    }
    let flag = try result.get()
    var set = self
    if let position = position(of: key) {
      set.flags[position] = flag
      set.heads[position] = flag.head
    } else {
      set.flags.append(flag)
      set.heads.append(flag.head)
      set.keys = KeyTable(set.heads)
    }
    if let native = flag.native, !native.prerequisites.isEmpty { try set.checkPrerequisites(of: flag) }
    return set
  }

  /// The set with one segment replaced or added; flags, and their programs, are shared as they are.
  ///
  /// There is no way to take a segment out: flags name segments by position. Definitions without it are read anew, and
  /// refused while a flag asks for it.
  ///
  /// - Parameter definition: the segment's JSON, without its name.
  /// - Throws: `FlagRefusal` as ``init(json:)`` does, and when the set is not native.
  public func replacing(segment name: String, with definition: String) throws(FlagRefusal) -> FlagSet {
    guard isNative else {
      throw FlagRefusal(
        "segment `\(name)`", "has no place in a set without segments", next: "Write \"plimsoll\": 1 into the set")
    }
    var copy = definition
    let result: Result<Segment, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        let subject = "segment `\(name)`"
        let builder = DefinitionsReader.builder()
        let mark = builder.mark
        builder.add(name)
        var reader = JSONReader(bytes, into: builder, subject: subject)
        try reader.value()
        try reader.end()
        builder.endArray(from: mark)
        let tape = builder.finish()
        return .success(
          try Segment(tape, rules: rules, refuse: FlagRefusals(subject: subject, tape: tape, text: bytes)))
      } catch {
        return .failure(error)
      }
    }
    let segment = try result.get()
    var set = self
    if let position = SegmentTable(segments: segments).position(of: segment.name.utf8) {
      set.segments[position] = segment
    } else {
      set.segments.append(segment)
    }
    return set
  }

  /// The set without a flag; the same set when there is none of that key.
  ///
  /// - Throws: `FlagRefusal` when another flag has it as a prerequisite.
  public func removing(_ key: String) throws(FlagRefusal) -> FlagSet {
    guard let position = position(of: key) else { return self }
    let users = flags.filter { flag in flag.native?.prerequisites.contains { $0.flag == key } ?? false }
    guard users.isEmpty else {
      throw FlagRefusal(
        "flag `\(key)`", "is a prerequisite of \(users.map { "`\($0.name)`" }.sorted().joined(separator: ", "))",
        next: "Take it out there first")
    }
    var set = self
    set.flags.remove(at: position)
    set.heads.remove(at: position)
    set.keys = KeyTable(set.heads)
    return set
  }

  private func flag(_ tape: JSONTape, in text: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) -> Flag {
    let name = tape.root.children[0].string ?? ""
    return try Flag(
      tape, rules: rules, segments: isNative ? SegmentTable(segments: segments) : nil, isNative: isNative,
      refuse: FlagRefusals(subject: "flag `\(name)`", tape: tape, text: text))
  }

  // MARK: Prerequisites

  /// Every prerequisite exists, has the variants that are asked for, and leads back nowhere.
  func checkPrerequisites() throws(FlagRefusal) {
    for flag in flags where !(flag.native?.prerequisites.isEmpty ?? true) { try checkPrerequisites(of: flag) }
  }

  private func checkPrerequisites(of flag: Flag) throws(FlagRefusal) {
    try follow(flag, way: [])
  }

  private func follow(_ flag: Flag, way: [String]) throws(FlagRefusal) {
    let name = flag.name
    let way = way + [name]
    if way.dropLast().contains(name) {
      throw FlagRefusal(
        "flag `\(way[0])`", "has prerequisites in a circle: \(way.joined(separator: " → "))",
        next: "Drop one of them")
    }
    if way.count > Self.prerequisiteLimit {
      throw FlagRefusal(
        "flag `\(way[0])`", "has more than \(Self.prerequisiteLimit) prerequisites behind each other",
        next: "Ask for the last one directly")
    }
    for prerequisite in flag.native?.prerequisites ?? [] {
      guard let position = position(of: prerequisite.flag) else {
        throw FlagRefusal(
          "flag `\(name)`", "has the prerequisite `\(prerequisite.flag)`, which does not exist",
          next: "Define that flag, or drop the prerequisite", unknown: prerequisite.flag, known: flagKeys.sorted())
      }
      let other = flags[position]
      let known = other.variants.members.compactMap(\.name.string)
      for variant in prerequisite.variants where !known.contains(variant) {
        throw FlagRefusal(
          "flag `\(name)`", "waits for variant `\(variant)` of `\(prerequisite.flag)`, which has no such variant",
          next: "Name one of its variants", unknown: variant, known: known.sorted())
      }
      try follow(other, way: way)
    }
  }
}

/// Positions of flags by key: open addressing, at most half full.
struct KeyTable: Sendable {
  /// The key's hash above, position + 1 below; 0 is free.
  private let places: [UInt64]
  private let mask: Int

  init(_ flags: [FlagHead]) {
    var capacity = 8
    while capacity < 2 * flags.count { capacity *= 2 }
    var places = [UInt64](repeating: 0, count: capacity)
    mask = capacity - 1
    for (position, flag) in flags.enumerated() {
      let hash = Murmur3.hash(flag.key.utf8)
      var place = Int(hash) & mask
      while places[place] != 0 { place = (place + 1) & mask }
      places[place] = UInt64(hash) << 32 | UInt64(position + 1)
    }
    self.places = places
  }

  /// Of a key that two flags have, the first is found.
  @inline(__always)
  func position(of key: UnsafeRawBufferPointer, in flags: [FlagHead]) -> Int? {
    let hash = Murmur3.hash(key)
    var place = Int(hash) & mask
    while true {
      let entry = places[place]
      if entry == 0 { return nil }
      if UInt32(truncatingIfNeeded: entry >> 32) == hash {
        let position = Int(entry & 0xffff_ffff) - 1
        if flags[position].key.textEquals(key) { return position }
      }
      place = (place + 1) & mask
    }
  }
}
