/// One environment as a server has it: what it serves, who holds it, who takes note of exposures.
package struct FlagEnvironment: Sendable {
  package let store: FlagStore
  package let registry: ClientRegistry
  /// Nil where nobody asks who was shown what.
  package let exposures: (any ExposureSink)?

  package init(store: FlagStore, registry: ClientRegistry = ClientRegistry(), exposures: (any ExposureSink)? = nil) {
    self.store = store
    self.registry = registry
    self.exposures = exposures
  }

  package var name: String { store.environment }
}

/// The environments of one server, by name.
package struct FlagEnvironments: Sendable {
  package let all: [FlagEnvironment]
  /// What is served to those who name none.
  package let usual: FlagEnvironment
  private let byName: [String: FlagEnvironment]

  /// - Parameter usual: the environment for those who name none; nil for the first one.
  /// - Precondition: there is one, and no name is there twice.
  package init(_ all: [FlagEnvironment], usual: String? = nil) {
    self.all = all.sorted { $0.name < $1.name }
    byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    self.usual = usual.flatMap { [byName] name in byName[name] } ?? all[0]
  }

  package subscript(name: String) -> FlagEnvironment? { byName[name] }
  package var names: [String] { all.map(\.name) }
}
