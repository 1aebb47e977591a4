import Kernel

/// A service at a commit: what it is is in the commit alone.
struct SimulatedVersion: Hashable, Comparable {
  let service: ServiceName
  let commit: CommitID
  static func < (left: Self, right: Self) -> Bool {
    (left.service, left.commit) < (right.service, right.commit)
  }
}

/// A table as far as statements can fail on it: which columns there are, and which a row may not lack.
package struct SimulatedSchema: Equatable, Sendable {
  /// Sorted.
  var columns: [Int]
  /// Sorted; columns all.
  var required: [Int]

  static let base = SimulatedSchema(columns: [0, 1, 2], required: [0])

  package enum Step: Equatable, Sendable {
    case add(Int)
    case drop(Int)
    /// No row may lack it from now on.
    case require(Int)
    case relax(Int)
  }

  /// Nil when the database would not carry it out.
  func after(_ step: Step) -> SimulatedSchema? {
    var next = self
    switch step {
    case .add(let column):
      if columns.contains(column) { return nil }
      next.columns = (columns + [column]).sorted()
    case .drop(let column):
      if !columns.contains(column) { return nil }
      next.columns.removeAll { $0 == column }
      next.required.removeAll { $0 == column }
    case .require(let column):
      if !columns.contains(column) { return nil }
      if !required.contains(column) { next.required = (required + [column]).sorted() }
    case .relax(let column):
      if !columns.contains(column) { return nil }
      next.required.removeAll { $0 == column }
    }
    return next
  }

  func after(_ steps: [Step]) -> SimulatedSchema? {
    var next = self
    for step in steps {
      guard let changed = next.after(step) else { return nil }
      next = changed
    }
    return next
  }

  /// The schema after each of several migrations, which are applied one by one; nil when one of them cannot be.
  func states(through migrations: [[Step]]) -> [SimulatedSchema]? {
    var states: [SimulatedSchema] = []
    for steps in migrations {
      guard let next = (states.last ?? self).after(steps) else { return nil }
      states.append(next)
    }
    return states
  }

  /// What leads from this schema to another, by column.
  func steps(to other: SimulatedSchema) -> [Step] {
    columns.filter { !other.columns.contains($0) }.map(Step.drop)
      + other.columns.filter { !columns.contains($0) }.map(Step.add)
      + other.required.filter { !required.contains($0) }.map(Step.require)
      + required.filter { other.columns.contains($0) && !other.required.contains($0) }.map(Step.relax)
  }

  /// Equal for equal schemas.
  var digest: Digest {
    let bits = columns.reduce(UInt64(1)) { $0 | 1 << UInt64($1 + 1) }
    return SimulatedNames.digest(required.reduce(Chance.mix(bits)) { Chance.mix($0 &+ UInt64($1) &+ 1) })
  }
}

/// What a version sends: a statement for each column that it reads, and one that writes all that it writes.
package struct SimulatedStatements: Equatable, Sendable {
  package var reads: Set<Int>
  package var writes: Set<Int>

  /// What fails on a schema, in words; sorted, empty when all runs.
  func failures(on schema: SimulatedSchema) -> [String] {
    let missing = reads.union(writes).filter { !schema.columns.contains($0) }.sorted()
    let lacking = schema.required.filter { !writes.contains($0) }
    return missing.map { "column \($0) does not exist" } + lacking.map { "column \($0) may not be null" }
  }

  func fits(_ schema: SimulatedSchema) -> Bool { failures(on: schema).isEmpty }

  /// The first failure that was none before; what was broken already no migration breaks.
  ///
  /// - Parameter states: the schema after each migration: requests come between two of them, too.
  func firstBreak(from before: SimulatedSchema, through states: [SimulatedSchema]) -> String? {
    let old = failures(on: before)
    return states.lazy.flatMap { failures(on: $0) }.first { !old.contains($0) }
  }
}

/// What one change does to the schema, and to the code above it.
struct SimulatedSchemaChange {
  enum Use {
    case write, read, stopReading, stopWriting
  }
  struct Edit {
    let service: ServiceName
    let column: Int
    let use: Use
  }
  /// One migration, in one transaction; empty for none.
  var steps: [SimulatedSchema.Step] = []
  var edits: [Edit] = []
}

extension SimulatedForge {
  /// The changes with a migration that a commit holds, in order.
  func migrations(of commit: CommitID) -> [Int] { migrations(of: content(of: commit)) }
  func migrations(of content: [Int]) -> [Int] { content.filter { !(steps(of: $0).isEmpty) } }
  func steps(of change: Int) -> [SimulatedSchema.Step] { changes[change].schema?.steps ?? [] }

  func statements(of version: SimulatedVersion) -> SimulatedStatements {
    statements(of: version.service, with: content(of: version.commit))
  }

  func statements(of service: ServiceName, with content: [Int]) -> SimulatedStatements {
    let own = service == SimulatedNames.service ? 1 : 2
    var found = SimulatedStatements(reads: [0, own], writes: [0, own])
    for change in content {
      for edit in changes[change].schema?.edits ?? [] where edit.service == service {
        switch edit.use {
        case .write: found.writes.insert(edit.column)
        case .read: found.reads.insert(edit.column)
        case .stopReading: found.reads.remove(edit.column)
        case .stopWriting: found.writes.remove(edit.column)
        }
      }
    }
    return found
  }
}
