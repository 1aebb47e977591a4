/// What `plimsoll.yaml` says now about running a service: the part that never enters the ledger. Kind: *by lookup*.
package protocol Catalog: Sendable {
  func specification(of service: ServiceName, in environment: EnvironmentName) throws(Outage) -> RunSpecification
  func repository(of service: ServiceName) throws(Outage) -> RepositoryName
  /// Resolved values (`env:NAME`, `file:PATH` looked up), sorted by name.
  func variables(of service: ServiceName, in environment: EnvironmentName) throws(Outage) -> [EnvironmentVariable]
}
