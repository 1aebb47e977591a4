import Migrations

/// Functions, triggers and rules, and blocks of procedural code.
extension Examination {
  mutating func examineFunction(_ kind: String, _ fields: SQLNode) {
    guard kind == "CreateFunctionStmt" else {
      guard let name = QualifiedName(parts: fields["func"]?["objname"]), !fresh.functions.contains(name.name) else {
        return
      }
      report(
        .alterFunction,
        "Function \(name.said) runs under other options: its rights, its volatility or its settings change for all who "
          + "call it.",
        near: name.name)
      return
    }
    guard let name = QualifiedName(parts: fields["funcname"]) else { return }
    let remade = fresh.functions.contains(name.name)
    fresh.functions.insert(name.name)
    guard !remade, let catalog else { return }
    let namesakes = catalog.functions.filter {
      $0.signature.hasPrefix("\(name.name)(") && (name.schema == nil || $0.schema == name.schema)
    }
    guard !namesakes.isEmpty else { return }
    let inputs = fields.items("parameters").compactMap { $0.fields(of: "FunctionParameter") }
      .filter { !["FUNC_PARAM_OUT", "FUNC_PARAM_TABLE"].contains($0.string("mode")) }
    let types = inputs.map { ColumnType($0["argType"])?.base ?? "" }
    if namesakes.contains(where: { Self.takes(types, $0.signature) }) {
      report(
        .replaceFunction, "Function \(name.said) gets another body: whoever calls it meets another behaviour.",
        near: name.name, instead: "With another meaning: another name, beside the old one.")
      return
    }
    let least = inputs.count { $0["defexpr"] == nil }
    let variadic = inputs.contains { $0.string("mode") == "FUNC_PARAM_VARIADIC" }
    let ambiguous = namesakes.contains {
      let count = Self.arguments(of: $0.signature).count
      return count >= least && (variadic || count <= inputs.count)
    }
    guard ambiguous, !isDropped(name) else { return }
    report(
      .functionOverload,
      "\(name.said) gets a second form that calls of the first may match as well: a call with literals or untyped "
        + "parameters fails with 42725.",
      near: name.name, instead: "Give the new form another name.")
  }

  private func isDropped(_ name: QualifiedName) -> Bool {
    findings.contains { $0.rule == MigrationRule.dropFunction.rawValue && $0.message.contains("\(name.name) ") }
  }

  /// Whether the signature's arguments are of these types; each may stand behind its name, as in `rebate(amount
  /// integer)`.
  private static func takes(_ types: [String], _ signature: String) -> Bool {
    let arguments = arguments(of: signature)
    return arguments.count == types.count && zip(arguments, types).allSatisfy { $0 == $1 || $0.hasSuffix(" \($1)") }
  }

  /// The inputs between the outermost parentheses, without modifiers.
  private static func arguments(of signature: String) -> [String] {
    guard let open = signature.firstIndex(of: "("), let close = signature.lastIndex(of: ")"), open < close else {
      return []
    }
    return signature[signature.index(after: open)..<close].split(separator: ",")
      .map { ColumnType(printed: String($0.drop { $0 == " " })).base }.filter { !$0.hasPrefix("OUT ") }
  }

  mutating func examineTrigger(_ kind: String, _ fields: SQLNode) {
    guard let table = QualifiedName(fields["relation"]) else { return }
    if kind == "RuleStmt" {
      guard !isFresh(table), !fresh.others.contains(table.name) else { return }
      report(
        .newRule,
        "A rule on \(table.said) rewrites statements of every version from now on.", near: fields.string("rulename"),
        instead: "A trigger, which sees rows and not statements.")
      return
    }
    guard let name = fields.string("trigname") else { return }
    fresh.others.insert(name)
    guard !isFresh(table) else { return }
    take(TableLock(.shareRowExclusive, on: table), near: name)
    let known = known(table)?.triggers.contains(name) == true
    report(
      .newTrigger, as: known ? .note : nil,
      "Trigger \(name) on \(table.said) \(known ? "is made anew: it runs" : "runs") inside the writes of every version "
        + "and may refuse, change or slow them.",
      near: name, instead: "Let it never raise, and touch only columns that old versions do not read.")
  }

  // MARK: DO

  /// The plain statements of a block are examined as if they stood in the script, whatever their condition; what is
  /// put together at run time cannot be.
  mutating func examineBlock(_ fields: SQLNode) {
    let block = statement
    let language = fields.items("args").compactMap { $0.fields(of: "DefElem") }
      .first { $0.string("defname") == "language" }?["arg"]?.names.first
    guard language ?? "plpgsql" == "plpgsql", let tree = SQLParser.proceduralTree(block.text) else {
      report(
        .dynamicStatement, "This block is not PL/pgSQL that could be read: only the schema after it shows what it did.")
      return
    }
    var texts: [String] = []
    var dynamic = false
    tree.walk { kind, fields in
      if kind == "PLpgSQL_stmt_dynexecute" || kind == "PLpgSQL_stmt_dynfors" { dynamic = true }
      if kind == "PLpgSQL_stmt_execsql", let text = fields["sqlstmt"]?.fields(of: "PLpgSQL_expr")?.string("query") {
        texts.append(text)
      }
    }
    for text in texts {
      guard let inner = (try? SQLParser.parse(text))?.first, inner.kind != "SelectStmt" else { continue }
      let offset = block.text.firstRange(of: text).map {
        block.text.utf8.distance(from: block.text.startIndex, to: $0.lowerBound)
      }
      statement = MigrationStatement(text: text, spot: block.spot(at: offset ?? 0), tree: inner)
      examineInner(inner)
    }
    statement = block
    if dynamic {
      report(
        .dynamicStatement,
        "This block puts statements together at run time: only the schema after it shows what it did.", near: "execute")
    }
  }
}
