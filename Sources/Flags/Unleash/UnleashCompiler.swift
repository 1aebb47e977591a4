/// One feature or segment of Unleash's JSON to a program.
///
/// Two kinds of faults: a definition of the wrong shape throws, and the whole document is refused. A rule that Unleash
/// knows no meaning for (an unknown operator, a number that is none, a rollout of 101 %) makes its feature a program
/// with a `fault`: it is never on, as in Unleash's reference, and the words say why.
struct UnleashCompiler {
  typealias Place = UnsafePointer<JSONView>

  var parts = UnleashProgramParts()

  static func feature(_ object: Place) throws(UnleashFault) -> UnleashProgram {
    var compiler = UnleashCompiler()
    try UnleashReader.object(object, "a feature")
    compiler.setName(try UnleashReader.requiredText(object, "name"))
    guard let isOn = try UnleashReader.truth(object, "enabled", allowsNull: false) else {
      throw UnleashFault(cause: "lacks `enabled`", place: object)
    }
    compiler.parts.isOn = isOn
    compiler.parts.emitsImpressions = try UnleashReader.truth(object, "impressionData") ?? false
    try UnleashReader.each(try UnleashReader.list(object, "strategies")) { (place) throws(UnleashFault) in
      try compiler.addStrategy(place)
    }
    try UnleashReader.each(try UnleashReader.list(object, "dependencies")) { (place) throws(UnleashFault) in
      try compiler.addDependency(place)
    }
    let variants = try UnleashReader.list(object, "variants")
    compiler.parts.ownVariants = try compiler.variants(variants, ofStrategy: nil)
    if let first = variants.baseAddress, !variants.isEmpty {
      compiler.parts.ownVariants.stickiness = compiler.seed(try UnleashReader.text(first, "stickiness"))
    }
    return UnleashProgram(compiler.parts)
  }

  /// The segment's number and its constraints.
  static func segment(_ object: Place) throws(UnleashFault) -> (number: Int32, program: UnleashProgram) {
    var compiler = UnleashCompiler()
    try UnleashReader.object(object, "a segment")
    let number = try UnleashReader.integer(object, "id")
    guard UnleashReader.member(object, "constraints") != nil else {
      throw UnleashFault(cause: "lacks `constraints`", place: object)
    }
    _ = try compiler.addConstraints(try UnleashReader.list(object, "constraints"))
    return (number, UnleashProgram(compiler.parts))
  }

  private mutating func setName(_ name: UnsafeRawBufferPointer) {
    parts.name = append(name)
    parts.nameHash = JSONIndex.hash(name)
    parts.ownVariants.group = parts.name
  }

  /// The first fault is kept: correcting it shows the next.
  mutating func fail(_ cause: String) {
    if parts.fault == nil { parts.fault = cause }
  }

  // MARK: Strategies

  private mutating func addStrategy(_ object: Place) throws(UnleashFault) {
    try UnleashReader.object(object, "a strategy")
    let name = try UnleashReader.requiredText(object, "name")
    var parameters: Place?
    if let found = UnleashReader.member(object, "parameters") {
      try UnleashReader.object(found, "`parameters`")
      for (parameter, value) in found.pointee.members where value.kind != .text {
        throw UnleashFault(cause: "has the parameter `\(parameter.string ?? "")` that is no text", place: found)
      }
      parameters = found
    }
    var strategy = UnleashStrategy()
    strategy.constraints = try addConstraints(try UnleashReader.list(object, "constraints"))
    strategy.segments = try addSegments(try UnleashReader.list(object, "segments"))
    setRule(&strategy, name: name, parameters)
    let group = try parameters.flatMap { (place) throws(UnleashFault) in try UnleashReader.text(place, "groupId") }
    let groupText = group.map { append($0) } ?? parts.name
    strategy.variants = try variants(
      try UnleashReader.list(object, "variants"), ofStrategy: (parameters, groupText))
    if strategy.hasGroup { strategy.group = groupText }
    parts.strategies.append(strategy)
  }

  private mutating func setRule(_ strategy: inout UnleashStrategy, name: UnsafeRawBufferPointer, _ parameters: Place?) {
    func parameter(_ name: StaticString) -> UnsafeRawBufferPointer? {
      parameters.flatMap { UnleashReader.member($0, name) }.map(\.pointee.utf8)
    }
    strategy.hasGroup = parameter("groupId") != nil
    if equals(name, "default") {
      strategy.rule = .always
    } else if equals(name, "userWithId") {
      guard let ids = parameter("userIds") else { return }
      strategy.rule = .users
      strategy.list = addList(pieces(of: ids))
    } else if equals(name, "applicationHostname") {
      strategy.rule = .hosts
      let hosts = pieces(of: parameter("hostNames") ?? UnsafeRawBufferPointer(start: nil, count: 0))
      strategy.list = addList(hosts, inLowerCase: true)
    } else if equals(name, "remoteAddress") {
      guard let addresses = parameter("IPs") else { return }
      strategy.rule = .addresses
      strategy.ranges = addRanges(pieces(of: addresses))
    } else if equals(name, "gradualRolloutRandom") {
      guard let percent = wholeNumber(parameter("percentage")) else { return }
      strategy.rule = .draw
      strategy.percent = UInt32(min(percent, 100))
    } else if equals(name, "gradualRolloutUserId") || equals(name, "gradualRolloutSessionId") {
      guard let percent = wholeNumber(parameter("percentage")), strategy.hasGroup else { return }
      setRollout(&strategy, percent: percent)
      strategy.stickiness.field = equals(name, "gradualRolloutUserId") ? .userId : .sessionId
    } else if equals(name, "flexibleRollout") {
      guard let percent = wholeNumber(parameter("rollout")) else { return }
      setRollout(&strategy, percent: percent)
      let stickiness = parameter("stickiness")
      if let stickiness, equals(stickiness, "random") {
        strategy.stickiness.field = .drawn
      } else if let stickiness, !equals(stickiness, "default") {
        strategy.stickiness = attribute(stickiness)
      } else {
        strategy.stickiness.field = .preset
      }
    }
    // Any other name is a strategy of the client's own making, which is false wherever it is not known.
  }

  private mutating func setRollout(_ strategy: inout UnleashStrategy, percent: UInt64) {
    if percent > 100 { fail("rolls out to more than 100 percent") }
    strategy.rule = .rollout
    strategy.percent = UInt32(min(percent, 100))
  }

  /// Digits alone, with an optional plus sign.
  private func wholeNumber(_ text: UnsafeRawBufferPointer?) -> UInt64? {
    guard let text else { return nil }
    var digits = text[...]
    if digits.first == 0x2B { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in digits {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
      if overflow || carry { return nil }
      value = sum
    }
    return value
  }

  /// Between commas, without the spaces around.
  private func pieces(of text: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
    var result: [UnsafeRawBufferPointer] = []
    var start = 0
    for index in 0...text.count where index == text.count || text[index] == 0x2C {
      var scanner = TextScanner(UnsafeRawBufferPointer(rebasing: text[start..<index]))
      scanner.skipWhiteSpace()
      result.append(withoutSpaceAtEnd(UnsafeRawBufferPointer(rebasing: scanner.text[scanner.at...])))
      start = index + 1
    }
    return result
  }

  private func withoutSpaceAtEnd(_ text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var end = 0
    var at = 0
    while at < text.count {
      let (scalar, bytes) = decodeScalar(text, at: at)
      at += bytes
      if !isWhiteSpace(scalar) { end = at }
    }
    return UnsafeRawBufferPointer(rebasing: text[..<end])
  }

  private mutating func addSegments(_ numbers: UnsafeBufferPointer<JSONView>) throws(UnleashFault) -> UnleashRun {
    let start = parts.segmentNumbers.count
    try UnleashReader.each(numbers) { (place) throws(UnleashFault) in
      parts.segmentNumbers.append(try UnleashReader.number(place, "segments"))
    }
    return run(from: start, to: parts.segmentNumbers.count)
  }

  // MARK: Variants and dependencies

  private mutating func variants(
    _ list: UnsafeBufferPointer<JSONView>, ofStrategy strategy: (parameters: Place?, group: UnleashText)?
  ) throws(UnleashFault) -> UnleashVariants {
    var result = UnleashVariants()
    let start = parts.variants.count
    try UnleashReader.each(list) { (place) throws(UnleashFault) in
      try UnleashReader.object(place, "a variant")
      var variant = UnleashVariantRule()
      variant.name = append(try UnleashReader.requiredText(place, "name"))
      variant.weight = UInt32(bitPattern: try UnleashReader.integer(place, "weight"))
      _ = try UnleashReader.text(place, "stickiness")
      if let payload = UnleashReader.member(place, "payload") {
        try UnleashReader.object(payload, "`payload`")
        variant.hasPayload = true
        variant.payloadType = append(try UnleashReader.requiredText(payload, "type"))
        variant.payload = append(try UnleashReader.requiredText(payload, "value"))
      }
      if strategy == nil { variant.overrides = try addOverrides(try UnleashReader.list(place, "overrides")) }
      result.hasOverrides = result.hasOverrides || variant.overrides.count > 0
      result.totalWeight = result.totalWeight &+ variant.weight
      parts.variants.append(variant)
    }
    result.run = run(from: start, to: parts.variants.count)
    result.group = strategy?.group ?? parts.name
    if let strategy {
      result.stickiness = seed(
        try strategy.parameters.flatMap { (place) throws(UnleashFault) in
          try UnleashReader.text(place, "stickiness")
        })
    }
    return result
  }

  /// What variants are bucketed by. Of the named fields the reference knows all but the current time, which leaves
  /// chance.
  private mutating func seed(_ stickiness: UnsafeRawBufferPointer?) -> UnleashAttribute {
    guard let stickiness, !equals(stickiness, "default") else { return UnleashAttribute(field: .preset) }
    var attribute = attribute(stickiness)
    if attribute.field == .currentTime { attribute.field = .drawn }
    return attribute
  }

  private mutating func addOverrides(_ list: UnsafeBufferPointer<JSONView>) throws(UnleashFault) -> UnleashRun {
    let start = parts.overrides.count
    try UnleashReader.each(list) { (place) throws(UnleashFault) in
      try UnleashReader.object(place, "an override")
      let name = try UnleashReader.requiredText(place, "contextName")
      guard let values = try UnleashReader.texts(place, "values") else {
        throw UnleashFault(cause: "has an override without `values`", place: place)
      }
      parts.overrides.append(UnleashOverride(attribute: attribute(name), list: addList(values)))
    }
    return run(from: start, to: parts.overrides.count)
  }

  private mutating func addDependency(_ object: Place) throws(UnleashFault) {
    try UnleashReader.object(object, "a dependency")
    let feature = try UnleashReader.requiredText(object, "feature")
    parts.dependencies.append(
      UnleashDependency(
        feature: append(feature), hash: JSONIndex.hash(feature),
        wantsOn: try UnleashReader.truth(object, "enabled") ?? true,
        variants: addList(try UnleashReader.texts(object, "variants") ?? [])))
  }

  // MARK: Parts

  mutating func attribute(_ name: UnsafeRawBufferPointer) -> UnleashAttribute {
    let field = UnleashContext.Field(name: name)
    return field == .property ? property(name) : UnleashAttribute(field: field)
  }

  private mutating func property(_ name: UnsafeRawBufferPointer) -> UnleashAttribute {
    UnleashAttribute(field: .property, name: append(name), hash: JSONIndex.hash(name))
  }

  mutating func append(_ text: UnsafeRawBufferPointer) -> UnleashText {
    let start = parts.bytes.count
    parts.bytes.append(contentsOf: text)
    return UnleashText(start: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: text.count))
  }

  func run(from start: Int, to end: Int) -> UnleashRun {
    UnleashRun(start: UInt32(truncatingIfNeeded: start), count: UInt32(truncatingIfNeeded: end - start))
  }

  mutating func addRanges(_ texts: [UnsafeRawBufferPointer]) -> UnleashRun {
    let start = parts.ranges.count
    parts.ranges.append(contentsOf: texts.compactMap { AddressRange($0) })
    return run(from: start, to: parts.ranges.count)
  }

  /// A list, with a table when it is long.
  mutating func addList(_ values: [UnsafeRawBufferPointer], inLowerCase: Bool = false) -> UnleashList {
    let start = parts.texts.count
    for value in values {
      if inLowerCase {
        var lowered: [UInt8] = []
        LowerCase.write(value, to: &lowered)
        parts.texts.append(lowered.withUnsafeBytes { append($0) })
      } else {
        parts.texts.append(append(value))
      }
    }
    var list = UnleashList(run: run(from: start, to: parts.texts.count))
    guard values.count >= UnleashList.smallestTable else { return list }
    var places = 16
    while places < 2 * values.count { places *= 2 }
    var table = [UInt32](repeating: 0, count: places)
    parts.bytes.withUnsafeBytes { bytes in
      for (index, text) in parts.texts[start...].enumerated() {
        let value = UnsafeRawBufferPointer(rebasing: bytes[Int(text.start)..<Int(text.start + text.count)])
        var place = Int(JSONIndex.hash(value)) & (places - 1)
        while table[place] != 0 { place = (place + 1) & (places - 1) }
        table[place] = UInt32(index + 1)
      }
    }
    list.table = UInt32(parts.tables.count)
    list.tableMask = UInt32(places - 1)
    parts.tables.append(contentsOf: table)
    return list
  }
}
