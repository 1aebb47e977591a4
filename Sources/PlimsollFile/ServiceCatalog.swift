import Foundation
import Kernel

/// Looks up how services run and resolves their variables; the values never leave the machine unsealed.
package struct ServiceCatalog: Catalog {
  private let runs: [PlimsollFile.Run]
  private let repositories: [ServiceName: RepositoryName]
  private let announcers: [PlimsollFile.AnnouncerTarget]
  private let prometheus: PlimsollFile.PrometheusPlace?
  private let databases: [PlimsollFile.DatabasePlace]
  private let flags: PlimsollFile.FlagPlace?
  private let folder: String
  private let serverEnvironment: [String: String]

  /// - Parameters:
  ///   - folder: what `file:PATH` is relative to.
  ///   - serverEnvironment: where `env:NAME` is looked up.
  package init(_ file: PlimsollFile, folder: String, serverEnvironment: [String: String]) {
    runs = file.runs
    repositories = Dictionary(
      file.topology.services.map { ($0.name, $0.repository) }, uniquingKeysWith: { first, _ in first })
    announcers = file.announcers
    prometheus = file.prometheus
    databases = file.databases
    flags = file.flags
    self.folder = folder
    self.serverEnvironment = serverEnvironment
  }

  package func specification(
    of service: ServiceName, in environment: EnvironmentName
  ) throws(Outage) -> RunSpecification {
    try run(service, environment).specification
  }

  package func repository(of service: ServiceName) throws(Outage) -> RepositoryName {
    guard let repository = repositories[service] else {
      throw Outage("plimsoll.yaml", "no longer names the service \(service); add it again to bring it back")
    }
    return repository
  }

  package func variables(
    of service: ServiceName, in environment: EnvironmentName
  ) throws(Outage) -> [EnvironmentVariable] {
    var result: [EnvironmentVariable] = []
    for variable in try run(service, environment).variables {
      result.append(
        EnvironmentVariable(name: variable.name, value: try resolve(variable.source, for: variable.name)))
    }
    return result
  }

  /// Address and format of an announcement target.
  package func announcer(_ target: Int) throws(Outage) -> (format: PlimsollFile.AnnouncerTarget.Format, url: String) {
    guard announcers.indices.contains(target) else {
      throw Outage("plimsoll.yaml", "no longer has announcement target \(target + 1)")
    }
    return (announcers[target].format, try resolve(announcers[target].address, for: "announce"))
  }

  /// The addresses of an observed place's metrics pages.
  package func pages(of place: PlimsollFile.ObservedPlace) throws(Outage) -> [String] {
    var pages: [String] = []
    for source in place.metrics {
      let address = try resolve(source, for: "observe.\(place.policy.service).metrics")
      guard address.hasPrefix("http://") || address.hasPrefix("https://") else {
        throw Outage("configuration", "observe.\(place.policy.service).metrics holds something that is no http address")
      }
      pages.append(address)
    }
    return pages
  }

  /// The Prometheus server's address; nil when none is named.
  package func prometheusAddress() throws(Outage) -> String? {
    guard let prometheus else { return nil }
    return try resolve(prometheus.url, for: "prometheus.url")
  }

  /// What it must be shown at each query; nil for nothing.
  package func prometheusToken() throws(Outage) -> String? {
    guard let token = prometheus?.token else { return nil }
    return try resolve(token, for: "prometheus.token")
  }

  /// What clients of flags must show; nil where nothing is asked.
  package func flagToken() throws(Outage) -> String? {
    guard let token = flags?.token else { return nil }
    return try resolve(token, for: "flags.token")
  }

  /// The address of a database, with whatever password it holds; for whoever applies migrations there.
  package func address(of place: SchemaPlace) throws(Outage) -> String {
    let subject = "databases.\(place.database).environments.\(place.environment).url"
    let address = try resolve(try database(place).url, for: subject)
    guard DatabasesReader.schemes.contains(where: address.hasPrefix) else {
      throw Outage("configuration", "\(subject) holds something that does not begin with postgres://")
    }
    return address
  }

  /// Whom the applications connect to a database as; nil for the user of its address.
  package func role(at place: SchemaPlace) throws(Outage) -> String? { try database(place).role }

  /// The file of a database's table sizes; nil for its own estimates.
  package func sizes(at place: SchemaPlace) throws(Outage) -> String? { try database(place).sizes }

  private func database(_ place: SchemaPlace) throws(Outage) -> PlimsollFile.DatabasePlace {
    guard let found = databases.first(where: { $0.place == place }) else {
      throw Outage("plimsoll.yaml", "no longer names the database \(place); add it again to bring it back")
    }
    return found
  }

  private func run(_ service: ServiceName, _ environment: EnvironmentName) throws(Outage) -> PlimsollFile.Run {
    guard let run = runs.first(where: { $0.service == service && $0.environment == environment }) else {
      throw Outage("plimsoll.yaml", "no longer names \(service) in \(environment); add it again to bring it back")
    }
    return run
  }

  private func resolve(_ source: PlimsollFile.VariableSource.Source, for name: String) throws(Outage) -> String {
    switch source {
    case .value(let value): return value
    case .environment(let key):
      guard let value = serverEnvironment[key] else {
        throw Outage("configuration", "\(name) wants env:\(key), which the server's environment does not have")
      }
      return value
    case .file(let path):
      let url = path.hasPrefix("/") ? URL(filePath: path) : URL(filePath: folder).appending(path: path)
      guard let text = try? String(contentsOf: url, encoding: .utf8) else {
        throw Outage("configuration", "\(name) wants file:\(path), which cannot be read")
      }
      // A line break is one character in Swift, also "\r\n".
      return text.last?.isNewline == true ? String(text.dropLast()) : text
    }
  }
}
