/// Enums, composite types, domains.
extension Examination {
  mutating func examineType(_ kind: String, _ fields: SQLNode) {
    switch kind {
    case "CreateEnumStmt":
      guard let name = QualifiedName(parts: fields["typeName"]) else { return }
      fresh.types.insert(name.name)
      report(
        .newEnum, "\(name.said) is an enum: no value of it can ever be removed, and a new one surprises old readers.",
        near: name.name, instead: "A text column with a CHECK, or a table of values.")
    case "CompositeTypeStmt": QualifiedName(fields["typevar"]).map { _ = fresh.types.insert($0.name) }
    case "AlterEnumStmt": examineEnum(fields)
    case "CreateDomainStmt":
      guard let name = QualifiedName(parts: fields["domainname"]) else { return }
      fresh.types.insert(name.name)
      if !fields.items("constraints").isEmpty {
        report(
          .constrainedDomain,
          "Domain \(name.said) has constraints: another rule later means reading every table that uses it.",
          near: name.name, instead: "A CHECK on the column.")
      }
    default: examineDomain(fields)
    }
  }

  private mutating func examineEnum(_ fields: SQLNode) {
    guard let name = QualifiedName(parts: fields["typeName"]), !fresh.types.contains(name.name),
      let new = fields.string("newVal")
    else { return }
    if let old = fields.string("oldVal") {
      report(
        .renameEnumValue,
        "Value '\(old)' of \(name.said) becomes '\(new)': statements that say '\(old)' fail with 22P02, and "
          + "old readers "
          + "meet a value they do not know.",
        near: name.name,
        instead: "ALTER TYPE \(name.sql) ADD VALUE '\(new)';  -- write it only when every live version reads it")
      return
    }
    let labels = catalog?.enums.first { $0.name == name.name && (name.schema == nil || $0.schema == name.schema) }?
      .labels
    if labels?.contains(new) == true { return }
    report(
      .addEnumValue,
      "\(name.said) gets the value '\(new)': once a new version writes it, an older one that reads the row "
        + "may fail, also "
        + "after a rollback.",
      near: name.name,
      instead:
        "Release a version that reads '\(new)' first; write it only when no older one is live or kept for rollback.")
  }

  private mutating func examineDomain(_ fields: SQLNode) {
    guard let name = QualifiedName(parts: fields["typeName"]), !fresh.types.contains(name.name) else { return }
    switch fields.string("subtype") {
    case "C", "O":
      report(
        .newDomainConstraint,
        "Domain \(name.said) refuses values (23514 or 23502) that versions could write before.", near: name.name,
        instead: "ALTER DOMAIN \(name.sql) ADD CONSTRAINT … CHECK (…) NOT VALID;  -- when every live version obeys it")
    case "X", "N":
      report(
        .dropConstraint,
        "Domain \(name.said) allows more than before: old readers may meet values they do not know.", near: name.name)
    case "T":
      if fields["def"] == nil {
        report(
          .dropDefault, "Domain \(name.said) loses its default: rows that leave the column out get NULL.",
          near: name.name)
      } else {
        report(
          .setDefault, "The default of domain \(name.said) changes for rows that old versions insert.", near: name.name)
      }
    default: break
    }
  }
}
