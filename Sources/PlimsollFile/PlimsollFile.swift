import ControlPlane
import Foundation
import Kernel
import Yams

/// A parsed `plimsoll.yaml`: what enters the ledger (`topology`), and what never does (locations, commands' variables,
/// announcement addresses).
package struct PlimsollFile: Equatable, Sendable {
  /// The file's name where this binary looks for it when none is given.
  package static let defaultName = "plimsoll.yaml"
  /// A configuration is written by people: more than this is a mistake, not a configuration.
  package static let sizeLimit = 1_048_576

  package var topology: Topology
  package var repositories: [Repository]
  package var runs: [Run]
  package var announcers: [AnnouncerTarget]
  package var listen: ListenAddress
  /// Where people reach the pages, for links in announcements; nil for the listening address.
  package var address: String?
  /// One for each judged place, in the order of services and environments.
  package var judged: [JudgedPlace]
  /// One for each place with an OpenSLO file, in the order of services and environments.
  package var levels: [PlaceLevel]
  /// Places to which something else deploys, sorted by service and environment.
  package var observed: [ObservedPlace]
  /// Nil when nothing asks one.
  package var prometheus: PrometheusPlace?
  /// Where databases are, sorted by place.
  package var databases: [DatabasePlace]
  /// Where flags are served; nil where they are not.
  package var flags: FlagPlace?
  /// Things that are legal and probably not meant.
  package var warnings: [Problem]

  package struct Repository: Equatable, Sendable {
    package let name: RepositoryName
    /// A path (absolute, or relative to the file) or a URL that git understands.
    package let location: String
  }

  /// How a service runs in one environment.
  package struct Run: Equatable, Sendable {
    package let service: ServiceName
    package let environment: EnvironmentName
    package let specification: RunSpecification
    /// Sorted by name; the environment's values have replaced the service's.
    package let variables: [VariableSource]
    /// The public port on loopback; nil picks a free one and keeps it.
    package let port: Int?
    /// Where the service counts its requests itself; nil for the router's log.
    package let metrics: MetricsPage?
    /// Where what was usual is looked up; nil for the source that counts.
    package let baseline: BaselineHistory?
  }

  package struct VariableSource: Equatable, Sendable {
    package enum Source: Equatable, Sendable {
      case value(String)
      /// `env:NAME`: a variable of the server's own environment, looked up at each deployment.
      case environment(String)
      /// `file:PATH`: a file's text without its last line break, looked up at each deployment.
      case file(String)
    }
    package let name: String
    package let source: Source
  }

  package struct AnnouncerTarget: Equatable, Sendable {
    package enum Format: String, CaseIterable, Sendable {
      case slack, json
    }
    package let format: Format
    package let address: VariableSource.Source
  }

  package struct ListenAddress: Equatable, Sendable {
    package let host: String
    package let port: Int
    package init(host: String, port: Int) {
      self.host = host
      self.port = port
    }
    package static let standard = ListenAddress(host: "127.0.0.1", port: 7878)
  }

  /// - Throws: `Problems` with everything that is wrong, `Refusal` when the file cannot be read.
  package static func read(_ path: String) throws -> PlimsollFile {
    let url = URL(filePath: path)
    let data: Data
    do {
      // No more than needed to see that it is too long: the path may name anything.
      data = try FileHandle(forReadingFrom: url).read(upToCount: sizeLimit + 1) ?? Data()
    } catch {
      throw Refusal(.unknown, "\(path) cannot be read; write one with 'plimsoll init' or name one with --file")
    }
    guard data.count <= sizeLimit else {
      throw Problems(
        all: [Problem(file: path, line: 0, column: 0, "has more than \(sizeLimit) bytes; it cannot be a configuration")]
      )
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw Problems(all: [Problem(file: path, line: 0, column: 0, "is not UTF-8 text")])
    }
    return try parse(text, file: path, folder: url.deletingLastPathComponent().path)
  }

  /// - Parameters:
  ///   - file: the name in problems.
  ///   - folder: what relative paths are relative to.
  package static func parse(_ text: String, file: String, folder: String) throws(Problems) -> PlimsollFile {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw Problems(all: [problem(of: error, file: file)])
    } catch {
      throw Problems(all: [Problem(file: file, line: 0, column: 0, "is not YAML: \(error)")])
    }
    guard let root else {
      throw Problems(all: [
        Problem(file: file, line: 0, column: 0, "is empty; 'plimsoll init' writes one to begin with")
      ])
    }
    let reading = Reading(file: file)
    let draft = DocumentReader(reading, folder: folder).read(root)
    let errors = reading.problems.filter { $0.severity == .error }.sorted()
    guard var result = draft, errors.isEmpty else { throw Problems(all: errors) }
    result.warnings = reading.problems.filter { $0.severity == .warning }.sorted()
    return result
  }

  static func problem(of error: YamlError, file: String) -> Problem {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      Problem(file: file, line: mark.line, column: mark.column, "is not YAML here: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      Problem(
        file: file, line: context.mark.line, column: context.mark.column,
        "the key \(duplicates.map { "'\($0)'" }.sorted().joined(separator: ", ")) stands here twice")
    default: Problem(file: file, line: 0, column: 0, "is not YAML: \(error)")
    }
  }
}

extension PlimsollFile {
  /// The JSON Schema (draft 2020-12) of the file, for editors.
  package static var schema: String { String(decoding: PackageResources.plimsoll_schema_json, as: UTF8.self) }
}
