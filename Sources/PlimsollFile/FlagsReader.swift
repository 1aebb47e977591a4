import Foundation
import Kernel
import MergeQueues
import Ramps
import Yams

extension PlimsollFile {
  /// Where flags are served to clients: known to this process alone.
  package struct FlagPlace: Equatable, Sendable {
    /// In the order of promotion.
    package let environments: [EnvironmentName]
    /// OFREP and Unleash.
    package var listen: ListenAddress
    /// flagd's evaluation over gRPC; nil where it is not spoken.
    package var evaluation: ListenAddress?
    /// flagd's sync over gRPC; nil where it is not spoken.
    package var sync: ListenAddress?
    /// Telemetry of applications (OTLP over HTTP, batches), which ramps are judged on; nil where none is taken.
    package var evidence: ListenAddress?
    /// For clients that name no environment.
    package var usual: EnvironmentName
    /// What clients must show; nil lets everybody in who can connect.
    package var token: VariableSource.Source?
  }
}

/// Reads `flags:`.
struct FlagsReader {
  let reading: Reading
  let environments: [EnvironmentName]
  init(_ reading: Reading, environments: [EnvironmentName]) {
    self.reading = reading
    self.environments = environments
  }

  static let keys = ["listen", "evaluation", "sync", "evidence", "environment", "token", "folders"]
  static let folderKeys = ["repository", "path"]
  /// By flagd's convention, where clients look first.
  static let standard = PlimsollFile.ListenAddress(host: "127.0.0.1", port: 8016)

  struct Draft {
    let place: PlimsollFile.FlagPlace
    let folders: [(repository: String, path: String, node: Node)]
  }

  /// Nil where nothing can be made of it, which is then a problem.
  func read(_ node: Node) -> Draft? {
    guard let fields = reading.fields(node, "flags", Self.keys), let last = environments.last else { return nil }
    var place = PlimsollFile.FlagPlace(environments: environments, listen: Self.standard, usual: last)
    if let node = fields["listen"], let address = reading.address(node, "flags.listen") { place.listen = address }
    place.evaluation = fields["evaluation"].flatMap { reading.address($0, "flags.evaluation") }
    place.sync = fields["sync"].flatMap { reading.address($0, "flags.sync") }
    place.evidence = fields["evidence"].flatMap { reading.address($0, "flags.evidence") }
    if let node = fields["environment"], let text = reading.text(node, "flags.environment") {
      if let known = environments.first(where: { $0.rawValue == text }) {
        place.usual = known
      } else {
        let names = environments.map(\.rawValue)
        reading.fail(
          node,
          "flags.environment: no environment is named '\(text)'\(Reading.hint(text, names)); "
            + "known are \(names.joined(separator: ", "))")
      }
    }
    place.token = fields["token"].flatMap { reading.source($0, "flags.token") }
    return Draft(place: place, folders: fields["folders"].map(folders) ?? [])
  }

  private func folders(_ node: Node) -> [(repository: String, path: String, node: Node)] {
    (reading.items(node, "flags.folders") ?? []).compactMap { item in
      guard let fields = reading.fields(item, "flags.folders", Self.folderKeys) else { return nil }
      guard let repository = fields["repository"].flatMap({ reading.text($0, "flags.folders.repository") }) else {
        if fields["repository"] == nil {
          reading.fail(item, "flags.folders: expected 'repository', whose trunk holds the definitions")
        }
        return nil
      }
      guard let pathNode = fields["path"] else {
        reading.fail(item, "flags.folders: expected 'path', the folder in it, such as flags")
        return nil
      }
      guard let path = reading.text(pathNode, "flags.folders.path") else { return nil }
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.allSatisfy({ !$0.isEmpty && $0 != ".." && $0 != "." }) else {
        reading.fail(
          pathNode, "flags.folders.path: expected a folder inside the repository such as flags, found '\(path)'")
        return nil
      }
      return (repository, path, item)
    }
  }

  /// - Parameter queues: whose trunks are followed; only their movements are seen.
  /// - Returns: sorted by repository.
  func policies(_ draft: Draft, queues: [MergeQueue.Policy]) -> [FlagFolder.Policy] {
    var result: [FlagFolder.Policy] = []
    for (text, path, node) in draft.folders {
      let own = queues.filter { $0.repository.rawValue == text }
      guard let queue = own.first else {
        let names = Set(queues.map(\.repository.rawValue)).sorted()
        reading.fail(
          node,
          "flags.folders.repository: no service lives in '\(text)'\(Reading.hint(text, names)), so nobody follows its "
            + "trunk; known are \(names.joined(separator: ", "))")
        continue
      }
      if own.count > 1 {
        reading.fail(node, "flags.folders.repository: services live on several trunks of \(text); flags need one")
      } else if result.contains(where: { $0.repository == queue.repository }) {
        reading.fail(node, "flags.folders: '\(text)' stands here twice; put its definitions into one folder")
      } else {
        result.append(
          FlagFolder.Policy(
            repository: queue.repository, trunk: queue.trunk, path: path, environments: environments))
      }
    }
    return result.sorted { $0.repository < $1.repository }
  }
}
