import Kernel

#if canImport(Glibc)
  import Glibc
#endif

extension LocalPlatform {
  /// What `/proc` says of each recorded instance's session. Kind: *by lookup*. Not on the actor: a look must not wait
  /// for an artifact that is being unpacked. O(processes).
  package nonisolated func usage(of deployments: [DeploymentID]) async -> [InstanceUsage] {
    let processes = processes.all()
    var found: [InstanceUsage] = []
    for deployment in deployments {
      let files = InstanceFiles(folder: "\(instances)/\(deployment)")
      for instance in files.known() {
        guard let record = files.record(instance),
          processes.contains(where: { $0.pid == record.pid && $0.startTime == record.startTime })
        else { continue }
        let own = processes.filter { $0.session == record.pid }
        found.append(
          InstanceUsage(
            deployment: deployment, instance: instance, run: record.startTime,
            residentBytes: own.reduce(0) { $0 + $1.residentBytes },
            processorSeconds: Double(own.reduce(0) { $0 + $1.processorTicks }) / Double(sysconf(Int32(_SC_CLK_TCK)))))
      }
    }
    return found
  }
}
