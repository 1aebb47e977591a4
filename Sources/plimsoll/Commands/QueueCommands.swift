import API
import ArgumentParser
import Foundation
import Kernel

struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Put a branch into its merge queue.",
    discussion: "With --wait: exit 0 when it landed, 1 when it was ejected or withdrawn.")

  @Argument(help: "The branch.")
  var branch: String
  @Option(name: .long, help: "The repository, when there is more than one.")
  var repository: String?
  @Option(name: .long, help: "hotfix, high, normal or low.")
  var priority: String?
  @Option(name: .long, help: "Whose change it is, for the measures.")
  var team: String?
  @Option(name: .long, help: "An entry in line that it stands on; may be given more than once. They land together.")
  var after: [Int] = []
  @Flag(name: .long, help: "Wait until it landed or was ejected, showing why it waits.")
  var wait = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let receipt: Receipt = try await client.post(
      "/v1/changes",
      SubmitRequest(
        branch: branch, repository: repository, priority: priority, team: team, after: after.isEmpty ? nil : after))
    guard wait, let entry = receipt.entry else {
      return try options.show(receipt)
    }
    let finished = try await Following(client: client, quiet: options.json).entry(entry, branch: branch)
    if options.json {
      try printJSON(finished)
    } else {
      Terminal.standard.line(
        Terminal.standard.paint(finished.sentence, finished.outcome == "landed" ? .good : .bad))
      if !finished.waits.isEmpty { Terminal.standard.line(waitWords(finished.waits)) }
      if let log = finished.log { Terminal.standard.line("log: plimsoll queue --log \(log)") }
    }
    if finished.outcome != "landed" { throw ExitCode(1) }
  }
}

struct QueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "queue", abstract: "Show the merge queue, and steer it: who waits, for what, and since when.",
    discussion: "Without a subcommand it shows; the options of 'plimsoll queue show' may be given at once.",
    subcommands: [
      QueueShowCommand.self, QueueWaitsCommand.self, QueueApproveCommand.self, QueueCheckCommand.self,
      QueueTargetsCommand.self, QueuePauseCommand.self, QueueDrainCommand.self, QueueResumeCommand.self,
    ], defaultSubcommand: QueueShowCommand.self)
}

struct QueueShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Who waits, for what, since when; what left lately.")

  @Argument(help: "The repository; all when left out.")
  var repository: String?
  @Flag(name: .long, help: "Redraw every second until interrupted.")
  var watch = false
  @Flag(name: .long, help: "Where each entry's time went, and when it is expected to land.")
  var waits = false
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
    if let withdraw {
      let queue = try await QueueChoice(client: client, repository: repository).queue(of: withdraw)
      let receipt: Receipt = try await client.delete(
        "/v1/changes/\(component(queue.repository))/\(withdraw)", WithdrawRequest(reason: reason))
      return try options.show(receipt)
    }
    repeat {
      let queues = try await QueueChoice(client: client, repository: repository).all()
      if options.json { return try printJSON(queues) }
      if watch { Terminal.standard.clearScreen() }
      for queue in queues { show(queue) }
      if watch { try await Task.sleep(for: .seconds(1)) }
    } while watch
  }

  private func show(_ queue: QueueView) {
    let terminal = Terminal.standard
    terminal.line(terminal.paint("\(queue.repository)/\(queue.trunk)", .strong) + "  \(queue.headline)")
    if let hold = queue.hold {
      terminal.line(terminal.paint("\(hold.kind) by \(hold.actor): \(hold.reason)", .warning))
    }
    for trouble in queue.troubles { terminal.line(terminal.paint(trouble, .warning)) }
    if !queue.entries.isEmpty {
      printTable(
        ["place", "entry", "branch", "author", "now", "since", "why"],
        queue.entries.map {
          ["\($0.place)", "#\($0.entry)", $0.branch, $0.author, $0.activity, ago($0.sinceMs), $0.reason]
        })
      for entry in queue.entries {
        if let stall = entry.stall {
          terminal.line(terminal.paint("#\(entry.entry) \(stall.sentence)", .warning))
          for lever in stall.levers { terminal.line("  \(lever)") }
        }
        if let note = entry.note { terminal.line(terminal.paint("#\(entry.entry) \(noteWords(note))", .quiet)) }
        for review in entry.reviews { if let words = reviewWords(review) { terminal.line("#\(entry.entry) \(words)") } }
        if waits {
          if !entry.waits.isEmpty { terminal.line("#\(entry.entry) \(waitWords(entry.waits))") }
          if let forecast = entry.forecast { terminal.line("#\(entry.entry) \(forecastWords(forecast))") }
        }
      }
    }
    if !queue.builds.isEmpty {
      terminal.line(terminal.paint("CI runs", .quiet))
      for build in queue.builds {
        terminal.line("  \(build.state)  \(ago(build.sinceMs))  \(build.sentence)")
      }
    }
    if !queue.finished.isEmpty {
      terminal.line(terminal.paint("finished", .quiet))
      for finished in queue.finished.prefix(10) {
        terminal.line(
          "  \(terminal.paint(finished.outcome, finished.outcome == "landed" ? .good : .bad))  \(ago(finished.atMs))  \(finished.sentence)"
        )
        for review in finished.reviews { if let words = reviewWords(review) { terminal.line("    \(words)") } }
      }
    }
  }
}

/// `production/orders says hazard: …; its report: plimsoll queue --log sha256:…`; nil where there is nothing to be read.
func reviewWords(_ review: ReviewView) -> String? {
  guard let report = review.report else { return nil }
  // Why one left is told already.
  let why = review.why.isEmpty || !review.passes ? "" : ": \(review.why)"
  return "\(review.place) says \(review.fit)\(why); its report: plimsoll queue --log \(report)"
}

/// `12 min in all: 8 min running CI, 4 min waiting for a slot`.
func waitWords(_ waits: [WaitView]) -> String {
  let whole = waits.reduce(Int64(0)) { $0 + $1.ms }
  return "\(Span(milliseconds: whole).plainly) in all: "
    + waits.map { "\(Span(milliseconds: $0.ms).plainly) \($0.words)" }.joined(separator: ", ")
}

/// `said on the change 3 min ago: …`.
private func noteWords(_ note: NoteView) -> String {
  let text = note.text.split(separator: "\n").dropFirst().joined(separator: " ")
  switch note.state {
  case "written": return "said on the change \(ago(note.writtenAtMs ?? note.atMs)): \(text)"
  case "abandoned": return "could not be said on the change: \(note.why ?? "no reason is known")"
  default: return "is to be said on the change, \(ago(note.atMs)): \(text)"
  }
}

private func forecastWords(_ forecast: ForecastView) -> String {
  let now = Int64(Date().timeIntervalSince1970 * 1000)
  func ahead(_ at: Int64) -> String { Span(milliseconds: max(0, at - now)).plainly }
  return "lands in about \(ahead(forecast.likelyMs)); 8 of 10 times between \(ahead(forecast.earliestMs)) and "
    + "\(ahead(forecast.latestMs)) from now"
}

/// The queues that a command means.
struct QueueChoice {
  let client: Client
  let repository: String?

  func all() async throws -> [QueueView] {
    if let repository { return [try await client.get("/v1/queues/\(component(repository))")] }
    return try await client.get("/v1/queues", as: QueuesView.self).queues
  }

  /// The queue that the entry waits in.
  func queue(of entry: Int) async throws -> QueueView {
    let holding = try await all().filter { $0.entries.contains { $0.entry == entry } }
    guard let queue = holding.first else {
      throw Refusal(.unknown, "No queue has an entry #\(entry); 'plimsoll queue' lists them.")
    }
    guard holding.count == 1 else {
      throw Refusal(
        .malformed,
        "#\(entry) waits in \(holding.map(\.repository).joined(separator: " and in ")); name one by --repository.")
    }
    return queue
  }

  /// The one queue.
  func one() async throws -> QueueView {
    let queues = try await all()
    guard let queue = queues.first, queues.count == 1 else {
      throw Refusal(
        .malformed,
        "There are \(queues.count) queues: \(queues.map(\.repository).joined(separator: ", ")); name one by --repository."
      )
    }
    return queue
  }
}

/// What the commands that speak about one entry share.
struct EntryOptions: ParsableArguments {
  @Argument(help: "The entry's number.")
  var entry: Int
  @Option(name: .long, help: "The repository, when entries of several have this number.")
  var repository: String?
  @OptionGroup var options: ServerOptions

  func post(_ noun: String, _ request: some Codable & Sendable) async throws {
    let client = try options.client()
    let queue = try await QueueChoice(client: client, repository: repository).queue(of: entry)
    let receipt: Receipt = try await client.post(
      "/v1/changes/\(component(queue.repository))/\(entry)/\(noun)", request)
    try options.show(receipt)
  }
}

struct QueueApproveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approve", abstract: "Approve of a change as it was submitted.")

  @OptionGroup var change: EntryOptions
  @Flag(name: .long, help: "Take the approval back.")
  var takeBack = false

  func run() async throws { try await change.post("approvals", ApprovalRequest(withdraw: takeBack ? true : nil)) }
}

struct QueueCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Report a check of a change that ran elsewhere.",
    discussion: "A check that 'queue.reuse-check' names, passed on an equal tree, spares the queue's own run.")

  @OptionGroup var change: EntryOptions
  @Option(name: .long, help: "The check's name.")
  var check: String
  @Option(name: .long, help: "pending, passed or failed.")
  var state: String
  @Option(name: .long, help: "The commit that was checked; the entry's head when left out.")
  var commit: String?
  @Option(name: .long, help: "The tree that was checked (git rev-parse COMMIT^{tree}).")
  var tree: String?
  @Option(name: .long, help: "Who checked; you when left out.")
  var reporter: String?

  func run() async throws {
    try await change.post(
      "checks", CheckRequest(name: check, state: state, commit: commit, reporter: reporter, tree: tree))
  }
}

struct QueueTargetsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "targets", abstract: "Report what a change affects, for 'queue.lanes: reported'.")

  @OptionGroup var change: EntryOptions
  @Option(name: .long, help: "A build target or package; may be given more than once.")
  var target: [String]

  func run() async throws { try await change.post("targets", TargetsRequest(targets: target)) }
}

/// What the commands that speak about a whole queue share.
struct QueueWord: ParsableArguments {
  @Option(name: .long, help: "The repository, when there is more than one.")
  var repository: String?
  @Option(name: .long, help: "Why; whoever waits reads it.")
  var reason: String
  @OptionGroup var options: ServerOptions

  func post(_ verb: String, _ request: some Codable & Sendable) async throws {
    let client = try options.client()
    let queue = try await QueueChoice(client: client, repository: repository).one()
    let receipt: Receipt = try await client.post("/v1/queues/\(component(queue.repository))/\(verb)", request)
    try options.show(receipt)
  }
}

struct QueuePauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Build and land nothing new; what runs ends, and changes may be submitted.")
  @OptionGroup var word: QueueWord
  func run() async throws { try await word.post("hold", HoldRequest(kind: "paused", reason: word.reason)) }
}

struct QueueDrainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Take nothing new; those in line land.")
  @OptionGroup var word: QueueWord
  func run() async throws { try await word.post("hold", HoldRequest(kind: "draining", reason: word.reason)) }
}

struct QueueResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Go on after a pause or a drain.")
  @OptionGroup var word: QueueWord
  func run() async throws { try await word.post("resume", ResumeRequest(reason: word.reason)) }
}
