/// Who may do what: rights, row security, owners, settings.
extension Examination {
  mutating func examineAccess(_ kind: String, _ fields: SQLNode) {
    switch kind {
    case "GrantStmt":
      guard !fields.isTrue("is_grant") else { return }
      examineRevoke(fields)
    default:
      guard let table = QualifiedName(fields["table"]), !isFresh(table) else { return }
      let name = fields.string("policy_name") ?? ""
      fresh.others.insert(name)
      let enforced = known(table)?.rowSecurity ?? true
      guard enforced || fresh.rowSecurity.contains(table.name) else { return }
      let widens = kind == "CreatePolicyStmt" && fields.isTrue("permissive") && known(table)?.rowSecurity == true
      report(
        .policy, as: widens ? .note : nil,
        widens
          ? "Policy \(name) shows or lets be written more rows of \(table.said) than before."
          : "Policy \(name) changes which rows of \(table.said) are seen, and which may be written (42501).",
        near: name, instead: "Check it with the application's role: row security is not applied to owners.")
    }
  }

  private mutating func examineRevoke(_ fields: SQLNode) {
    let objects = fields.items("objects")
    let names = objects.compactMap { QualifiedName($0) ?? QualifiedName(parts: $0) }
    let left = names.filter {
      !isFresh($0) && !fresh.functions.contains($0.name) && !fresh.types.contains($0.name)
        && !fresh.others.contains($0.name)
    }
    guard names.isEmpty || !left.isEmpty else { return }
    let rights = fields.items("privileges").compactMap { $0.fields(of: "AccessPriv")?.string("priv_name") }
    let roles = fields.items("grantees").map { $0.fields(of: "RoleSpec")?.string("rolename") ?? "PUBLIC" }
    report(
      .revoke,
      "\(roles.joined(separator: ", ")) may no longer "
        + "\(rights.isEmpty ? "use" : rights.joined(separator: ", ").lowercased()) "
        + "\(left.isEmpty ? "these objects" : left.map(\.said).joined(separator: ", ")): its statements fail "
        + "with 42501.",
      near: left.first?.name,
      instead: "Release a version that does without the right; revoke it when no older version is live.")
  }

  mutating func examineRowSecurity(_ subtype: String, of table: QualifiedName) {
    let on = subtype == "AT_EnableRowSecurity" || subtype == "AT_ForceRowSecurity"
    if on { fresh.rowSecurity.insert(table.name) }
    if subtype == "AT_EnableRowSecurity", known(table)?.rowSecurity == true { return }
    report(
      .rowSecurity, as: on ? nil : .note,
      on
        ? "Row security on \(table.said): a role without a policy sees no rows, and its writes fail with 42501."
        : "Row security on \(table.said) is lifted: everyone with rights on it sees all rows.",
      near: table.name,
      instead: on
        ? "CREATE POLICY … ON \(table.sql) TO … USING (true) WITH CHECK (true);  -- for the application's role, first"
        : nil)
  }

  mutating func examineOwner(of object: QualifiedName, to role: String?) {
    report(
      .changeOwner,
      "\(object.said) gets the owner \(role ?? "of another name"): a role that had its rights as owner loses "
        + "them (42501).",
      near: object.name)
  }

  /// Options of a sequence after which nextval() may fail (2200H) or give what was given before.
  private static let limitingOptions: Set<String> = ["as", "maxvalue", "minvalue", "restart", "increment"]

  mutating func examineSettings(_ kind: String, _ fields: SQLNode) {
    switch kind {
    case "AlterSeqStmt":
      guard let name = QualifiedName(fields["sequence"]), !fresh.others.contains(name.name) else { return }
      let options = fields.items("options").compactMap { $0.fields(of: "DefElem")?.string("defname") }
      guard options.contains(where: { $0 != "owned_by" }) else { return }
      let limiting = !Set(options).isDisjoint(with: Self.limitingOptions)
      report(
        .alterSequence, as: limiting ? .hazard : nil,
        "Sequence \(name.said) counts otherwise: its next values may be taken, or be too large for old readers.",
        near: name.name)
    case "AlterExtensionStmt", "AlterExtensionContentsStmt":
      report(
        .alterExtension,
        "Extension \(fields.string("extname") ?? "") changes: its functions and types may be others from now on.")
    case "AlterOwnerStmt":
      guard let name = QualifiedName(parts: fields["object"]) ?? QualifiedName(fields["relation"]),
        !fresh.functions.contains(name.name), !fresh.types.contains(name.name)
      else { return }
      examineOwner(of: name, to: fields["newowner"]?.string("rolename"))
    default:
      let what = kind.hasPrefix("AlterRole") ? "role" : kind.hasPrefix("AlterSystem") ? "server" : "database"
      report(
        .alterSettings,
        "A setting of the \(what) changes for every connection that is made from now on, of every version.")
    }
  }
}
