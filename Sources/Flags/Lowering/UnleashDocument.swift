/// Definitions as Unleash's clients read them: the Unleash document that the definitions carry as their member
/// `unleash`, letter by letter, and behind it our own flags as features, where that is possible without any client
/// coming to another answer.
///
/// Unleash's clients bucket by whole percents with a hash of their own, so a ramp under way cannot be said to them: they
/// are not in it, and get the default variant until it gives everybody the same. What else cannot be said is left out.
package struct UnleashDocument: Sendable {
  package struct Feature: Sendable, Equatable {
    package let name: String
    package let project: String
    /// JSON.
    package let text: String
  }

  package struct Segment: Sendable, Equatable {
    package let number: Int32
    /// JSON.
    package let text: String
  }

  package struct Omission: Sendable, Equatable {
    package let flag: String
    /// A clause that follows the flag.
    package let cause: String
  }

  /// The imported ones in their document's order, then ours in that of the definitions.
  package private(set) var features: [Feature] = []
  /// By number.
  package private(set) var segments: [Segment] = []
  package private(set) var omitted: [Omission] = []
  /// Ramps under way, whose default variant all of these clients get.
  package private(set) var waiting: [String] = []

  /// The project of features that name none, as in Unleash.
  package static let usualProject = "default"

  /// - Parameter flags: what the definitions were compiled to.
  /// - Throws: `FlagRefusal` for a text that could not have been compiled, or an `unleash` that is no such document.
  package init(_ definitions: String, compiledTo flags: FlagSet) throws(FlagRefusal) {
    let tape = try JSONReader.tape(of: definitions, subject: "the definitions", limit: FlagSet.sizeLimit)
    var known: Set<String> = []
    if let imported = try Self.imported(in: definitions) {
      for (name, text) in imported.features.names.map({ ($0, imported.text(of: $0) ?? "{}") }) {
        features.append(Feature(name: name, project: try Self.project(of: text), text: text))
        known.insert(name)
      }
      segments = imported.segmentEntries.map { Segment(number: $0.number, text: $0.text) }
    }
    let writer = UnleashFeatureWriter(tape.root, compiledTo: flags)
    for (position, key) in flags.flagKeys.enumerated() {
      guard !known.contains(key) else {
        omitted.append(Omission(flag: key, cause: "is also a feature of the Unleash document, which counts"))
        continue
      }
      do throws(FlagdRules.Gap) {
        let (text, waits) = try writer.feature(key, at: position)
        features.append(
          Feature(name: key, project: Self.usualProject, text: String(decoding: text, as: UTF8.self)))
        if waits { waiting.append(key) }
      } catch {
        omitted.append(Omission(flag: key, cause: error.cause))
      }
    }
    withExtendedLifetime(tape) {}
  }

  /// The document in the member `unleash`; nil without one.
  ///
  /// - Throws: `FlagRefusal` with line and column within that member's value.
  package static func imported(in definitions: String) throws(FlagRefusal) -> UnleashImport? {
    var copy = definitions
    let result: Result<String?, FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        var found: String?
        var reader = JSONReader(bytes, into: JSONBuilder(), subject: "the definitions")
        try reader.members { (name, reader) throws(FlagRefusal) in
          let start = reader.at
          try reader.skip()
          if String(decoding: bytes[name], as: UTF8.self) == "unleash" {
            found = String(decoding: bytes[start..<reader.at], as: UTF8.self)
          }
        }
        return .success(found)
      } catch {
        return .failure(error)
      }
    }
    guard let text = try result.get() else { return nil }
    return try UnleashImport(json: text)
  }

  private static func project(of feature: String) throws(FlagRefusal) -> String {
    let tape = try JSONReader.tape(of: feature, subject: "the feature", limit: UnleashFeatureSet.sizeLimit)
    return withExtendedLifetime(tape) { tape.root.member("project")?.string ?? usualProject }
  }
}

/// One flag of ours as a feature of Unleash.
struct UnleashFeatureWriter {
  private typealias Gap = FlagdRules.Gap

  /// Names that Unleash's clients give to members of their context; an attribute of ours of that name would be another.
  private static let reserved: Set<String> = [
    "userId", "sessionId", "remoteAddress", "environment", "appName", "currentTime", "properties",
  ]
  private let flags: FlagSet
  private let rules: FlagdRules
  private let definitions: [String: JSONView]

  init(_ root: JSONView, compiledTo flags: FlagSet) {
    self.flags = flags
    rules = FlagdRules(root, compiledTo: flags)
    definitions = rules.definitions
  }

  /// - Returns: the feature, and whether it has a ramp under way.
  func feature(_ key: String, at position: Int) throws(FlagdRules.Gap) -> (text: [UInt8], waits: Bool) {
    let flag = flags.flag(at: position)
    var text: [UInt8] = Array("{\"name\":".utf8) + JSONFragment.quoted(key)
    text.append(contentsOf: ",\"type\":\"\(flag.native?.kind.rawValue ?? "release")\",\"project\":".utf8)
    text.append(contentsOf: JSONFragment.quoted(UnleashDocument.usualProject))
    text.append(contentsOf: ",\"stale\":false,\"impressionData\":false".utf8)
    var waits = false
    if !flag.isEnabled {
      text.append(contentsOf: ",\"enabled\":false,\"strategies\":[],\"variants\":[]}".utf8)
    } else if flag.variants.members.allSatisfy({ $0.value.kind == .boolean }) {
      let strategies = try strategies(key, flag, &waits)
      let isOn = !strategies.isEmpty
      text.append(contentsOf: ",\"enabled\":\(isOn),\"strategies\":".utf8)
      text.append(contentsOf: JSONFragment.list(strategies))
      text.append(contentsOf: ",\"variants\":[]}".utf8)
    } else {
      text.append(contentsOf: ",\"enabled\":true,\"strategies\":[{\"name\":\"default\",\"parameters\":{}}]".utf8)
      text.append(contentsOf: ",\"variants\":[".utf8)
      text.append(contentsOf: try variant(flag, &waits))
      text.append(contentsOf: "]}".utf8)
    }
    return (text, waits)
  }

  // MARK: On or off

  /// Strategies, any of which switches the feature on; none for a feature that is off.
  private func strategies(_ key: String, _ flag: Flag, _ waits: inout Bool) throws(FlagdRules.Gap) -> [[UInt8]] {
    try check(flag)
    guard flag.defaultVariant >= 0 else {
      throw Gap(cause: "leaves it to the caller's default, which Unleash's clients have only for unknown features")
    }
    let usual = value(flag.defaultVariant, of: flag)
    let everybody = Array("{\"name\":\"default\",\"parameters\":{}}".utf8)
    if flag.targeting == .program {
      guard flag.native?.ramp == nil || flag.native?.ramp?.allocation.shares.isEmpty == true else {
        throw Gap(cause: "has targeting and a ramp, which Unleash's clients would ask in another order")
      }
      return try branches(of: definitions[key]?.member("targeting") ?? .null, flag, usual)
    }
    if let ramp = flag.native?.ramp, !ramp.allocation.shares.isEmpty {
      if let share = ramp.allocation.shares.first, share.buckets.count == Allocation.buckets,
        ramp.attribute.elementsEqual("targetingKey".utf8)
      {
        let given = value(share.variant, of: flag)
        if given == usual { return usual ? [everybody] : [] }
        // Of subjects only: who has no targeting key gets the default, in Unleash as here.
        guard given else { throw Gap(cause: "switches off by a ramp, which leaves out who has no targeting key") }
        var parameters = Array("{\"name\":\"flexibleRollout\",\"parameters\":{\"rollout\":\"100\",".utf8)
        parameters.append(contentsOf: "\"stickiness\":\"userId\",\"groupId\":".utf8)
        return [parameters + JSONFragment.quoted(key) + Array("}}".utf8)]
      }
      waits = true
    }
    return usual ? [everybody] : []
  }

  private func value(_ variant: Int32, of flag: Flag) -> Bool {
    flag.variants.children[2 * Int(variant) + 1].isTrue
  }

  /// What no Unleash client can be told of.
  private func check(_ flag: Flag) throws(FlagdRules.Gap) {
    if flag.targeting == .malformed { throw Gap(cause: "has targeting that is no object") }
    guard let native = flag.native else { return }
    if !native.prerequisites.isEmpty { throw Gap(cause: "has prerequisites") }
    if native.from != nil || native.until != nil { throw Gap(cause: "has a schedule") }
  }

  /// `{"if": [condition, name, condition, name, …, name]}` with conditions that are constraints, where every name is on
  /// and what is left is off.
  private func branches(of rule: JSONView, _ flag: Flag, _ usual: Bool) throws(FlagdRules.Gap) -> [[UInt8]] {
    let unsaid = Gap(cause: "has targeting beyond lists of values, which is not put into Unleash's constraints")
    guard rule.kind == .object, rule.count == 1, equals(rule.children[0].utf8, "if"),
      rule.children[1].kind == .array, rule.children[1].count >= 2
    else { throw unsaid }
    let arguments = rule.children[1].elements
    func isOn(_ name: JSONView) throws(FlagdRules.Gap) -> Bool {
      guard name.kind == .text, let place = Flag.position(of: name.utf8, in: flag.variants) else { throw unsaid }
      return value(place, of: flag)
    }
    let rest = arguments.count.isMultiple(of: 2) ? usual : try isOn(arguments[arguments.count - 1])
    guard !rest else { throw unsaid }
    var strategies: [[UInt8]] = []
    for place in stride(from: 0, to: arguments.count - 1, by: 2) {
      guard try isOn(arguments[place + 1]) else { throw unsaid }
      let constraints = try constraints(arguments[place], unsaid)
      strategies.append(
        Array("{\"name\":\"default\",\"parameters\":{},\"constraints\":".utf8) + JSONFragment.list(constraints)
          + [UInt8(ascii: "}")])
    }
    return strategies
  }

  /// Constraints that hold together exactly when the condition does.
  private func constraints(_ condition: JSONView, _ unsaid: FlagdRules.Gap) throws(FlagdRules.Gap) -> [[UInt8]] {
    guard condition.kind == .object, condition.count == 1 else { throw unsaid }
    let arguments = condition.children[1]
    switch condition.children[0].string {
    case "and":
      var all: [[UInt8]] = []
      guard arguments.kind == .array, arguments.count > 0 else { throw unsaid }
      for part in arguments.elements { all += try constraints(part, unsaid) }
      return all
    case "in":
      guard arguments.kind == .array, arguments.count == 2, let name = attribute(arguments.elements[0]) else {
        throw unsaid
      }
      return [try constraint(name, arguments.elements[1], unsaid)]
    case "segment" where flags.isNative:
      let name = (arguments.kind == .array ? arguments.elements.first : arguments)?.string ?? ""
      guard let items = rules.segments[name]?.member("items") else { throw unsaid }
      let by = rules.segments[name]?.member("attribute")?.string ?? "targetingKey"
      return [try constraint(by, items, unsaid)]
    default: throw unsaid
    }
  }

  private func attribute(_ view: JSONView) -> String? {
    guard view.kind == .object, view.count == 1, equals(view.children[0].utf8, "var") else { return nil }
    return view.children[1].string
  }

  private func constraint(
    _ name: String, _ values: JSONView, _ unsaid: FlagdRules.Gap
  ) throws(FlagdRules.Gap) -> [UInt8] {
    guard !name.isEmpty, !name.contains("."), !name.hasPrefix("$"), !Self.reserved.contains(name),
      values.kind == .array, values.elements.allSatisfy({ $0.kind == .text })
    else { throw unsaid }
    var text = Array("{\"contextName\":".utf8) + JSONFragment.quoted(name == "targetingKey" ? "userId" : name)
    text.append(contentsOf: ",\"operator\":\"IN\",\"inverted\":false,\"caseInsensitive\":false,\"values\":".utf8)
    JSONWriter.write(values, to: &text)
    text.append(UInt8(ascii: "}"))
    return text
  }

  // MARK: Values

  /// The one variant that everybody gets.
  private func variant(_ flag: Flag, _ waits: inout Bool) throws(FlagdRules.Gap) -> [UInt8] {
    try check(flag)
    guard flag.targeting == .none else { throw Gap(cause: "has targeting between values") }
    guard flag.defaultVariant >= 0 else {
      throw Gap(cause: "leaves it to the caller's default, which Unleash's clients have only for unknown features")
    }
    if let ramp = flag.native?.ramp, !ramp.allocation.shares.isEmpty { waits = true }
    let name = flag.variants.children[2 * Int(flag.defaultVariant)]
    let value = flag.variants.children[2 * Int(flag.defaultVariant) + 1]
    let (kind, payload): (StaticString, String)
    switch value.kind {
    case .text: (kind, payload) = ("string", value.string ?? "")
    case .integer, .double: (kind, payload) = ("number", JSONWriter.text(of: value))
    default: (kind, payload) = ("json", JSONWriter.text(of: value))
    }
    var text: [UInt8] = Array("{\"name\":".utf8)
    JSONWriter.write(name, to: &text)
    text.append(contentsOf: ",\"weight\":1000,\"weightType\":\"fix\",\"stickiness\":\"default\",\"payload\":{".utf8)
    text.append(contentsOf: "\"type\":\"\(kind)\",\"value\":".utf8)
    return text + JSONFragment.quoted(payload) + Array("}}".utf8)
  }
}
