import Kernel
import MergeQueues
import Migrations
import Rollouts
import Yams

extension PlimsollFile {
  /// Where one database of one environment is, and how it is used: known to this process alone.
  package struct DatabasePlace: Equatable, Sendable {
    package let place: SchemaPlace
    /// Whoever applies migrations; it may hold a password.
    package let url: VariableSource.Source
    /// Whom the applications connect as; nil for the one of the URL.
    package let role: String?
    /// A CSV file of table sizes, absolute; nil for the database's own estimates.
    package let sizes: String?
  }
}

/// One database as the file describes it, before it is known who uses it.
struct DatabaseDraft {
  struct Place {
    let environment: EnvironmentName
    let url: PlimsollFile.VariableSource.Source
    let sizes: String?
  }
  enum Tolerance: String, CaseIterable {
    case allow, refuse
  }
  let name: DatabaseName
  /// Where problems of the whole database are said.
  let node: Node
  let path: String
  var layout: String?
  /// Nil where all services that use it live in one repository.
  var repository: (text: String, node: Node)?
  var role: String?
  var hazards = Tolerance.allow
  var unknown = Tolerance.refuse
  /// The least share that must have been recorded; nil asks for none.
  var coverage: Double?
  /// Sorted by environment.
  var places: [Place] = []
}

/// `services.NAME.database`.
struct DatabaseUse {
  let service: ServiceName
  let repository: RepositoryName
  let trunk: BranchName
  let database: DatabaseName
  let statements: String?
  let node: Node
}

/// Reads `databases:` and what services say of them.
struct DatabasesReader {
  let reading: Reading
  let environments: [EnvironmentName]
  /// What relative paths are relative to.
  let folder: String

  static let keys = ["migrations", "repository", "role", "hazards", "unknown", "coverage", "environments"]
  static let migrationKeys = ["path", "layout"]
  static let placeKeys = ["url", "sizes"]
  static let useKeys = ["name", "statements"]
  static let layouts = MigrationLayout.allCases.map(\.rawValue)
  /// How PostgreSQL's URLs begin (PostgreSQL manual, "Connection URIs").
  static let schemes = ["postgres://", "postgresql://"]

  func read(_ node: Node) -> [DatabaseDraft] {
    (reading.pairs(node, "databases") ?? []).compactMap { pair in
      guard let name = DatabaseName(rawValue: pair.key) else {
        reading.fail(
          pair.keyNode,
          "databases: '\(pair.key)' is no name; expected 1 to \(longestName) lower-case letters, digits, hyphens")
        return nil
      }
      return database(name, pair.value, at: pair.keyNode)
    }
  }

  private func database(_ name: DatabaseName, _ node: Node, at keyNode: Node) -> DatabaseDraft? {
    let subject = "databases.\(name)"
    guard let fields = reading.fields(node, subject, Self.keys) else { return nil }
    let places = fields["environments"].map { self.places($0, "\(subject).environments") }
    if places == nil {
      reading.fail(
        keyNode,
        "\(subject): expected 'environments', which say where it is, such as "
          + "'production: { url: env:DATABASE_URL }'")
    }
    guard let migrations = fields["migrations"] else {
      reading.fail(keyNode, "\(subject): expected 'migrations', the folder that holds them, such as db/migrations")
      return nil
    }
    guard let (path, layout) = self.migrations(migrations, "\(subject).migrations") else { return nil }
    var draft = DatabaseDraft(name: name, node: keyNode, path: path, layout: layout)
    draft.places = places ?? []
    draft.repository = fields["repository"].flatMap { node in
      reading.text(node, "\(subject).repository").map { ($0, node) }
    }
    draft.role = fields["role"].flatMap { reading.text($0, "\(subject).role") }
    if let node = fields["hazards"],
      let tolerance = reading.choice(node, "\(subject).hazards", DatabaseDraft.Tolerance.self)
    {
      draft.hazards = tolerance
    }
    if let node = fields["unknown"],
      let tolerance = reading.choice(node, "\(subject).unknown", DatabaseDraft.Tolerance.self)
    {
      draft.unknown = tolerance
    }
    draft.coverage = fields["coverage"].flatMap { reading.share($0, "\(subject).coverage") }
    if draft.coverage != nil, draft.unknown == .allow, let node = fields["coverage"] {
      reading.fail(node, "\(subject): 'coverage' holds up nothing beside 'unknown: allow'; leave one of them out")
    }
    return draft
  }

  /// A folder, or `{ path, layout }`.
  private func migrations(_ node: Node, _ subject: String) -> (path: String, layout: String?)? {
    if case .scalar = node { return path(node, subject).map { ($0, nil) } }
    guard let fields = reading.fields(node, subject, Self.migrationKeys) else { return nil }
    guard let pathNode = fields["path"] else {
      reading.fail(node, "\(subject): expected 'path', the folder that holds them")
      return nil
    }
    let layout = fields["layout"].flatMap { node in
      reading.text(node, "\(subject).layout").flatMap { text -> String? in
        if Self.layouts.contains(text) { return text }
        reading.fail(
          node,
          "\(subject).layout: expected one of \(Self.layouts.joined(separator: ", ")), found '\(text)'"
            + Reading.hint(text, Self.layouts))
        return nil
      }
    }
    return path(pathNode, "\(subject).path").map { ($0, layout) }
  }

  /// Inside a checkout or an artifact, whatever the machine.
  private func path(_ node: Node, _ subject: String) -> String? {
    reading.value(node, subject, expected: "a path inside the checkout such as db/migrations") { text in
      let parts = text.split(separator: "/").filter { $0 != "." }
      return text.hasPrefix("/") || parts.isEmpty || parts.contains("..") ? nil : parts.joined(separator: "/")
    }
  }

  private func places(_ node: Node, _ subject: String) -> [DatabaseDraft.Place] {
    let pairs = reading.pairs(node, subject) ?? []
    return pairs.compactMap { pair in
      guard let environment = environments.first(where: { $0.rawValue == pair.key }) else {
        let names = environments.map(\.rawValue)
        reading.fail(
          pair.keyNode,
          "\(subject): no environment is named '\(pair.key)'\(Reading.hint(pair.key, names)); "
            + "known are \(names.joined(separator: ", "))")
        return nil
      }
      guard let fields = reading.fields(pair.value, "\(subject).\(environment)", Self.placeKeys) else { return nil }
      let sizes = fields["sizes"].flatMap { reading.text($0, "\(subject).\(environment).sizes") }
      guard let urlNode = fields["url"] else {
        reading.fail(pair.value, "\(subject).\(environment): expected 'url', such as env:DATABASE_URL")
        return nil
      }
      return url(urlNode, "\(subject).\(environment).url").map {
        DatabaseDraft.Place(
          environment: environment, url: $0, sizes: sizes.map { resolveLocation($0, folder: folder) })
      }
    }.sorted { $0.environment < $1.environment }
  }

  private func url(_ node: Node, _ subject: String) -> PlimsollFile.VariableSource.Source? {
    guard let source = reading.source(node, subject) else { return nil }
    // What stands there may hold a password, so the problem does not repeat it.
    if case .value(let text) = source, !Self.schemes.contains(where: text.hasPrefix) {
      reading.fail(node, "\(subject): expected env:NAME, file:PATH or an address that begins with postgres://")
      return nil
    }
    return source
  }

  // MARK: Who uses them

  /// The name, or `{ name, statements }`. Nil also where it is not known in which repository the service lives.
  func use(
    _ node: Node, _ subject: String, of service: ServiceName, in repository: RepositoryName?, _ trunk: BranchName?,
    among drafts: [DatabaseDraft]
  ) -> DatabaseUse? {
    var (nameNode, statements): (Node?, String?) = (node, nil)
    if case .scalar = node {
    } else {
      guard let fields = reading.fields(node, subject, Self.useKeys) else { return nil }
      nameNode = fields["name"]
      statements = fields["statements"].flatMap { path($0, "\(subject).statements") }
    }
    guard let nameNode else {
      reading.fail(node, "\(subject): expected 'name', one of those in 'databases'")
      return nil
    }
    guard let text = reading.text(nameNode, subject) else { return nil }
    guard let draft = drafts.first(where: { $0.name.rawValue == text }) else {
      let names = drafts.map(\.name.rawValue)
      let known = names.isEmpty ? "add it to 'databases'" : "known are \(names.joined(separator: ", "))"
      reading.fail(nameNode, "\(subject): no database is named '\(text)'\(Reading.hint(text, names)); \(known)")
      return nil
    }
    for environment in environments where !draft.places.contains(where: { $0.environment == environment }) {
      reading.fail(
        nameNode,
        "\(subject): databases.\(draft.name).environments has no '\(environment)', where \(service) goes; "
          + "say where it is there")
    }
    if statements == nil {
      let what =
        draft.unknown == .refuse ? "each of its versions needs an override by name" : "migrations pass unjudged"
      reading.warn(
        nameNode,
        "\(subject): without 'statements' nobody knows what \(service) sends until it is uploaded, so \(what); "
          + "record it with 'plimsoll db record'")
    }
    guard let repository, let trunk else { return nil }
    return DatabaseUse(
      service: service, repository: repository, trunk: trunk, database: draft.name, statements: statements,
      node: nameNode)
  }

  /// - Parameter uses: in the order of services' names.
  /// - Returns: policies and where their databases are, both sorted by place.
  func policies(
    _ drafts: [DatabaseDraft], _ uses: [DatabaseUse], repositories: [PlimsollFile.Repository]
  ) -> (policies: [DatabaseSchema.Policy], places: [PlimsollFile.DatabasePlace]) {
    var policies: [DatabaseSchema.Policy] = []
    var places: [PlimsollFile.DatabasePlace] = []
    for draft in drafts {
      let own = uses.filter { $0.database == draft.name }
      if own.isEmpty {
        reading.warn(
          draft.node, "databases.\(draft.name): no service uses it; write 'database: \(draft.name)' in one that does")
        continue
      }
      guard let (repository, trunk) = owner(draft, own, repositories) else { continue }
      for place in draft.places {
        let at = SchemaPlace(place.environment, draft.name)
        policies.append(
          DatabaseSchema.Policy(
            place: at, repository: repository, trunk: trunk, path: draft.path, layout: draft.layout,
            services: own.map {
              DatabaseSchema.Use(service: $0.service, repository: $0.repository, statements: $0.statements)
            },
            strict: draft.hazards == .refuse, trusting: draft.unknown == .allow, coverage: draft.coverage))
        places.append(
          PlimsollFile.DatabasePlace(place: at, url: place.url, role: draft.role, sizes: place.sizes))
      }
    }
    return (policies.sorted { $0.place < $1.place }, places.sorted { $0.place < $1.place })
  }

  /// Whose commits bring the migrations: somebody's who is promoted, for only a promotion applies them.
  private func owner(
    _ draft: DatabaseDraft, _ uses: [DatabaseUse], _ repositories: [PlimsollFile.Repository]
  ) -> (RepositoryName, BranchName)? {
    let subject = "databases.\(draft.name)"
    let homes = uses.reduce(into: [RepositoryName]()) { if !$0.contains($1.repository) { $0.append($1.repository) } }
    let names = homes.map(\.rawValue).sorted()
    guard draft.repository != nil || homes.count == 1 else {
      reading.fail(
        draft.node,
        "\(subject): services of \(names.joined(separator: ", ")) use it; name the one with its migrations "
          + "as 'repository'")
      return nil
    }
    let text = draft.repository?.text ?? names[0]
    let node = draft.repository?.node ?? draft.node
    guard let repository = homes.first(where: { $0.rawValue == text }) else {
      let isKnown = repositories.contains { $0.name.rawValue == text }
      let why =
        isKnown
        ? "no service of it uses \(draft.name), so nothing would ever apply its migrations"
        : "no repository is named '\(text)'\(Reading.hint(text, repositories.map(\.name.rawValue)))"
      reading.fail(node, "\(subject).repository: \(why); expected one of \(names.joined(separator: ", "))")
      return nil
    }
    let trunks = uses.filter { $0.repository == repository }.map(\.trunk)
    guard let trunk = trunks.first, trunks.allSatisfy({ $0 == trunk }) else {
      reading.fail(
        node, "\(subject): services on different trunks of \(repository) use it; its migrations come from one trunk")
      return nil
    }
    return (repository, trunk)
  }
}

extension MergeQueue.Policy.Requirements {
  /// The same, and these databases have a word too.
  func asking(_ places: [SchemaPlace]) -> MergeQueue.Policy.Requirements {
    MergeQueue.Policy.Requirements(approvals: approvals, checks: checks, schemas: places.map(\.description).sorted())
  }
}
