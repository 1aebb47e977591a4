/// Definitions of an Unleash environment beside the texts that they came as, so that they are served on unchanged: an
/// SDK that polls us evaluates what it would have evaluated behind Unleash itself, members that we do not know included.
public struct UnleashImport: Sendable {
  /// The same definitions, compiled.
  public private(set) var features = UnleashFeatureSet()

  /// Name and JSON text of each feature in their document's order, and where each name stands.
  private var featureTexts: [(name: String, text: String)] = []
  private var places: [String: Int] = [:]
  /// JSON text of each segment by number.
  private var segmentTexts: [Int32: String] = [:]

  /// From what `/api/client/features` or the delta API answers.
  ///
  /// - Throws: `FlagRefusal` with line and column when it is no such document.
  public init(json: String) throws(FlagRefusal) { try apply(json: json) }

  /// Takes over a full document, or events one by one; all or nothing. See ``UnleashFeatureSet/apply(json:)-swift.method``.
  public mutating func apply(json: String) throws(FlagRefusal) {
    var changed = features
    try changed.apply(json: json)
    let builder = JSONBuilder(keepsOffsets: true)
    let tape = try JSONReader.tape(
      of: json, subject: "the document", limit: UnleashFeatureSet.sizeLimit, builder: builder)
    features = changed
    var copy = json
    copy.withUTF8 { bytes in
      let source = Source(bytes: UnsafeRawBufferPointer(bytes), tape: tape)
      guard let events = source.member(tape.rootPointer, "events") else { return replaceAll(source, tape.rootPointer) }
      for event in source.elements(events) { apply(source, event) }
    }
  }

  /// The JSON text of one feature as it came; nil when it is not known.
  public func text(of feature: String) -> String? { places[feature].map { featureTexts[$0].text } }

  /// Number and JSON text of each segment, by number.
  package var segmentEntries: [(number: Int32, text: String)] {
    segmentTexts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// What `/api/client/features` answers: all features in their order, and all segments by number.
  public var document: String { "{\"version\":2," + contents + "}" }

  /// What the delta API answers a client that knows nothing yet.
  public func hydration(event number: Int) -> String {
    "{\"events\":[{\"eventId\":\(number),\"type\":\"hydration\",\(contents)}]}"
  }

  private var contents: String {
    let segments = segmentEntries.map(\.text).joined(separator: ",")
    return "\"features\":[\(featureTexts.map(\.text).joined(separator: ","))],\"segments\":[\(segments)]"
  }

  // MARK: Texts

  private mutating func replaceAll(_ source: Source, _ object: UnsafePointer<JSONView>) {
    featureTexts = []
    places = [:]
    segmentTexts = [:]
    for feature in source.elements(source.member(object, "features")) { put(source, feature) }
    for segment in source.elements(source.member(object, "segments")) { putSegment(source, segment) }
  }

  private mutating func apply(_ source: Source, _ event: UnsafePointer<JSONView>) {
    switch source.member(event, "type")?.pointee.string {
    case "hydration": replaceAll(source, event)
    case "feature-updated":
      if let feature = source.member(event, "feature") { put(source, feature) }
    case "feature-removed":
      if let name = source.member(event, "featureName")?.pointee.string, let place = places[name] {
        featureTexts.remove(at: place)
        places = [:]
        for (index, feature) in featureTexts.enumerated() { places[feature.name] = index }
      }
    case "segment-updated":
      if let segment = source.member(event, "segment") { putSegment(source, segment) }
    case "segment-removed":
      if let number = source.member(event, "segmentId")?.pointee.integer.flatMap(Int32.init(exactly:)) {
        segmentTexts[number] = nil
      }
    default: break
    }
  }

  private mutating func put(_ source: Source, _ feature: UnsafePointer<JSONView>) {
    guard let name = source.member(feature, "name")?.pointee.string else { return }
    if let place = places[name] {
      featureTexts[place].text = source.text(of: feature)
    } else {
      places[name] = featureTexts.count
      featureTexts.append((name, source.text(of: feature)))
    }
  }

  private mutating func putSegment(_ source: Source, _ segment: UnsafePointer<JSONView>) {
    guard let number = source.member(segment, "id")?.pointee.integer.flatMap(Int32.init(exactly:)) else { return }
    segmentTexts[number] = source.text(of: segment)
  }

  /// A document that was accepted, and the bytes that it was read from.
  private struct Source {
    let bytes: UnsafeRawBufferPointer
    let tape: JSONTape

    func member(_ object: UnsafePointer<JSONView>, _ name: StaticString) -> UnsafePointer<JSONView>? {
      UnleashReader.member(object, name)
    }

    func elements(_ list: UnsafePointer<JSONView>?) -> [UnsafePointer<JSONView>] {
      guard let elements = list?.pointee.elements, let base = elements.baseAddress else { return [] }
      return elements.indices.map { base + $0 }
    }

    /// From the object's brace to the one that closes it.
    func text(of object: UnsafePointer<JSONView>) -> String {
      let start = tape.offset(of: object)
      var at = start
      var depth = 0
      var isText = false
      while at < bytes.count {
        let byte = bytes[at]
        at += 1
        if isText {
          if byte == UInt8(ascii: "\\") { at += 1 } else if byte == UInt8(ascii: "\"") { isText = false }
          continue
        }
        switch byte {
        case UInt8(ascii: "\""): isText = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
        if depth == 0 { break }
      }
      return String(decoding: bytes[start..<at], as: UTF8.self)
    }
  }
}
