import ControlPlane
import Kernel
import Ramps

/// Reads the definitions that a commit holds.
package protocol FlagFolders: Sendable {
  /// By content: the same commit has the same definitions.
  ///
  /// - Throws: `Outage` when the repository cannot be reached.
  func definitions(at commit: CommitID, of policy: FlagFolder.Policy) async throws(Outage) -> FlagFolderReading
}

/// What a commit's folder says.
package enum FlagFolderReading: Equatable, Sendable {
  case found(FlagFolder.Found)
  /// It cannot be used; a sentence for each fault, with file, line and column.
  case faulty([String])
}

/// Where no folder is named.
package struct NoFlagFolders: FlagFolders {
  package init() {}
  package func definitions(at commit: CommitID, of policy: FlagFolder.Policy) async throws(Outage)
    -> FlagFolderReading
  {
    throw Outage("flags", "no folder of definitions is named; add it to 'flags.folders' in plimsoll.yaml and restart")
  }
}

extension Performer {
  func perform(_ effect: FlagFolder.Effect, _ errand: Errand) async throws(Outage) {
    switch effect {
    case .read(let commit, let policy):
      switch try await ports.folders.definitions(at: commit, of: policy) {
      case .found(let found): await errand.observe(.flagFolder(.found(found)))
      case .faulty(let sentences): await errand.observe(.flagFolder(.faulty(commit: commit, sentences: sentences)))
      }
    }
  }
}
