import Kernel

/// What is sealed for a deployment: the injected variables *and* how the service is run, so that a rollback brings both
/// back together and a change of the file never reaches a version that was judged without it.
///
/// The specification travels as entries whose names no variable can have (variable names hold no dot).
enum SealedConfiguration {
  private static let prefix = "plimsoll.run."

  static func entries(_ variables: [EnvironmentVariable], _ specification: RunSpecification) -> [EnvironmentVariable] {
    var run: [(name: String, value: String)] = [
      ("command", specification.command), ("ready", specification.readinessPath),
      ("readyLimitMs", "\(specification.readinessLimit.milliseconds)"), ("instances", "\(specification.instances)"),
      ("stopLimitMs", "\(specification.stopLimit.milliseconds)"), ("port", specification.portVariable),
    ]
    if let limit = specification.memoryLimitBytes { run.append(("memoryLimitBytes", "\(limit)")) }
    return (variables + run.map { EnvironmentVariable(name: prefix + $0.name, value: $0.value) })
      .sorted { $0.name < $1.name }
  }

  /// - Throws: `Outage` when the snapshot holds no specification: it was sealed by something else.
  static func open(
    _ entries: [EnvironmentVariable], of deployment: DeploymentID
  ) throws(Outage) -> (variables: [EnvironmentVariable], specification: RunSpecification) {
    func value(_ name: String) -> String? { entries.first { $0.name == prefix + name }?.value }
    guard let command = value("command"), let ready = value("ready"), let port = value("port"),
      let readyLimit = value("readyLimitMs").flatMap(Int64.init),
      let stopLimit = value("stopLimitMs").flatMap(Int64.init),
      let instances = value("instances").flatMap({ Int($0) })
    else {
      throw Outage("sealer", "the configuration of \(deployment) does not say how to run it; deploy the version again")
    }
    let specification = RunSpecification(
      command: command, readinessPath: ready, readinessLimit: Span(milliseconds: readyLimit), instances: instances,
      stopLimit: Span(milliseconds: stopLimit), portVariable: port,
      memoryLimitBytes: value("memoryLimitBytes").flatMap(Int64.init))
    return (entries.filter { !$0.name.hasPrefix(prefix) }, specification)
  }
}
