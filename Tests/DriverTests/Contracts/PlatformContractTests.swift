import Foundation
import Kernel
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// The platforms under contract.
enum PlatformUnderContract: String, CaseIterable, CustomTestStringConvertible {
  case local = "processes of this machine"
  case model = "a model of a cluster with a Deployment a version"
  var testDescription: String { rawValue }

  var contract: PlatformContract {
    switch self {
    case .local: PlatformContract(site: LocalSite())
    case .model: PlatformContract(site: ModelPlatformSite())
    }
  }
}

@Suite("Platform contract")
struct PlatformContractTests {
  @Test("all instances run, are told with the digest, and outlive us", arguments: PlatformUnderContract.allCases)
  func running(platform: PlatformUnderContract) async throws { try await platform.contract.running() }

  @Test("a call whose reply was lost may be made again", arguments: PlatformUnderContract.allCases)
  func lostReplies(platform: PlatformUnderContract) async throws { try await platform.contract.lostReplies() }

  @Test("what carries a lower fence changes nothing", arguments: PlatformUnderContract.allCases)
  func fences(platform: PlatformUnderContract) async throws { try await platform.contract.fences() }

  @Test("a restarted Plimsoll finds what runs", arguments: PlatformUnderContract.allCases)
  func adoption(platform: PlatformUnderContract) async throws { try await platform.contract.adoption() }

  @Test("a limit runs the lowest numbers; raising it keeps them", arguments: PlatformUnderContract.allCases)
  func limits(platform: PlatformUnderContract) async throws { try await platform.contract.limits() }

  @Test("an instance that ended is told and started again", arguments: PlatformUnderContract.allCases)
  func loss(platform: PlatformUnderContract) async throws { try await platform.contract.loss() }
}

private struct ModelPlatformSite: PlatformSite {
  private let cluster = ModelCluster()
  let deployment = ServiceFixture.deployment("a")
  var platform: any Platform { ModelPlatform(cluster: cluster) }
  func restarted() -> any Platform { ModelPlatform(cluster: cluster) }
  func specification(_ instances: Int) -> RunSpecification {
    RunSpecification(
      command: "", readinessPath: "/", readinessLimit: .seconds(1), instances: instances, stopLimit: .seconds(1))
  }
  func serving() async -> [Int] { cluster.look(deployment.id).pods.filter(\.isReady).map(\.number) }
  func starts(of instance: Int) async -> Int {
    cluster.look(deployment.id).pods.first { $0.number == instance }?.starts ?? 0
  }
  func fail(_ instance: Int) async throws { cluster.fail(deployment.id, instance) }
}

private final class LocalSite: PlatformSite {
  private let folder = ServiceFolder()
  let deployment = ServiceFixture.deployment("a")
  let platform: any Platform
  init() { platform = Self.platform(folder.path) }

  private static func platform(_ path: String) -> LocalPlatform {
    LocalPlatform(
      releases: "\(path)/releases", instances: "\(path)/instances", logs: "\(path)/logs", artifacts: ServiceArtifacts())
  }
  private var files: InstanceFiles { InstanceFiles(folder: "\(folder.path)/instances/\(deployment.id)") }

  func restarted() -> any Platform { Self.platform(folder.path) }
  func specification(_ instances: Int) -> RunSpecification {
    RunSpecification(
      command: "exec python3 server.py", readinessPath: "/ready", readinessLimit: .seconds(10), instances: instances,
      stopLimit: .seconds(2))
  }
  func serving() async -> [Int] {
    files.known().filter { number in
      files.record(number).map { ServiceFixture.get($0.port, "/ready")?.status == 200 } ?? false
    }
  }
  func starts(of instance: Int) async -> Int {
    let text = try? String(contentsOfFile: files.scratch(instance) + "/starts", encoding: .utf8)
    return text?.split(separator: "\n").count ?? 0
  }
  func fail(_ instance: Int) async throws {
    _ = ServiceFixture.get(try #require(files.record(instance)).port, "/exit", timeout: 1)
  }
}
