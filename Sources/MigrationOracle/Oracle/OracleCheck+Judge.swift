import Migrations

extension OracleCheck {
  struct Judged: Sendable {
    var findings: [Finding]
    var checked: [MigrationReport.CheckedVersion]
    /// Whether nothing was changed for good in the database before.
    var keepsBefore: Bool
    /// What traffic can be made of: statements that hold, with their roles and values.
    var traffic: TrafficReplay.Traffic
  }

  /// Something that is wrong, before it is known which line of the migration did it.
  private struct Issue {
    var candidate: Candidate?
    var kind: Finding.Kind
    var level: Finding.Level
    var rule: String
    var message: String
    var error: PostgresError?
    var advice: String?
    var probe: Attribution.Probe?
  }

  func judge(
    _ old: [Candidate], _ new: [Candidate], _ control: Control, _ schema: Schema, thinnings: [String]
  ) throws -> Judged {
    let beforeTrial = control.trial.trial
    let afterTrial = try Trial(PostgresConnection(after, statementSeconds: Self.trialSeconds))
    let rows = try rowsBefore(without: thinnings)
    let difference = SchemaDifference(before: prepared.schema, after: schema)
    let roles = control.old.map(\.role)
    let now = try afterTrial.prepare(old, Array(old.indices), roles: roles)
    var fates = [Fate](repeating: .held, count: old.count)
    var issues: [Issue] = []
    var notes: [Finding] = []
    for (index, (was, isNow)) in zip(control.old, now).enumerated() {
      if let error = was.error {
        (fates[index], notes) = (
          error.sqlState == "42601" ? .undecided : .brokenBefore, notes + [before(old[index], error)]
        )
      } else if let error = isNow.error {
        fates[index] = .broken
        issues.append(issue(old[index], error, isNow))
      } else if old[index].reading.kind == .session {
        continue
      }
    }
    let sound = old.indices.filter { fates[$0] == .held }
    var values: [Int: [String?]] = [:]
    issues += try executions(
      old, sound, control.old, roles, difference, beforeTrial, afterTrial, rows, &fates, &values)
    issues += hazards(old, sound.filter { fates[$0] == .held }, control.old, now, difference, &fates)
    issues += try procedures(old, difference, &fates)
    notes += try order(new, control, now, afterTrial)
    notes += replaced(difference, old)
    let (findings, keepsBefore) = try attribute(issues)
    let held = old.indices.filter { fates[$0] == .held && old[$0].reading.kind != .session }
    return Judged(
      findings: findings + notes, checked: question.old.map { checked($0, old, fates) },
      keepsBefore: keepsBefore,
      traffic: TrafficReplay.Traffic(
        candidates: held.map { old[$0] }, roles: held.map { roles[$0] }, values: held.map { values[$0] }))
  }

  /// The rows that the migration met, in the database before too.
  private func rowsBefore(without thinnings: [String]) throws -> ExistingRows {
    let address = before
    guard !thinnings.isEmpty else { return ExistingRows(prepared.rows) { try PostgresConnection(address) } }
    let owner = try PostgresConnection(address)
    for thinning in thinnings {
      // A table that the migration made or renamed is not there before: then nothing refers to its rows either.
      do { try owner.query(thinning) } catch is PostgresError { continue }
    }
    return ExistingRows(owner)
  }

  enum Fate { case held, broken, brokenBefore, undecided }

  private func checked(
    _ set: StatementSet, _ candidates: [Candidate], _ fates: [Fate]
  ) -> MigrationReport.CheckedVersion {
    let mine = zip(candidates, fates).filter { $0.0.references.contains { $0.version == set.version } }.map(\.1)
    func count(_ fate: Fate) -> Int { mine.count { $0 == fate } }
    return MigrationReport.CheckedVersion(
      version: set.version, statements: mine.count, held: count(.held), broken: count(.broken),
      brokenBefore: count(.brokenBefore), undecided: count(.undecided))
  }

  // MARK: L1 and L2

  private func before(_ candidate: Candidate, _ error: PostgresError) -> Finding {
    let title = OracleFindings.title(candidate)
    guard error.sqlState == "42601" else {
      return Finding(
        .note, .parse, rule: "broken-before", "“\(title)” does not run before the migration either: \(error)",
        statement: candidate.references.first, sqlState: error.sqlState, direction: .oldCodeNewSchema)
    }
    return Finding(
      .inconclusive, .parse, rule: "unread-statement",
      "the shadow server does not read “\(title)”: \(error); if it is of a newer version's grammar, give the URL of a"
        + " server of production's version", statement: candidate.references.first, sqlState: error.sqlState,
      direction: .oldCodeNewSchema)
  }

  private func issue(_ candidate: Candidate, _ error: PostgresError, _ outcome: Trial.Outcome) -> Issue {
    Issue(
      candidate: candidate, kind: error.sqlState == "57014" ? .inconclusive : .breaks,
      level: outcome.failedAtPlan ? .plan : .parse, rule: "sqlstate-\(error.sqlState)", message: "\(error)",
      error: error,
      probe: .statement(candidate, role: outcome.role, nil))
  }

  // MARK: L3

  private func executions(
    _ candidates: [Candidate], _ sound: [Int], _ outcomes: [Trial.Outcome], _ roles: [String],
    _ difference: SchemaDifference, _ beforeTrial: Trial, _ afterTrial: Trial, _ rows: ExistingRows,
    _ fates: inout [Fate], _ values: inout [Int: [String?]]
  ) throws -> [Issue] {
    let guarded = difference.guarded
    let tried = sound.filter { index in
      difference.executes(candidates[index])
        || outcomes[index].shape?.parameters.contains(PostgresType.regclass) ?? false
        || difference.relations(candidates[index].reading.tables, of: candidates[index]).contains {
          guarded.contains($0.oid)
        }
    }
    let trials = WriteTrials(
      candidates, roles: roles, difference: difference, before: beforeTrial, after: afterTrial, rows: rows,
      triggerBodies: try triggerBodies(difference), bodiesBefore: bodies)
    try trials.run(tried.compactMap { index in outcomes[index].shape.map { (index, $0) } })
    values = trials.values
    var issues: [Issue] = []
    var unexecuted: [String] = []
    for index in trials.verdicts.keys.sorted() where index < candidates.count {
      let candidate = candidates[index]
      switch trials.verdicts[index] {
      case .held, nil: continue
      case .broke(let error, let execution, let how, let beyond):
        fates[index] = beyond ? .held : .broken
        issues.append(
          Issue(
            candidate: candidate, kind: beyond ? .hazard : .breaks, level: .execute, rule: "sqlstate-\(error.sqlState)",
            message: "\(error), \(how)" + (beyond ? "; no recording shows such a value" : ""), error: error,
            probe: .statement(trials.failing[index] ?? candidate, role: roles[index], execution)))
      case .didNothing(let execution, let count, let how):
        fates[index] = .broken
        issues.append(
          Issue(
            candidate: candidate, kind: .breaks, level: .execute, rule: "write-does-nothing",
            message: "it wrote \(count) \(count == 1 ? "row" : "rows") before and writes none now, without an error: a"
              + " trigger or a rule swallows it, \(how)",
            advice: "Let the trigger return the row, or the rule do the write as well, until no live version sends it.",
            probe: .effect(trials.failing[index] ?? candidate, role: roles[index], execution)))
      case .lostRows(let count):
        fates[index] = .broken
        issues.append(
          Issue(
            candidate: candidate, kind: .breaks, level: .execute, rule: "row-security-hides-rows",
            message: "it found \(count) of the shadow's rows before and finds none now: a policy hides them",
            advice: "Create the policies that let the application's role work in the same migration.",
            probe: .condition(
              "SELECT bool_or(relrowsecurity) FROM pg_class WHERE oid = ANY(ARRAY[\(guarded.sorted().map(String.init).joined(separator: ","))]::oid[])"
            )))
      case .undecided(let error):
        guard difference.mayRefuse(candidate) else {
          unexecuted.append(OracleFindings.title(candidate))
          continue
        }
        fates[index] = .undecided
        issues.append(
          Issue(
            candidate: candidate, kind: .inconclusive, level: .execute, rule: "not-executed",
            message: "no values were found with which it runs before the migration (\(error)); record it with values"))
      case .untried(let error, let how):
        fates[index] = .undecided
        issues.append(
          Issue(
            candidate: candidate, kind: .inconclusive, level: .execute, rule: "not-tried",
            message: "it runs before the migration \(how), and after it rows cannot be brought into that state to try"
              + " (\(error)); try it by hand"))
      }
    }
    if let first = unexecuted.first {
      issues.append(
        Issue(
          candidate: nil, kind: .note, level: .execute, rule: "not-executed",
          message: "\(unexecuted.count) writes could not be executed with values made up, such as “\(first)”; the"
            + " migration changes nothing that could refuse them"))
    }
    return issues
  }

  /// What functions do before the migration.
  private func bodies(_ functions: [UInt32]) throws -> [String] {
    let list = functions.map(String.init).joined(separator: ", ")
    return try PostgresConnection(before).query("SELECT prosrc FROM pg_proc WHERE oid IN (\(list))").rows.compactMap {
      $0[0]
    }
  }

  /// What new and changed triggers run, after the migration.
  private func triggerBodies(_ difference: SchemaDifference) throws -> [UInt32: String] {
    let functions = Set(difference.before.relations.flatMap { difference.changedTriggers($0).map(\.function) })
    guard !functions.isEmpty else { return [:] }
    let list = functions.sorted().map(String.init).joined(separator: ", ")
    let rows = try PostgresConnection(after).query("SELECT oid, prosrc FROM pg_proc WHERE oid IN (\(list))").rows
    return Dictionary(rows.compactMap { row in row[0].flatMap(UInt32.init).map { ($0, row[1] ?? "") } }) { first, _ in
      first
    }
  }

  // MARK: L4

  private func hazards(
    _ candidates: [Candidate], _ sound: [Int], _ before: [Trial.Outcome], _ after: [Trial.Outcome],
    _ difference: SchemaDifference, _ fates: inout [Fate]
  ) -> [Issue] {
    let hazards = ReaderHazards(difference: difference)
    let placed = PlacedValues(difference: difference)
    var issues: [Issue] = []
    var places: [String: Int] = [:]
    var readers: [String: Int] = [:]
    for index in sound {
      guard let was = before[index].shape, let isNow = after[index].shape else { continue }
      let read = hazards.judge(candidates[index], role: before[index].role, before: was, after: isNow)
      for judgement in read + placed.judge(candidates[index]) {
        let issue = Issue(
          candidate: candidates[index], kind: judgement.kind, level: .shape, rule: judgement.rule,
          message: judgement.message, advice: judgement.instead, probe: judgement.probe)
        if judgement.kind == .breaks {
          fates[index] = .broken
          issues.append(issue)
          continue
        }
        // Fifty statements that read one column are one hazard.
        readers[judgement.message, default: 0] += 1
        if places[judgement.message] == nil {
          places[judgement.message] = issues.count
          issues.append(issue)
        }
      }
    }
    for (message, place) in places {
      let count = readers[message] ?? 1
      if count > 1 { issues[place].message += " (\(count) statements)" }
    }
    return issues
  }

  // MARK: Bodies of functions

  private func procedures(
    _ candidates: [Candidate], _ difference: SchemaDifference, _ fates: inout [Fate]
  ) throws -> [Issue] {
    guard !difference.isEmpty, ProceduralCheck.applies(difference.after) else { return [] }
    let was = try ProceduralCheck.complaints(PostgresConnection(before), difference.before)
    let isNow = try ProceduralCheck.complaints(PostgresConnection(after), difference.after)
    guard let was, let isNow else {
      return [
        Issue(
          candidate: nil, kind: .note, level: .parse, rule: "plpgsql-not-checked",
          message: "the bodies of PL/pgSQL functions were not checked: install the extension plpgsql_check")
      ]
    }
    let known = Set(was.map { "\($0.oid) \($0.message)" })
    return isNow.filter { !known.contains("\($0.oid) \($0.message)") }.map { complaint in
      let name = String(complaint.function.prefix { $0 != "(" }.split(separator: ".").last ?? "")
      let place = candidates.indices.first { index in
        let candidate = candidates[index]
        return candidate.reading.functions.contains(name)
          || difference.relations(candidate.reading.written, of: candidate).contains { relation in
            difference.now(relation.oid)?.triggers.contains { $0.function == complaint.oid } ?? false
          }
      }
      let caller = place.map { candidates[$0] }
      if let place, fates[place] == .held { fates[place] = .broken }
      var error = PostgresError(sqlState: complaint.sqlState, message: complaint.message)
      error.detail = "line \(complaint.line) of \(complaint.function)"
      return Issue(
        candidate: caller, kind: caller == nil ? .hazard : .breaks, level: .parse,
        rule: "sqlstate-\(complaint.sqlState)",
        message: "the function \(complaint.function) fails at its line \(complaint.line): \(complaint.message)"
          + (caller == nil ? "; no captured statement is seen to call it" : ""), error: error,
        probe: .condition(complaint.probe))
    }
  }

  // MARK: L5

  private func order(
    _ new: [Candidate], _ control: Control, _ old: [Trial.Outcome], _ trial: Trial
  ) throws -> [Finding] {
    guard !new.isEmpty else { return [] }
    let before = control.new
    let rest = new.indices.filter { control.shared[$0] == nil }
    let tried = try Trial(beside: trial).prepare(new, rest, roles: before.map(\.role))
    var after = new.indices.map { index in
      control.shared[index].map { old[$0] } ?? Trial.Outcome(role: before[index].role)
    }
    for (index, outcome) in zip(rest, tried) { after[index] = outcome }
    var findings: [Finding] = []
    let needy = new.indices.filter { before[$0].error != nil && after[$0].error == nil }
    if let first = needy.first, let error = before[first].error {
      findings.append(
        Finding(
          .note, .reverse, rule: "migration-first",
          "migration first, then code: \(needy.count) of \(new.count) statements of the new version do not run on the schema"
            + " before it, such as “\(OracleFindings.title(new[first]))”: \(error)",
          statement: new[first].references.first,
          sqlState: error.sqlState, direction: .newCodeOldSchema))
    } else {
      findings.append(
        Finding(
          .note, .reverse, rule: "any-order",
          "code may go before the migration: all statements of the new version that run after it run before it too",
          direction: .newCodeOldSchema))
    }
    for index in new.indices where before[index].error == nil {
      guard let error = after[index].error else { continue }
      findings.append(
        Finding(
          .breaks, .reverse, rule: "sqlstate-\(error.sqlState)",
          "“\(OracleFindings.title(new[index]))” of the new version runs before the migration and not after it: \(error)",
          statement: new[index].references.first, sqlState: error.sqlState))
    }
    for index in new.indices where before[index].error != nil {
      guard let error = after[index].error else { continue }
      findings.append(
        Finding(
          .note, .reverse, rule: "new-code-new-schema",
          "“\(OracleFindings.title(new[index]))” of the new version runs neither before nor after the migration: \(error)",
          statement: new[index].references.first, sqlState: error.sqlState))
    }
    return findings
  }

  /// Rights that were assumed go to new objects too, which a real role might not get.
  private func replaced(_ difference: SchemaDifference, _ candidates: [Candidate]) -> [Finding] {
    guard role.assumed else { return [] }
    return difference.after.relations.compactMap { relation in
      let old = difference.before.relations.first { $0.schema == relation.schema && $0.name == relation.name }
      guard let old, old.oid != relation.oid else { return nil }
      return Finding(
        .note, .plan, rule: "grants-of-replaced-table",
        "\(relation.label) is another object after the migration: grant the application's role what it had, unless it owns"
          + " its tables")
    }
  }

  // MARK: Which line

  private func attribute(_ issues: [Issue]) throws -> (findings: [Finding], keepsBefore: Bool) {
    let probes = issues.compactMap(\.probe)
    let attribution = probes.isEmpty ? nil : try Attribution(PostgresConnection(before))
    let found = try attribution?.find(probes, in: question.migration) ?? []
    var next = 0
    let findings = issues.flatMap { issue -> [Finding] in
      var culprit: MigrationStatement?
      if issue.probe != nil {
        culprit = found[next]
        next += 1
      }
      let only = question.migration.flatMap(\.statements)
      if culprit == nil, issue.kind != .note, only.count == 1 { culprit = only.first }
      var finding = Finding(
        issue.kind, issue.level, rule: issue.rule, issue.message, migration: culprit?.spot,
        sqlState: issue.error?.sqlState, direction: issue.candidate == nil ? nil : .oldCodeNewSchema)
      if issue.kind == .breaks || issue.kind == .hazard {
        finding.instead = issue.advice ?? Advice.instead(issue.error, culprit?.tree)
      }
      guard let candidate = issue.candidate else { return [finding] }
      finding.message = "“\(OracleFindings.title(candidate))”: \(issue.message)"
      // Each version that breaks is named; what is only worth knowing is said once.
      return (issue.kind == .breaks ? candidate.references : Array(candidate.references.prefix(1))).map { reference in
        var copy = finding
        copy.statement = reference
        return copy
      }
    }
    return (findings, attribution == nil || Attribution.leavesNothing(question.migration))
  }
}
