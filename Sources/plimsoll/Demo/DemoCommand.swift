import API
import ArgumentParser
import Drivers
import Foundation
import Kernel
import Runtime

struct DemoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Watch one change travel to production, and a bad one come back by itself.",
    discussion:
      "Real git, builds, processes, HAProxy and traffic, in a temporary folder. Exit 0 only if every claim held.")

  @Option(name: .long, help: "The harbor example.", completion: .directory)
  var example = "Examples/harbor"
  @Option(name: .long, help: "Where to write the report.", completion: .file(extensions: ["json"]))
  var report = "demo-report.json"
  @Option(name: .long, help: "Requests per second at production.")
  var rate: Double = 100
  @Flag(name: .long, help: "Leave the server, the service and the traffic's history running; print how to stop it.")
  var keep = false
  @Flag(name: .long, help: "Print the report as JSON at the end.")
  var json = false

  func run() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-demo-\(getpid())").path
    guard let webhookPort = freeLoopbackPort() else { throw Outage("network", "no free port on loopback") }
    let receiver = WebhookReceiver(port: webhookPort)
    receiver.start()
    defer { receiver.stop() }
    var options = HarborWorld.Options()
    options.webhook = receiver.url
    let world = try await HarborWorld(
      example: URL(filePath: example).standardizedFileURL.path, folder: folder, options: options)
    let traffic = TrafficDriver(base: world.productionURL, shapes: try world.traffic)
    let story = DemoStory(world: world, traffic: traffic, receiver: receiver, rate: rate)
    var failure: (any Error)?
    do { try await story.tell() } catch { failure = error }
    await traffic.stop()
    let result = await story.finish(failure: failure)
    try JSONEncoder.report.encode(result).write(to: URL(filePath: report), options: .atomic)
    if json { try printJSON(result) }
    let terminal = Terminal.standard
    if keep {
      terminal.line("the page: \(world.client.base)   (data in \(world.data))")
      terminal.line("stop it: kill \(world.serverPID.map(String.init) ?? "") && plimsoll down --data \(world.data)")
    } else {
      await world.stopEverything()
      world.remove()
    }
    terminal.line(
      result.held
        ? terminal.paint("every claim held; the report is \(report)", .good)
        : terminal.paint("a claim did not hold; the report is \(report)", .bad))
    if let failure { throw failure }
    if !result.held { throw ExitCode(1) }
  }
}
