import ArgumentParser
import Drivers
import Foundation
import Kernel
import Ledger

struct DownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down", abstract: "Stop the instances and routers that a stopped server left serving.",
    discussion: "Nothing is forgotten: the next 'plimsoll serve' starts them again.")

  @Option(name: .long, help: "The data folder (or PLIMSOLL_DATA).", completion: .directory)
  var data: String?

  func run() async throws {
    let path = data ?? ProcessInfo.processInfo.environment["PLIMSOLL_DATA"] ?? ServeCommand.defaultData
    let folder = DataFolder(at: path)
    guard folder.exists else {
      throw Refusal(.unknown, "\(path) holds no ledger; name the server's data folder with --data.")
    }
    let claim = try folder.lock()
    defer { claim.release() }
    try await Self.stopEverything(folder)
    Terminal.standard.line("everything of \(folder.path) is stopped; 'plimsoll serve' starts it again")
  }

  static func stopEverything(_ folder: DataFolder) async throws {
    await LocalPlatform.stopEverything(instances: "\(folder.run)/instances")
    await HAProxyRouter.stopEverything(folder: try Assembly.socketFolder(folder))
  }
}
