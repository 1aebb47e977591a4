/// Writes flags of one document as flagd's clients read them; see ``FlagdDocument``.
struct FlagdRules {
  /// Why a flag has no plain form.
  struct Gap: Error {
    let cause: String
  }

  /// Where a rule stands.
  struct Scope {
    /// The flag that the rule is of, while it is written into another flag as a prerequisite.
    var guest: String?
    /// Within `map` and its like, whose rules see another context.
    var isInLoop = false
    /// Not within `$evaluators` and segments, which know no segments.
    var knowsSegments: Bool
    /// References that led here.
    var references: [String] = []
    /// Prerequisites that led here.
    var way: [String] = []
  }

  let flags: FlagSet
  let definitions: [String: JSONView]
  let evaluators: [String: JSONView]
  let segments: [String: JSONView]

  /// - Parameter root: the document, whose tape outlives this value.
  init(_ root: JSONView, compiledTo flags: FlagSet) {
    self.flags = flags
    let list = root.member("flags") ?? .null
    var definitions = Self.named(list)
    for element in list.elements {
      if let key = element.member("key")?.string { definitions[key] = element }
    }
    self.definitions = definitions
    evaluators = Self.named(root.member("$evaluators") ?? .null)
    segments = flags.isNative ? Self.named(root.member("segments") ?? .null) : [:]
  }

  private static func named(_ object: JSONView) -> [String: JSONView] {
    var values: [String: JSONView] = [:]
    for (name, value) in object.members { values[name.string ?? ""] = value }
    return values
  }

  // MARK: A flag

  mutating func definition(of key: String, at position: Int) throws(Gap) -> [UInt8] {
    guard let definition = definitions[key] else { throw Gap(cause: "is not in the document") }
    let flag = flags.flag(at: position)
    var text: [UInt8] = Array((flag.isEnabled ? "{\"state\":\"ENABLED\"" : "{\"state\":\"DISABLED\"").utf8)
    func member(_ name: StaticString, _ value: JSONView?) {
      guard let value else { return }
      text.append(contentsOf: ",\"\(name)\":".utf8)
      JSONWriter.write(value, to: &text)
    }
    member("variants", definition.member("variants"))
    member("defaultVariant", definition.member("defaultVariant"))
    if flag.isEnabled, let rule = try targeting(of: key, flag, definition) {
      text.append(contentsOf: ",\"targeting\":".utf8)
      text.append(contentsOf: rule)
    }
    if !flag.metadata.isNull { member("metadata", definition.member("metadata")) }
    text.append(UInt8(ascii: "}"))
    return text
  }

  /// Nil for a flag that always serves its default variant.
  private func targeting(of key: String, _ flag: Flag, _ definition: JSONView) throws(Gap) -> [UInt8]? {
    if flag.targeting == .malformed, flag.native.map(Self.isPlain) ?? true {
      var text: [UInt8] = []
      try write(definition.member("targeting") ?? .null, Scope(knowsSegments: flags.isNative), to: &text)
      return text
    }
    guard let choice = try choice(of: key, Scope(knowsSegments: flags.isNative)) else { return nil }
    guard let condition = try condition(of: flag, Scope(knowsSegments: flags.isNative, way: [key])) else {
      return choice.rule
    }
    return JSONFragment.operation("if", condition, choice.rule)
  }

  private static func isPlain(_ native: NativeFields) -> Bool {
    native.prerequisites.isEmpty && native.from == nil && native.until == nil && native.ramp == nil
  }

  /// What targeting and ramp choose, null for the default variant; nil without either.
  ///
  /// - Returns: the rule, and whether it gives nothing but names and null.
  private func choice(of key: String, _ scope: Scope) throws(Gap) -> (rule: [UInt8], givesNames: Bool)? {
    guard let position = flags.position(of: key), let definition = definitions[key] else {
      throw Gap(cause: "needs `\(key)`, which is not in the document")
    }
    let flag = flags.flag(at: position)
    let ramp = try flag.native?.ramp.flatMap { (ramp) throws(Gap) in try self.rule(of: ramp, in: flag) }
    switch flag.targeting {
    case .malformed: throw Gap(cause: "has targeting that is no object, besides fields of ours")
    case .none: return ramp.map { ($0, true) }
    case .program:
      let source = definition.member("targeting") ?? .null
      var rule: [UInt8] = []
      try write(source, scope, to: &rule)
      let givesNames = givesNames(source, [])
      guard let ramp else { return (rule, givesNames) }
      // Without a computed result a name is as good as true, so that the rule is written once.
      if givesNames { return (JSONFragment.operation("or", rule, ramp), true) }
      let isNothing = JSONFragment.operation("===", rule, JSONFragment.null)
      return (JSONFragment.operation("if", isNothing, ramp, rule), false)
    }
  }

  /// The ramp as flagd's `fractional`; nil when it gives nobody anything.
  private func rule(of ramp: Ramp, in flag: Flag) throws(Gap) -> [UInt8]? {
    guard !ramp.allocation.shares.isEmpty else { return nil }
    let attribute = String(decoding: ramp.attribute, as: UTF8.self)
    guard !attribute.contains("."), attribute != "$flagd" else {
      throw Gap(cause: "has a ramp by `\(attribute)`, which clients would look for as a path")
    }
    let names = flag.variants.members.map(\.name)
    func share(_ variant: Int32, _ size: Int) -> [UInt8] {
      var name = JSONFragment.null
      if variant >= 0 {
        name = []
        JSONWriter.write(names[Int(variant)], to: &name)
      }
      return JSONFragment.list([name, Array(String(size).utf8)])
    }
    let subject = JSONFragment.variable(attribute)
    var shares: [[UInt8]] = []
    var reached = 0
    for part in ramp.allocation.shares {
      let gap = part.buckets.lowerBound - reached
      if gap > 0 { shares.append(share(flag.defaultVariant, gap)) }
      shares.append(share(part.variant, part.buckets.count))
      reached = part.buckets.upperBound
    }
    if reached < Allocation.buckets { shares.append(share(flag.defaultVariant, Allocation.buckets - reached)) }
    let text = JSONFragment.operation("cat", JSONFragment.quoted(ramp.salt + ":"), subject)
    // A subject is a text, and not an empty one; anything else is not itself when it is written as a text.
    let isSubject = JSONFragment.operation(
      "and", JSONFragment.operation("!!", subject),
      JSONFragment.operation("===", JSONFragment.operation("cat", subject), subject))
    return JSONFragment.operation("if", isSubject, JSONFragment.operation("fractional", [text] + shares))
  }

  // MARK: Schedules and prerequisites

  /// What has to hold before targeting and ramp are asked; nil when nothing has to.
  private func condition(of flag: Flag, _ scope: Scope) throws(Gap) -> [UInt8]? {
    guard let native = flag.native else { return nil }
    var parts: [[UInt8]] = []
    let now = JSONFragment.variable("$flagd.timestamp")
    if let from = native.from {
      parts.append(JSONFragment.operation(">=", now, Array(String(from.seconds).utf8)))
    }
    if let until = native.until {
      parts.append(JSONFragment.operation("<", now, Array(String(until.seconds).utf8)))
    }
    for prerequisite in native.prerequisites { parts.append(try rule(of: prerequisite, scope)) }
    return parts.count > 1 ? JSONFragment.operation("and", parts) : parts.first
  }

  /// Whether the other flag serves one of the variants.
  private func rule(of prerequisite: NativeFields.Prerequisite, _ scope: Scope) throws(Gap) -> [UInt8] {
    let key = prerequisite.flag
    guard let position = flags.position(of: key), scope.way.count <= FlagSet.prerequisiteLimit else {
      throw Gap(cause: "needs `\(key)`, which cannot be written into it")
    }
    let flag = flags.flag(at: position)
    let never = Array("false".utf8)
    // Without a default variant, or with one that does not exist, there is no name to compare with.
    let fallback = flag.defaultVariant >= 0 ? flag.variants.children[2 * Int(flag.defaultVariant)].string ?? "" : nil
    guard flag.isEnabled else { return never }
    for name in prerequisite.variants where flag.variants.member(name)?.isNull ?? true {
      throw Gap(cause: "needs variant `\(name)` of `\(key)`, which has no value")
    }
    let isDefaultWanted = fallback.map(prerequisite.variants.contains) ?? false
    var inner = scope
    inner.guest = key
    inner.way.append(key)
    guard let choice = try choice(of: key, inner) else { return Array((isDefaultWanted ? "true" : "false").utf8) }
    guard choice.givesNames else {
      throw Gap(cause: "needs `\(key)`, whose targeting computes the variant's name")
    }
    var served = choice.rule
    if let condition = try condition(of: flag, inner) { served = JSONFragment.operation("if", condition, served) }
    if let fallback { served = JSONFragment.operation("or", served, JSONFragment.quoted(fallback)) }
    let wanted = JSONFragment.list(prerequisite.variants.map(JSONFragment.quoted))
    let rule = JSONFragment.operation("in", served, wanted)
    guard rule.count <= FlagdDocument.flagLimit else { throw Self.tooLong }
    return rule
  }

  static let tooLong = Gap(cause: "has rules of more than \(FlagdDocument.flagLimit >> 20) MiB when written out")
}

extension JSONView {
  fileprivate func member(_ name: String) -> JSONView? {
    var name = name
    return name.withUTF8 { member(UnsafeRawBufferPointer($0)) }
  }
}
