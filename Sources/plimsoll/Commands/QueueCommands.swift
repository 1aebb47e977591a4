import API
import ArgumentParser
import Foundation
import Kernel

struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Put an approved branch into its merge queue.",
    discussion: "With --wait: exit 0 when it landed, 1 when it was ejected or withdrawn.")

  @Argument(help: "The branch.")
  var branch: String
  @Option(name: .long, help: "The repository, when there is more than one.")
  var repository: String?
  @Flag(name: .long, help: "Wait until it landed or was ejected, showing why it waits.")
  var wait = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "/v1/changes", SubmitRequest(branch: branch, repository: repository))
    guard wait, let entry = receipt.entry else {
      return try options.show(receipt)
    }
    let finished = try await Following(client: client, quiet: options.json).entry(entry, branch: branch)
    if options.json {
      try printJSON(finished)
    } else {
      Terminal.standard.line(
        Terminal.standard.paint(finished.sentence, finished.outcome == "landed" ? .good : .bad))
      if let log = finished.log { Terminal.standard.line("log: plimsoll queue --log \(log)") }
    }
    if finished.outcome != "landed" { throw ExitCode(1) }
  }
}

struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Show the merge queue: who waits, for what, and since when.")

  @Argument(help: "The repository; all when left out.")
  var repository: String?
  @Flag(name: .long, help: "Redraw every second until interrupted.")
  var watch = false
  @Option(name: .long, help: "Print a log by its digest.")
  var log: String?
  @Option(name: .long, help: "Withdraw this entry.")
  var withdraw: Int?
  @Option(name: .long, help: "Why it is withdrawn.")
  var reason: String = "withdrawn by hand"
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    if let log {
      Terminal.standard.line(try await client.text("/v1/logs/\(component(log))"))
      return
    }
    if let withdraw { return try await withdrawEntry(withdraw, client) }
    repeat {
      let queues = try await views(client)
      if options.json { return try printJSON(queues) }
      if watch { Terminal.standard.clearScreen() }
      for queue in queues { show(queue) }
      if watch { try await Task.sleep(for: .seconds(1)) }
    } while watch
  }

  private func views(_ client: Client) async throws -> [QueueView] {
    if let repository { return [try await client.get("/v1/queues/\(component(repository))")] }
    return try await client.get("/v1/queues", as: QueuesView.self).queues
  }

  private func withdrawEntry(_ entry: Int, _ client: Client) async throws {
    let queues = try await views(client)
    guard let queue = queues.first(where: { $0.entries.contains { $0.entry == entry } }) else {
      throw Refusal(.unknown, "No queue has an entry #\(entry); 'plimsoll queue' lists them.")
    }
    let receipt: Receipt = try await client.delete(
      "/v1/changes/\(component(queue.repository))/\(entry)", WithdrawRequest(reason: reason))
    try options.show(receipt)
  }

  private func show(_ queue: QueueView) {
    let terminal = Terminal.standard
    terminal.line(terminal.paint("\(queue.repository)/\(queue.trunk)", .strong) + "  \(queue.headline)")
    for trouble in queue.troubles { terminal.line(terminal.paint(trouble, .warning)) }
    if !queue.entries.isEmpty {
      printTable(
        ["place", "entry", "branch", "author", "now", "since", "why"],
        queue.entries.map {
          ["\($0.place)", "#\($0.entry)", $0.branch, $0.author, $0.activity, ago($0.sinceMs), $0.reason]
        })
    }
    if !queue.finished.isEmpty {
      terminal.line(terminal.paint("finished", .quiet))
      for finished in queue.finished.prefix(10) {
        terminal.line(
          "  \(terminal.paint(finished.outcome, finished.outcome == "landed" ? .good : .bad))  \(ago(finished.atMs))  \(finished.sentence)"
        )
      }
    }
  }
}
