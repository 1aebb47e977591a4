import ControlPlane
import Kernel
import Ramps

extension Lookup {
  /// Every flag, archived ones too, sorted by key.
  func flags() async -> [(key: FlagKey, state: FeatureFlag.State)] {
    await backend.states(.flag).compactMap { standing in
      guard case .flag(let state) = standing.state, let key = state.key else { return nil }
      return (key, state)
    }.sorted { $0.key < $1.key }
  }

  /// Sets of subjects that rules may name.
  func segments() async -> [FlagDefinition.Member] { FlagFolder.segments(of: await flagFolders()) }

  /// Every folder that was named once.
  func flagFolders() async -> [StreamID: FlagFolder.State] {
    var found: [StreamID: FlagFolder.State] = [:]
    for standing in await backend.states(.flagFolder) {
      if case .flagFolder(let state) = standing.state { found[standing.stream] = state }
    }
    return found
  }

  /// - Throws: `Refusal.unknown` with the nearest key.
  func flag(_ text: String) async throws -> (key: FlagKey, state: FeatureFlag.State) {
    let key = try Self.flagKey(text)
    if case .flag(let state)? = await backend.state(of: .flag(key)) {
      if state.key != nil { return (key, state) }
      // Declared, and never made: whoever looks for it is told why.
      if let unmet = state.unmet.first {
        throw Refusal(
          .unknown,
          "There is no flag '\(key)' yet: \(unmet.declaration.place) at \(unmet.declaration.commit.short) declares it, "
            + "and it may not be: \(unmet.why)")
      }
    }
    // Keys of another length cannot be near, and there may be ten thousand of them.
    let near = await flags().map(\.key.rawValue).filter { abs($0.utf8.count - text.utf8.count) <= 3 }
    throw Refusal(
      .unknown,
      "There is no flag '\(Self.shown(text))': "
        + (nearestMatch(to: text, among: near).map { "did you mean \($0)?" }
          ?? "see 'plimsoll flag list', or create it."))
  }

  static func flagKey(_ text: String) throws(Refusal) -> FlagKey {
    guard let key = FlagKey(rawValue: text) else {
      throw Refusal(
        .malformed,
        "'\(shown(text))' is no key of a flag: give 1 to \(FlagKey.longest) letters, digits, hyphens, dots and "
          + "underscores, a letter or digit first.")
    }
    return key
  }

  /// Where flags can be on: the environments of all services in the order of promotion, then those of folders in git.
  func flagEnvironments() async -> [EnvironmentName] {
    let topology = await backend.topology()
    var found: [EnvironmentName] = []
    for name in topology.services.flatMap({ $0.environments.map(\.name) })
      + topology.flagFolders.flatMap(\.environments)
    where !found.contains(name) { found.append(name) }
    return found
  }

  /// Those of the topology, and where the flag was placed once.
  func environments(of state: FeatureFlag.State) async -> [EnvironmentName] {
    let known = await flagEnvironments()
    return known + state.placements.map(\.environment).filter { !known.contains($0) }
  }

  func flagEnvironment(_ text: String, of state: FeatureFlag.State? = nil) async throws -> EnvironmentName {
    let known = if let state { await environments(of: state) } else { await flagEnvironments() }
    if let found = known.first(where: { $0.rawValue == text }) { return found }
    throw Self.unknown("environment", text, among: known.map(\.rawValue))
  }

  /// How many receivers plimsoll.yaml names for announcements.
  func announceTargets() async -> Int {
    await backend.topology().services.flatMap { $0.environments.map(\.rollout.announceTargets) }.max() ?? 0
  }
}
