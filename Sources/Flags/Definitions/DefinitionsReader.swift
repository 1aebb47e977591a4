/// Definitions' text to a ``FlagSet``, one flag at a time: no document is ever in memory as a whole but the text.
///
/// Two passes over the members of the root: first what flags refer to (`$evaluators`, `segments`, the marker of native
/// sets), then the flags, each into a block of its own.
struct DefinitionsReader {
  /// The version of the native format that this reader knows, as the member `plimsoll` says it.
  static let nativeFormat: Int64 = 1

  private let bytes: UnsafeBufferPointer<UInt8>
  private let builder = Self.builder()
  private var flagsStart: Int?
  private var rules: [Rule] = []
  private var segments: [Segment] = []
  private var isNative = false
  private var metadata: JSONTape?
  private var hashesText = false

  static func builder() -> JSONBuilder { JSONBuilder(keepsOffsets: true, indexesArrays: true) }
  private static let subject = "the definitions"
  /// Of what is no JSON, whose words are in the singular.
  private static let textSubject = "the text of the definitions"

  init(_ bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    guard bytes.count <= FlagSet.sizeLimit else {
      throw FlagRefusal(
        Self.subject, "have \(bytes.count) bytes, more than \(FlagSet.sizeLimit)", next: "Split them into sets")
    }
    self.bytes = bytes
  }

  mutating func flagSet() throws(FlagRefusal) -> FlagSet {
    let places = try rootMembers()
    if let start = places["plimsoll"] { try readMarker(at: start) }
    if let start = places["fractional"] { try readHashing(at: start) }
    if let start = places["metadata"] { try readMetadata(at: start) }
    if let start = places["$evaluators"] { try readEvaluators(at: start) }
    if isNative, let start = places["segments"] { try readSegments(at: start) }
    var flags: [Flag] = []
    if let start = places["flags"] { flags = try readFlags(at: start) }
    let set = FlagSet(
      flags: flags, segments: segments, rules: rules, isNative: isNative, metadata: metadata,
      hashesText: hashesText)
    if isNative { try set.checkPrerequisites() }
    return set
  }

  /// Where the values of the root's members begin; of a repeated name the last.
  private func rootMembers() throws(FlagRefusal) -> [String: Int] {
    var places: [String: Int] = [:]
    var reader = JSONReader(bytes, into: builder, subject: Self.textSubject)
    try reader.members { (name, reader) throws(FlagRefusal) in
      let word = String(decoding: bytes[name], as: UTF8.self)
      places[word] = reader.at
      switch word {
      case "flags", "$evaluators", "segments", "metadata", "plimsoll", "fractional": try reader.skip()
      default:
        // Read only to see that it is JSON.
        builder.reset()
        try reader.value()
      }
    }
    try reader.end()
    return places
  }

  private mutating func readMarker(at start: Int) throws(FlagRefusal) {
    var reader = JSONReader(bytes, into: builder, from: start, subject: Self.textSubject)
    builder.reset()
    try reader.value()
    guard builder.finish().root.integer == Self.nativeFormat else {
      let place = TextPlace(of: start, in: bytes)
      throw FlagRefusal(
        Self.subject, "have a format that is not \(Self.nativeFormat)",
        next: "Write \"plimsoll\": \(Self.nativeFormat)",
        line: place.line, column: place.column)
    }
    isNative = true
  }

  private mutating func readHashing(at start: Int) throws(FlagRefusal) {
    var reader = JSONReader(bytes, into: builder, from: start, subject: Self.textSubject)
    builder.reset()
    try reader.value()
    let word = builder.finish().root.string
    guard word == "string" || word == "cbor" else {
      let place = TextPlace(of: start, in: bytes)
      throw FlagRefusal(
        Self.subject, "have `fractional` that is neither `cbor` nor `string`", next: "Write one of them",
        line: place.line, column: place.column, unknown: word, known: ["cbor", "string"])
    }
    hashesText = word == "string"
  }

  private mutating func readMetadata(at start: Int) throws(FlagRefusal) {
    var reader = JSONReader(bytes, into: builder, from: start, subject: Self.textSubject)
    builder.reset()
    try reader.value()
    let tape = builder.finish()
    try Flag.checkMetadata(tape.rootPointer, FlagRefusals(subject: Self.subject, tape: tape, text: bytes))
    tape.forgetOffsets()
    metadata = tape
  }

  /// Rules that refer to others are compiled behind them, whatever their order; circles stay unknown references, as
  /// in flagd, and fail when they are evaluated.
  private mutating func readEvaluators(at start: Int) throws(FlagRefusal) {
    var waiting = try entries(at: start, subject: Self.textSubject)
    while !waiting.isEmpty {
      let names = waiting.map { $0.root.children[0].string ?? "" }
      let ready = waiting.filter { tape in !names.contains { Self.refers(tape.root.children[1], to: $0) } }
      let next = ready.isEmpty ? waiting : ready
      for tape in next { rules.append(Rule(tape, rules: rules)) }
      waiting.removeAll { tape in next.contains { $0 === tape } }
    }
  }

  private static func refers(_ view: JSONView, to name: String) -> Bool {
    if view.kind == .object, view.count == 1, equals(view.children[0].utf8, "$ref") {
      return view.children[1].string == name
    }
    if view.kind == .object { return view.members.contains { refers($0.value, to: name) } }
    return view.elements.contains { refers($0, to: name) }
  }

  private mutating func readSegments(at start: Int) throws(FlagRefusal) {
    for tape in try entries(at: start, subject: Self.textSubject) {
      let name = tape.root.children[0].string ?? ""
      segments.append(
        try Segment(
          tape, rules: rules, refuse: FlagRefusals(subject: "segment `\(name)`", tape: tape, text: bytes)))
    }
  }

  /// Members of an object as lists of name and value, each in a block of its own; of a repeated name the last.
  private func entries(at start: Int, subject: String) throws(FlagRefusal) -> [JSONTape] {
    var tapes: [JSONTape] = []
    var places: [String: Int] = [:]
    var reader = JSONReader(bytes, into: builder, from: start, subject: subject)
    try reader.members { (name, reader) throws(FlagRefusal) in
      let tape = try self.entry(name, &reader)
      let word = tape.root.children[0].string ?? ""
      if let earlier = places[word] {
        tapes[earlier] = tape
      } else {
        places[word] = tapes.count
        tapes.append(tape)
      }
    }
    return tapes
  }

  /// A list of the name and the value that the reader stands at.
  private func entry(_ name: Range<Int>, _ reader: inout JSONReader) throws(FlagRefusal) -> JSONTape {
    builder.reset()
    let mark = builder.mark
    var names = JSONReader(bytes, into: builder, from: name.lowerBound - 1, subject: Self.textSubject)
    try names.text()
    try reader.value()
    builder.endArray(from: mark)
    return builder.finish()
  }

  private func readFlags(at start: Int) throws(FlagRefusal) -> [Flag] {
    var flags: [Flag] = []
    var reader = JSONReader(bytes, into: builder, from: start, subject: Self.textSubject)
    let table = isNative ? SegmentTable(segments: segments) : nil
    if reader.peek == UInt8(ascii: "[") {
      try reader.elements { (reader) throws(FlagRefusal) in
        flags.append(try self.listedFlag(&reader, table))
      }
    } else {
      try reader.members { (name, reader) throws(FlagRefusal) in
        flags.append(try self.flag(self.entry(name, &reader), table))
      }
    }
    return Self.lastOfEach(flags)
  }

  /// A flag of the list form, whose key is a member.
  private func listedFlag(_ reader: inout JSONReader, _ table: SegmentTable?) throws(FlagRefusal) -> Flag {
    let start = reader.at
    builder.reset()
    let mark = builder.mark
    builder.add(.null)
    try reader.value()
    builder.endArray(from: mark)
    let tape = builder.finish()
    let children = UnsafeMutablePointer(mutating: tape.root.children)
    guard let key = children[1].member("key"), key.kind == .text, key.count > 0 else {
      let place = TextPlace(of: start, in: bytes)
      throw FlagRefusal(
        Self.subject, "have a flag without `key`", next: "Give every flag of a list its key", line: place.line,
        column: place.column)
    }
    children[0] = key
    return try flag(tape, table)
  }

  private func flag(_ tape: JSONTape, _ table: SegmentTable?) throws(FlagRefusal) -> Flag {
    let refuse = FlagRefusals(key: tape.root.children[0], tape: tape, text: bytes)
    return try Flag(tape, rules: rules, segments: table, isNative: isNative, refuse: refuse)
  }

  /// Of a repeated key the last definition, in the first one's place.
  private static func lastOfEach(_ flags: [Flag]) -> [Flag] {
    let heads = flags.map(\.head)
    let table = KeyTable(heads)
    guard heads.indices.contains(where: { table.position(of: heads[$0].key.utf8, in: heads) != $0 }) else {
      return flags
    }
    var kept: [Flag] = []
    var places: [String: Int] = [:]
    for flag in flags {
      if let place = places[flag.name] {
        kept[place] = flag
      } else {
        places[flag.name] = kept.count
        kept.append(flag)
      }
    }
    return kept
  }
}
