import Foundation

/// A Python that has the peers of flags installed (`scripts/peers.txt`): stock clients and rival engines.
package struct PeerPython: Sendable {
  /// Path of the interpreter.
  package let path: String

  /// What a test or bench says that has none.
  package static let absence =
    "skipped: there are no Python peers here. Run scripts/setup where a package index can be reached, "
    + "or name a Python that has scripts/peers.txt installed in PLIMSOLL_PEERS"

  /// The one that `PLIMSOLL_PEERS` names, else that of `.build-peers`, which scripts/setup makes in the repository;
  /// nil when neither is there.
  package static let found: PeerPython? = {
    if let named = ProcessInfo.processInfo.environment["PLIMSOLL_PEERS"], !named.isEmpty {
      return PeerPython(path: named)
    }
    // Sources of a package in development may be links into the repository.
    let source = URL(filePath: #filePath).resolvingSymlinksInPath()
    let repository = source.deletingLastPathComponent().appending(path: "../..").standardizedFileURL
    let places = [repository, URL(filePath: FileManager.default.currentDirectoryPath)]
    return places.map { $0.appending(path: ".build-peers") }
      // The stamp is written when everything is installed.
      .first { FileManager.default.fileExists(atPath: $0.appending(path: "stamp").path) }
      .map { PeerPython(path: $0.appending(path: "bin/python").path) }
  }()

  /// A file among the installed packages: `yggdrasil_engine/lib/libyggdrasilffi.so`; nil when it is not there.
  package func installed(_ name: String) -> String? {
    let library = URL(filePath: path).deletingLastPathComponent().appending(path: "../lib").standardizedFileURL
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: library.path)) ?? []
    return versions.sorted().map { library.appending(path: "\($0)/site-packages/\(name)").path }
      .first { FileManager.default.fileExists(atPath: $0) }
  }
}
