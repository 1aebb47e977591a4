/// A (service, environment, digest, configuration hash) placed and serving (glossary).
package struct Deployment: Codable, Hashable, Sendable {
  package let service: ServiceName
  package let environment: EnvironmentName
  package let digest: Digest
  package let commit: CommitID
  /// Keyed hash of the injected configuration: part of the deployment's identity.
  package let configuration: Digest
  /// The sealed snapshot in the blob store, kept as long as this deployment is a rollback target.
  package let sealedConfiguration: Digest
  /// Follows from the others and is not coded. Put together once: a turn asks for it at every look at wanted shares.
  package let id: DeploymentID

  private enum CodingKeys: CodingKey {
    case service, environment, digest, commit, configuration, sealedConfiguration
  }

  package init(
    service: ServiceName, environment: EnvironmentName, digest: Digest, commit: CommitID, configuration: Digest,
    sealedConfiguration: Digest
  ) {
    self.service = service
    self.environment = environment
    self.digest = digest
    self.commit = commit
    self.configuration = configuration
    self.sealedConfiguration = sealedConfiguration
    id = DeploymentID(service, environment, digest, configuration: configuration)
  }
  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      service: try values.decode(ServiceName.self, forKey: .service),
      environment: try values.decode(EnvironmentName.self, forKey: .environment),
      digest: try values.decode(Digest.self, forKey: .digest),
      commit: try values.decode(CommitID.self, forKey: .commit),
      configuration: try values.decode(Digest.self, forKey: .configuration),
      sealedConfiguration: try values.decode(Digest.self, forKey: .sealedConfiguration))
  }
}

/// Why an instance ended or never served.
package enum InstanceEnd: Codable, Equatable, Sendable {
  case exited(code: Int)
  case signalled(number: Int)
  /// Killed by the kernel for memory (cgroup or kernel log evidence).
  case outOfMemory
  /// Did not answer its readiness path within the limit.
  case neverReady(afterMs: Int64)
  /// Could not be started at all.
  case failedToStart(reason: String)
}

/// Where an instance listens on loopback.
package struct Endpoint: Codable, Hashable, Sendable, Comparable {
  package let instance: Int
  package let port: Int
  package init(instance: Int, port: Int) {
    self.instance = instance
    self.port = port
  }
  package static func < (left: Endpoint, right: Endpoint) -> Bool {
    (left.instance, left.port) < (right.instance, right.port)
  }
}

/// What a platform tells about one deployment while it keeps it running.
package enum PlatformReport: Equatable, Sendable {
  /// All instances ready; `digest` is what the release folder hashes to now.
  case ready(endpoints: [Endpoint], digest: Digest)
  /// One instance ended; it is started again after a back-off. `inRow` counts ends without a stable run between.
  case ended(instance: Int, end: InstanceEnd, inRow: Int, logTail: String, at: Instant)
  /// The set of ready endpoints changed.
  case endpoints([Endpoint])
  /// Someone else changed the release folder, which held `digest`, or what has no digest; the sentence says what was
  /// found and done, without a full stop. The platform puts the folder right if it can, leaves the instances that run as
  /// they are, and starts none from a folder that is not what was ordered.
  case altered(digest: Digest?, sentence: String)
}

/// How to run a service; resolved by the platform's owner from `plimsoll.yaml`, never from the ledger.
package struct RunSpecification: Equatable, Sendable {
  package let command: String
  package let readinessPath: String
  package let readinessLimit: Span
  package let instances: Int
  /// How long an instance may take to finish its requests after SIGTERM.
  package let stopLimit: Span
  /// The name of the variable that receives the port.
  package let portVariable: String
  /// Resident memory above which an instance is reported and restarted; nil for none.
  package let memoryLimitBytes: Int64?
  package init(
    command: String, readinessPath: String, readinessLimit: Span, instances: Int, stopLimit: Span,
    portVariable: String = "PORT", memoryLimitBytes: Int64? = nil
  ) {
    self.command = command
    self.readinessPath = readinessPath
    self.readinessLimit = readinessLimit
    self.instances = instances
    self.stopLimit = stopLimit
    self.portVariable = portVariable
    self.memoryLimitBytes = memoryLimitBytes
  }
}

/// Runs deployments. Kind: *by content*: instances are found by deployment id and adopted, not started twice.
package protocol Platform: Sendable {
  /// Keeps the deployment running and reports until the calling task is cancelled; cancelling stops the supervision,
  /// **not** the instances. `configuration` is the opened snapshot.
  /// - Parameter limit: runs only the instances with the lowest numbers, this many at most; nil for all that the
  ///   specification has. A call with a higher limit keeps those that run and adds to them; one with a lower limit asks
  ///   the highest numbers to end. `.ready` means that all within the limit are ready.
  func keepRunning(
    _ deployment: Deployment, _ specification: RunSpecification, limit: Int?, configuration: [EnvironmentVariable],
    fence: Fence, report: @escaping @Sendable (PlatformReport) async -> Void
  ) async throws(Outage)
  /// Stops all instances (SIGTERM, limit, SIGKILL to the group) and removes the release folder. Safe to repeat.
  func retire(_ deployment: Deployment, fence: Fence) async throws(Outage)
  /// What the deployments' instances use; an instance that cannot be looked at is absent. Kind: *by lookup*.
  ///
  /// A platform that cannot tell answers with none. The guards of memory and processor time are then blind: while they
  /// are on, no judged step beside the old version passes until someone turns them off.
  func usage(of deployments: [DeploymentID]) async -> [InstanceUsage]
}
