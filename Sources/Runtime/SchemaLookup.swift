import Foundation
import Kernel
import Migrations

/// What one question about a schema needs of commits and artifacts, in folders that are gone when it is answered.
struct SchemaLookup: Sendable {
  let folder: String

  /// - Returns: what the work gave, or why no repetition of it could give anything.
  static func refusable<Answer: Sendable>(
    _ work: (SchemaLookup) async throws -> Answer
  ) async throws(Outage) -> Result<Answer, Refusal> {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-schema-\(UUID().uuidString)").path
    defer { removeTree(folder) }
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      return .success(try await work(SchemaLookup(folder: folder)))
    } catch let refusal as Refusal {
      // People know the repository's paths, not ours.
      return .failure(
        Refusal(refusal.kind, refusal.sentence.replacing(/\/[^ :,;]*\/(commit|merge|release)-[0-9a-f]+\//, with: "")))
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("disk", "\(folder) cannot be used", sources: ["\(error)"])
    }
  }

  // MARK: Questions

  /// A version wants to live on the schema. One from another repository than the migrations' brings none.
  func answer(
    _ ask: DatabaseSchema.Ask, _ order: DatabaseSchema.ExamineOrder, _ ports: Ports
  ) async throws -> SchemaAnswer {
    let policy = order.policy
    let use = policy.services.first { $0.service == ask.service }
    var migrations: Digest?
    if use?.repository == policy.repository {
      let checkout = try await checkOut(ask.commit, of: policy.repository, ports)
      migrations = try await ports.schemas.migrations(
        in: try path(policy.path, in: checkout, of: ask.commit), layout: policy.layout)
    }
    let known = order.versions.first { $0.service == ask.service && $0.digest == ask.digest }
    let coming = SchemaClient(
      service: ask.service, digest: ask.digest, commit: ask.commit, statements: known?.statements)
    let question = SchemaQuestion(
      place: policy.place, migrations: migrations, versions: try await collected(order, ports),
      coming: try await coming.with(statements(of: coming, order, ports)), leastCoverage: policy.coverage)
    return SchemaAnswer(examination: try await ports.schemas.examine(question), migrations: migrations)
  }

  /// A queued change, as it will be when it is landed on the trunk as it is.
  func answer(
    _ review: DatabaseSchema.Review, _ order: DatabaseSchema.ExamineOrder, _ ports: Ports
  ) async throws -> SchemaAnswer {
    let policy = order.policy
    let trunk = try await ports.forge.head(of: policy.trunk, in: policy.repository)
    let changed = try await ports.forge.changedPaths(from: trunk, to: review.head, in: policy.repository)
    let inside = changed.paths.filter { $0 == policy.path || $0.hasPrefix(policy.path + "/") }
    if changed.isComplete, inside.isEmpty { return try await nothingPending(order, migrations: nil, ports) }
    let merged = try await merge(review.head, onto: trunk, changed.isComplete ? inside : nil, policy, ports)
    let base = merged.base
    let migrations = try await ports.schemas.migrations(
      in: try path(policy.path, in: merged.folder, of: review.head), layout: policy.layout)
    if try await ports.schemas.marks(of: base) == ports.schemas.marks(of: migrations) {
      return try await nothingPending(order, migrations: migrations, ports)
    }
    let question = SchemaQuestion(
      place: policy.place, migrations: migrations, base: base, versions: try await collected(order, ports), coming: nil,
      leastCoverage: policy.coverage)
    return SchemaAnswer(examination: try await ports.schemas.examine(question), migrations: migrations)
  }

  /// Everything that lives on the schema as it is.
  func audit(_ order: DatabaseSchema.ExamineOrder, _ ports: Ports) async throws -> SchemaAnswer {
    let question = SchemaQuestion(
      place: order.policy.place, migrations: nil, versions: try await collected(order, ports), coming: nil,
      leastCoverage: order.policy.coverage)
    return SchemaAnswer(examination: try await ports.schemas.examine(question), migrations: nil)
  }

  /// The migrations of a commit up to the one that a person named.
  func marks(
    _ adoption: DatabaseSchema.Adoption, _ policy: DatabaseSchema.Policy, _ ports: Ports
  ) async throws -> [MigrationMark] {
    guard let through = adoption.through else { return [] }
    let checkout = try await checkOut(adoption.commit, of: policy.repository, ports)
    let blob = try await ports.schemas.migrations(
      in: try path(policy.path, in: checkout, of: adoption.commit), layout: policy.layout)
    let marks = try await ports.schemas.marks(of: blob)
    guard let index = marks.lastIndex(where: { $0.name == through }) else {
      let hint = nearestMatch(to: through, among: marks.map(\.name)).map { "; did you mean '\($0)'?" } ?? ""
      throw Refusal(.unknown, "\(adoption.commit.short) has no migration '\(through)' in \(policy.path)\(hint)")
    }
    return Array(marks[...index])
  }

  // MARK: Parts

  /// Who lives on a schema that stays as it is gets on with it as before. A database that is away holds up no change that
  /// has nothing for it.
  private func nothingPending(
    _ order: DatabaseSchema.ExamineOrder, migrations: Digest?, _ ports: Ports
  ) async throws -> SchemaAnswer {
    let survey: SchemaSurvey
    if let known = order.survey { survey = known } else { survey = try await ports.schemas.survey(order.policy.place) }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let report = try encoder.encode(MigrationReport(findings: [], checked: [], migrations: []))
    return SchemaAnswer(
      examination: SchemaExamination(
        survey: survey, pending: [], after: survey.schema, migration: .compatible, why: "",
        verdicts: order.versions.map { SchemaVerdict($0, .compatible) }, coming: nil, comingBefore: nil,
        report: try ports.blobs.put(Array(report))),
      migrations: migrations)
  }

  /// The trunk's migrations with what the change does to them: the same as git's merge where no file was changed on
  /// both sides, and where one was the queue finds the conflict.
  ///
  /// - Parameter paths: what the change touches; nil for whatever it has.
  /// - Returns: the merged checkout, and the blob of the trunk's own migrations.
  private func merge(
    _ head: CommitID, onto trunk: CommitID, _ paths: [String]?, _ policy: DatabaseSchema.Policy, _ ports: Ports
  ) async throws -> (folder: String, base: Digest) {
    let files = FileManager.default
    let change = try await checkOut(head, of: policy.repository, ports)
    let merged = "\(folder)/merge-\(head.rawValue)"
    try await ports.forge.checkOut(trunk, of: policy.repository, into: try fresh(merged))
    // The first change with migrations finds a trunk without any.
    let base =
      holdsMigrations("\(merged)/\(policy.path)")
      ? try await ports.schemas.migrations(in: "\(merged)/\(policy.path)", layout: policy.layout)
      : try ports.blobs.put(Array("[]".utf8))
    let all = files.enumerator(atPath: "\(change)/\(policy.path)")?.compactMap { $0 as? String } ?? []
    for path in paths ?? all.map({ "\(policy.path)/\($0)" }) {
      var isFolder: ObjCBool = false
      let isThere = files.fileExists(atPath: "\(change)/\(path)", isDirectory: &isFolder)
      if isFolder.boolValue { continue }
      if files.fileExists(atPath: "\(merged)/\(path)") { try files.removeItem(atPath: "\(merged)/\(path)") }
      guard isThere else { continue }
      try files.createDirectory(
        atPath: ("\(merged)/\(path)" as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try files.copyItem(atPath: "\(change)/\(path)", toPath: "\(merged)/\(path)")
    }
    return (merged, base)
  }

  /// The order's versions, each with what it sends. One whose recording cannot be read counts as one of which nothing is
  /// known: it lives already, and nobody can mend it.
  private func collected(_ order: DatabaseSchema.ExamineOrder, _ ports: Ports) async throws -> [SchemaClient] {
    var versions: [SchemaClient] = []
    for client in order.versions {
      do {
        versions.append(client.with(try await statements(of: client, order, ports)))
      } catch is Refusal {
        versions.append(client)
      }
    }
    return versions
  }

  /// The blob of all that is known of what a version sends; nil where nothing is.
  private func statements(
    of client: SchemaClient, _ order: DatabaseSchema.ExamineOrder, _ ports: Ports
  ) async throws -> Digest? {
    if let known = client.statements { return known }
    let sent = order.upload(of: client)
    let own: Digest?
    do {
      own = try await recorded(client, order.policy, ports)
    } catch let refusal as Refusal {
      // What was sent since mends a recording that cannot be read.
      guard sent != nil else { throw refusal }
      own = nil
    }
    guard let own else { return sent }
    guard let sent else { return own }
    let (held, told) = (try set(own, ports), try set(sent, ports))
    guard told.news(over: held) != nil else { return own }
    // Both are kept already.
    let both = KeptStatements.parts([
      .init(statements: own, count: held.statements.count), .init(statements: sent, count: told.statements.count),
    ])
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try ports.blobs.put(Array(try encoder.encode(both)))
  }

  private func set(_ blob: Digest, _ ports: Ports) throws -> StatementSet {
    try KeptStatements.joined(blob) { part in
      try JSONDecoder().decode(KeptStatements.self, from: Data(try ports.blobs.get(part)))
    }
  }

  /// The blob of what a version's artifact, or else its commit, holds of what it sends.
  private func recorded(
    _ client: SchemaClient, _ policy: DatabaseSchema.Policy, _ ports: Ports
  ) async throws -> Digest? {
    guard let use = policy.services.first(where: { $0.service == client.service }), let path = use.statements else {
      return nil
    }
    let release = "\(folder)/release-\(client.digest.hex)"
    try await ports.artifacts.unpack(client.digest, into: release)
    if FileManager.default.fileExists(atPath: "\(release)/\(path)") {
      return try await ports.schemas.statements(at: "\(release)/\(path)", version: client.digest)
    }
    removeTree(release)
    let checkout = try await checkOut(client.commit, of: use.repository, ports)
    guard FileManager.default.fileExists(atPath: "\(checkout)/\(path)") else { return nil }
    return try await ports.schemas.statements(at: "\(checkout)/\(path)", version: client.digest)
  }

  /// A file, or a folder with SQL in it.
  private func holdsMigrations(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return false }
    guard isFolder.boolValue else { return true }
    return FileManager.default.enumerator(atPath: path)?.contains { ($0 as? String)?.hasSuffix(".sql") ?? false }
      ?? false
  }

  private func checkOut(_ commit: CommitID, of repository: RepositoryName, _ ports: Ports) async throws -> String {
    let checkout = "\(folder)/commit-\(commit.rawValue)"
    if !FileManager.default.fileExists(atPath: checkout) {
      try await ports.forge.checkOut(commit, of: repository, into: try fresh(checkout))
    }
    return checkout
  }

  private func fresh(_ path: String) throws -> String {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    return path
  }

  /// - Throws: `Refusal` when it is not there: a slip of the hand in the configuration must not pass for a change
  ///   without migrations.
  private func path(_ path: String, in checkout: String, of commit: CommitID) throws(Refusal) -> String {
    guard FileManager.default.fileExists(atPath: "\(checkout)/\(path)") else {
      throw Refusal(
        .unknown,
        "\(commit.short) has no \(path), where its migrations should be; add it, or change 'migrations' in plimsoll.yaml"
      )
    }
    return "\(checkout)/\(path)"
  }
}

extension DatabaseSchema.ExamineOrder {
  /// The blob of what was sent of a version.
  fileprivate func upload(of client: SchemaClient) -> Digest? {
    uploads.first { ($0.service, $0.digest) == (client.service, client.digest) }?.statements
  }
}

extension SchemaClient {
  fileprivate func with(_ statements: Digest?) -> SchemaClient {
    SchemaClient(service: service, digest: digest, commit: commit, statements: statements)
  }
}

/// Folders of unpacked artifacts are read-only, which keeps all but root from removing what is in them.
private func removeTree(_ path: String) {
  let files = FileManager.default
  for case let item as String in files.enumerator(atPath: path) ?? FileManager.DirectoryEnumerator() {
    var isFolder: ObjCBool = false
    let whole = "\(path)/\(item)"
    guard (try? files.destinationOfSymbolicLink(atPath: whole)) == nil,
      files.fileExists(atPath: whole, isDirectory: &isFolder), isFolder.boolValue
    else { continue }
    try? files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: whole)
  }
  try? files.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
  try? files.removeItem(atPath: path)
}
