import Foundation
import Kernel
import Synchronization
import Testing

@testable import Drivers

#if canImport(Glibc)
  import Glibc
#endif

/// The routers under contract.
enum RouterUnderContract: String, CaseIterable, CustomTestStringConvertible {
  case haproxy = "HAProxy"
  case model = "a model of a gateway with weighted routes"
  var testDescription: String { rawValue }

  func contract() async throws -> RouterContract {
    switch self {
    case .haproxy: RouterContract(site: HAProxyRouterSite(site: try await Site()))
    case .model: RouterContract(site: ModelRouterSite())
    }
  }
}

@Suite("Router contract", .serialized)
struct RouterContractTests {
  @Test("requests go as said once it is applied", arguments: RouterUnderContract.allCases)
  func shares(router: RouterUnderContract) async throws { try await router.contract().shares() }

  @Test("what carries a lower fence changes nothing", arguments: RouterUnderContract.allCases)
  func fences(router: RouterUnderContract) async throws { try await router.contract().fences() }

  @Test("a call whose reply was lost may be made again", arguments: RouterUnderContract.allCases)
  func lostReplies(router: RouterUnderContract) async throws { try await router.contract().lostReplies() }

  @Test("preview requests get the version they ask for, and end with it", arguments: RouterUnderContract.allCases)
  func previews(router: RouterUnderContract) async throws { try await router.contract().previews() }

  @Test("a closed service refuses, and is offered again on its port", arguments: RouterUnderContract.allCases)
  func closing(router: RouterUnderContract) async throws { try await router.contract().closing() }

  @Test("a restarted Plimsoll finds what serves and changes it", arguments: RouterUnderContract.allCases)
  func adoption(router: RouterUnderContract) async throws { try await router.contract().adoption() }

  @Test("a lost or altered state is told, and applied again is as before", arguments: RouterUnderContract.allCases)
  func loss(router: RouterUnderContract) async throws { try await router.contract().loss() }
}

/// A gateway in memory, whose deployments have two endpoints and one.
private final class ModelRouterSite: RouterSite {
  private let gateway = ModelGateway()
  let router: any Router
  init() { router = ModelRouter(gateway) }

  func restarted() -> any Router { ModelRouter(gateway) }
  func endpoints(of deployment: DeploymentID) -> [Endpoint] { [Endpoint(instance: 0, port: 20_000)] }
  func ask(_ count: Int, headers: [String]) async -> [DeploymentID?: Int] {
    (0..<count).reduce(into: [:]) { $0[gateway.serve($1, headers: headers), default: 0] += 1 }
  }
  func loseRouter() async throws { gateway.lose() }
  func alter() async throws { gateway.alter { $0.weights = [Site.new: 100] } }
  func withoutReplies(_ body: () async -> Void) async throws {
    gateway.loseReplies(true)
    await body()
    gateway.loseReplies(false)
  }
}

/// A real HAProxy before real servers.
private struct HAProxyRouterSite: RouterSite {
  let site: Site
  var router: any Router { site.router }

  func restarted() -> any Router {
    HAProxyRouter(
      folder: site.folder.path, program: "haproxy", services: [PublicService(Site.shop, Site.production, port: nil)])
  }

  func endpoints(of deployment: DeploymentID) -> [Endpoint] {
    site.routes(0, 0).first { $0.deployment == deployment }?.endpoints ?? []
  }

  func ask(_ count: Int, headers: [String]) async -> [DeploymentID?: Int] {
    let port = await router.port(of: Site.shop, in: Site.production) ?? 0
    return (0..<count).reduce(into: [:]) { answers, _ in
      let body = ServiceFixture.get(port, "/", headers: headers).flatMap { $0.status == 200 ? $0.body : nil }
      answers[body == "a" ? Site.old : body == "b" ? Site.new : nil, default: 0] += 1
    }
  }

  func loseRouter() async throws { kill(try #require(HAProxyProcess.answering(site.haproxyFolder)).pid, SIGKILL) }

  func alter() async throws {
    _ = try HAProxyAdmin(path: site.haproxyFolder.admin).ask(
      site.routes(0, 0).flatMap { route in
        route.endpoints.map {
          let server = HAProxyFolder.server(route.deployment, $0)
          return "set server b-shop/\(server) weight \(route.deployment == Site.new ? 1 : 0)"
        }
      })
  }

  func withoutReplies(_ body: () async -> Void) async throws {
    let path = site.haproxyFolder.admin
    try #require(rename(path, path + ".real") == 0)
    let between = try #require(SilentSocket(path: path, real: path + ".real"))
    await body()
    between.stop()
    try #require(rename(path + ".real", path) == 0)
  }
}

/// Stands before HAProxy's admin socket: questions are answered, commands are carried out and their answers lost.
private final class SilentSocket: Sendable {
  private let descriptor: Int32
  private let stopped = Atomic(false)

  init?(path: String, real: String) {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard UnixAddress.with(path, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 16) == 0 else { return nil }
    let thread = Thread { [descriptor, self] in
      while !stopped.load(ordering: .acquiring) {
        let client = accept(descriptor, nil, nil)
        guard client >= 0 else { continue }
        var command = [UInt8](repeating: 0, count: 64 * 1024)
        let count = max(0, recv(client, &command, command.count, 0))
        let text = String(decoding: command[0..<count], as: UTF8.self)
        let commands = text.split(separator: "\n").first.map { [String($0)] } ?? []
        let answer = (try? HAProxyAdmin(path: real).ask(commands)) ?? ""
        if text.hasPrefix("show") { _ = Glibc.send(client, answer, answer.utf8.count, Int32(MSG_NOSIGNAL)) }
        // As a connection that broke: without its end there is no answer.
        var linger = linger(l_onoff: 1, l_linger: 0)
        if !text.hasPrefix("show") {
          setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        }
        close(client)
      }
    }
    thread.start()
  }

  func stop() {
    stopped.store(true, ordering: .releasing)
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
  }
}
