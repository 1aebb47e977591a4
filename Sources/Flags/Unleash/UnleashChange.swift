/// A document of Unleash's client API, compiled: a full answer, or events of the delta API in their order.
struct UnleashChange {
  enum Step {
    case all([UnleashProgram], segments: [Int32: UnleashProgram])
    case feature(UnleashProgram)
    case removal(String)
    case segment(Int32, UnleashProgram)
    case segmentRemoval(Int32)
  }

  private(set) var steps: [Step] = []

  init(json bytes: UnsafeBufferPointer<UInt8>) throws(FlagRefusal) {
    let subject = "the document"
    let tape = try JSONReader.tape(of: bytes, subject: subject, limit: UnleashFeatureSet.sizeLimit)
    do throws(UnleashFault) {
      try withExtendedLifetime(tape) { () throws(UnleashFault) in try read(tape.rootPointer) }
    } catch {
      throw try Self.refusal(error, in: bytes, tape)
    }
  }

  private mutating func read(_ root: UnsafePointer<JSONView>) throws(UnleashFault) {
    try UnleashReader.object(root, "a document")
    if UnleashReader.member(root, "events") != nil {
      try UnleashReader.each(try UnleashReader.list(root, "events")) { (place) throws(UnleashFault) in
        try readEvent(place)
      }
      return
    }
    guard UnleashReader.member(root, "features") != nil else {
      throw UnleashFault(cause: "has neither `features` nor `events`", place: root)
    }
    steps.append(try Self.all(root))
  }

  private mutating func readEvent(_ event: UnsafePointer<JSONView>) throws(UnleashFault) {
    try UnleashReader.object(event, "an event")
    let type = try UnleashReader.requiredText(event, "type")
    func required(_ name: StaticString) throws(UnleashFault) -> UnsafePointer<JSONView> {
      guard let found = UnleashReader.member(event, name) else {
        throw UnleashFault(cause: "has an event without `\(name)`", place: event)
      }
      return found
    }
    if equals(type, "hydration") {
      steps.append(try Self.all(event))
    } else if equals(type, "feature-updated") {
      steps.append(.feature(try UnleashCompiler.feature(try required("feature"))))
    } else if equals(type, "feature-removed") {
      steps.append(.removal(String(decoding: try UnleashReader.requiredText(event, "featureName"), as: UTF8.self)))
    } else if equals(type, "segment-updated") {
      let (number, program) = try UnleashCompiler.segment(try required("segment"))
      steps.append(.segment(number, program))
    } else if equals(type, "segment-removed") {
      steps.append(.segmentRemoval(try UnleashReader.integer(event, "segmentId")))
    } else {
      throw UnleashFault(cause: "has an event of an unknown type", place: event)
    }
  }

  private static func all(_ object: UnsafePointer<JSONView>) throws(UnleashFault) -> Step {
    let list = try UnleashReader.list(object, "features")
    var programs: [UnleashProgram] = []
    programs.reserveCapacity(list.count)
    try UnleashReader.each(list) { (place) throws(UnleashFault) in programs.append(try UnleashCompiler.feature(place)) }
    var segments: [Int32: UnleashProgram] = [:]
    try UnleashReader.each(try UnleashReader.list(object, "segments")) { (place) throws(UnleashFault) in
      let (number, program) = try UnleashCompiler.segment(place)
      segments[number] = program
    }
    return .all(programs, segments: segments)
  }

  /// Places are not kept while all is well; to name one, the text is read again.
  private static func refusal(
    _ fault: UnleashFault, in bytes: UnsafeBufferPointer<UInt8>, _ tape: JSONTape
  ) throws(FlagRefusal) -> FlagRefusal {
    let builder = JSONBuilder(keepsOffsets: true)
    let again = try JSONReader.tape(
      of: bytes, subject: "the document", limit: UnleashFeatureSet.sizeLimit, builder: builder)
    let index = fault.place - UnsafePointer(tape.slots)
    let place = TextPlace(of: again.offset(of: UnsafePointer(again.slots) + index), in: bytes)
    return FlagRefusal(
      "the document", fault.cause, next: "Correct it", line: place.line, column: place.column)
  }
}
