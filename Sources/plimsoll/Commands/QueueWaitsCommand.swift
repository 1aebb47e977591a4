import API
import ArgumentParser
import Foundation
import Kernel

struct QueueWaitsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "waits", abstract: "How long changes waited, and for what: by lane, service and team.")

  @Argument(help: "The repository; all when left out.")
  var repository: String?
  @Option(name: .long, help: "How many days back.")
  var days: Int = 30
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    var told: [QueueWaitsView] = []
    for queue in try await QueueChoice(client: client, repository: repository).all() {
      told.append(try await client.get("/v1/queues/\(component(queue.repository))/waits?days=\(days)"))
    }
    if options.json { return try printJSON(told) }
    for waits in told { show(waits) }
  }

  private func show(_ waits: QueueWaitsView) {
    let terminal = Terminal.standard
    terminal.line(terminal.paint(waits.repository, .strong) + "  the last \(days) \(days == 1 ? "day" : "days")")
    if waits.groups.isEmpty {
      terminal.line("Nothing landed or left whose waits were recorded.")
    } else {
      printTable(
        ["who", "changes", "half within", "95 % within", "99 % within", "mostly"],
        waits.groups.map { group in
          [group.group, "\(group.count)"]
            + [group.p50Ms, group.p95Ms, group.p99Ms].map { Span(milliseconds: $0).plainly } + [Self.mostly(group)]
        })
    }
    if waits.unmeasured > 0 {
      terminal.line(terminal.paint("\(waits.unmeasured) landed before waits were recorded", .quiet))
    }
    if let mark = waits.mark { terminal.line(terminal.paint(mark, .warning)) }
  }

  /// `62 % waiting for a slot, 31 % running CI`.
  static func mostly(_ group: WaitGroupView) -> String {
    let whole = group.parts.reduce(Int64(0)) { $0 + $1.ms }
    guard whole > 0 else { return "" }
    return group.parts.prefix(2).map { "\(($0.ms * 100 + whole / 2) / whole) % \($0.words)" }.joined(separator: ", ")
  }
}
