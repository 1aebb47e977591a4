/// Rules as they are, but for what only we know.
extension FlagdRules {
  /// Operations whose rules see another context than the flag does.
  private static let loops = ["map", "filter", "reduce", "all", "some", "none"]

  /// Operations that a flag may use which is written into another: none of them fails, so that the other flag fails no
  /// sooner than we do, and none sees whose rule it is.
  private static let harmless = [
    "var", "if", "?:", "and", "or", "!", "!!", "==", "===", "!=", "!==", "<", "<=", ">", ">=", "in", "cat",
    "fractional", "starts_with", "ends_with", "sem_ver", "segment", "$ref",
  ]

  func write(_ view: JSONView, _ scope: Scope, to text: inout [UInt8]) throws(Gap) {
    guard text.count <= FlagdDocument.flagLimit else { throw Self.tooLong }
    switch view.kind {
    case .array: try writeList(view, scope, to: &text)
    case .object where view.count == 1:
      try writeOperation(view, view.children[0].string ?? "", view.children[1], scope, to: &text)
    // Objects without or with several members are data in JSONLogic.
    default: JSONWriter.write(view, to: &text)
    }
  }

  private func writeList(_ list: JSONView, _ scope: Scope, to text: inout [UInt8]) throws(Gap) {
    text.append(UInt8(ascii: "["))
    for (position, element) in list.elements.enumerated() {
      if position > 0 { text.append(UInt8(ascii: ",")) }
      try write(element, scope, to: &text)
    }
    text.append(UInt8(ascii: "]"))
  }

  private func writeOperation(
    _ view: JSONView, _ name: String, _ arguments: JSONView, _ scope: Scope, to text: inout [UInt8]
  ) throws(Gap) {
    if let guest = scope.guest {
      guard Self.harmless.contains(name) else {
        throw Gap(cause: "needs `\(guest)`, whose targeting uses `\(name)`")
      }
      if let replacement = try ownName(of: guest, name, arguments) {
        return text.append(contentsOf: replacement)
      }
    }
    if name == "$ref", let target = arguments.string, let rule = evaluators[target],
      !scope.references.contains(target)
    {
      var inner = scope
      inner.references.append(target)
      inner.knowsSegments = false
      return try write(rule, inner, to: &text)
    }
    if name == "segment", scope.knowsSegments {
      return try writeSegment(arguments, scope, to: &text)
    }
    text.append(UInt8(ascii: "{"))
    JSONFragment.quoted(name, to: &text)
    text.append(UInt8(ascii: ":"))
    if Self.loops.contains(name), arguments.kind == .array {
      var inner = scope
      inner.isInLoop = true
      text.append(UInt8(ascii: "["))
      for (position, argument) in arguments.elements.enumerated() {
        if position > 0 { text.append(UInt8(ascii: ",")) }
        // The third argument of `reduce` is data.
        if position > 1 {
          JSONWriter.write(argument, to: &text)
        } else {
          try write(argument, position == 0 ? scope : inner, to: &text)
        }
      }
      text.append(UInt8(ascii: "]"))
    } else {
      try write(arguments, scope, to: &text)
    }
    text.append(UInt8(ascii: "}"))
  }

  /// Of a rule that is written into another flag: what depends on whose rule it is, as a constant.
  private func ownName(of guest: String, _ name: String, _ arguments: JSONView) throws(Gap) -> [UInt8]? {
    switch name {
    case "fractional":
      // Without a bucketing value it hashes the flag's own key together with the subject.
      let first = arguments.kind == .array ? arguments.elements.first : arguments
      if let first, first.kind != .array { return nil }
      throw Gap(cause: "needs `\(guest)`, whose `fractional` has no bucketing value")
    case "var":
      let path = arguments.kind == .array ? arguments.elements.first : arguments
      guard arguments.kind != .array || arguments.count <= 2, let path = path?.string, !path.isEmpty,
        path != "$flagd"
      else { throw Gap(cause: "needs `\(guest)`, which looks at its whole context") }
      guard path.hasPrefix("$flagd."), path != "$flagd.timestamp" else { return nil }
      guard path == "$flagd.flagKey" else {
        throw Gap(cause: "needs `\(guest)`, which looks at its whole context")
      }
      return JSONFragment.quoted(guest)
    default: return nil
    }
  }

  private func writeSegment(_ arguments: JSONView, _ scope: Scope, to text: inout [UInt8]) throws(Gap) {
    guard let name = (arguments.kind == .array ? arguments.elements.first : arguments)?.string,
      let segment = segments[name]
    else { throw Gap(cause: "asks for a segment without a name") }
    guard !scope.isInLoop else { throw Gap(cause: "asks for segment `\(name)` within a loop") }
    if let rule = segment.member("rule") {
      var inner = scope
      inner.knowsSegments = false
      text.append(contentsOf: "{\"!!\":[".utf8)
      try write(rule, inner, to: &text)
      return text.append(contentsOf: "]}".utf8)
    }
    let items = segment.member("items") ?? .null
    text.append(contentsOf: "{\"in\":[".utf8)
    text.append(contentsOf: JSONFragment.variable(segment.member("attribute")?.string ?? "targetingKey"))
    text.append(contentsOf: ",[".utf8)
    var isFirst = true
    for item in items.elements {
      switch item.kind {
      // A subject that is missing is in no segment, whatever the list says.
      case .null: continue
      case .array, .object, .operation: throw Gap(cause: "asks for segment `\(name)`, which lists lists or objects")
      case .boolean, .integer, .double, .text: break
      }
      if !isFirst { text.append(UInt8(ascii: ",")) }
      isFirst = false
      JSONWriter.write(item, to: &text)
    }
    text.append(contentsOf: "]]}".utf8)
    guard text.count <= FlagdDocument.flagLimit else { throw Self.tooLong }
  }

  /// Whether a rule gives nothing but null and texts that are not empty, as far as can be seen without a context.
  func givesNames(_ view: JSONView, _ references: [String]) -> Bool {
    switch view.kind {
    case .null: return true
    case .text: return view.count > 0
    case .boolean, .integer, .double, .array, .operation: return false
    case .object: break
    }
    guard view.count == 1, let name = view.children[0].string else { return false }
    let arguments = view.children[1]
    switch name {
    case "$ref":
      guard let target = arguments.string, let rule = evaluators[target], !references.contains(target) else {
        return false
      }
      return givesNames(rule, references + [target])
    case "if", "?:":
      guard arguments.kind == .array, arguments.count >= 2 else { return false }
      return arguments.elements.enumerated().allSatisfy { position, branch in
        let isCondition = position.isMultiple(of: 2) && position + 1 < Int(arguments.count)
        return isCondition || givesNames(branch, references)
      }
    case "or", "and":
      guard arguments.kind == .array, arguments.count >= 1 else { return false }
      return arguments.elements.allSatisfy { givesNames($0, references) }
    case "fractional":
      guard arguments.kind == .array, let first = arguments.elements.first else { return false }
      return arguments.elements.dropFirst(first.kind == .array ? 0 : 1).allSatisfy { share in
        share.kind == .array && share.count >= 1 && givesNames(share.children[0], references)
      }
    default: return false
    }
  }
}
