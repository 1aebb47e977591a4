import API
import ArgumentParser
import ControlPlane
import Foundation
import Kernel
import Ledger

struct LedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Verify, show or export the ledger, also while the server runs.",
    subcommands: [Verify.self, Show.self, Export.self])

  struct Place: ParsableArguments {
    @Option(name: .long, help: "The data folder (or PLIMSOLL_DATA).", completion: .directory)
    var data: String?

    func files() throws -> LedgerFiles {
      let path = data ?? ProcessInfo.processInfo.environment["PLIMSOLL_DATA"] ?? ServeCommand.defaultData
      let folder = DataFolder(at: path)
      guard folder.exists else {
        throw Refusal(.unknown, "\(path) holds no ledger; name the server's data folder with --data.")
      }
      return folder.ledger
    }
  }

  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check chains, positions, signed checkpoints and snapshots.",
      discussion: "Exit 0 when all is as it was written, 1 with every finding when not, 3 when it cannot be read.")
    @OptionGroup var place: Place
    @Flag(name: .long, help: "Print JSON instead of words.")
    var json = false

    func run() async throws {
      let fold = LedgerFold<StreamEvent, StreamState>(
        snapshotFormat: StreamState.format, initial: { StreamState.initial($0.kind) },
        evolve: { state, event in _ = Turn.fold(&state, event.event) })
      let report = try LedgerVerifier(files: try place.files()).verify(folding: fold)
      if json {
        try printJSON(report)
      } else {
        let terminal = Terminal.standard
        for finding in report.findings { terminal.line(terminal.paint(finding.description, .bad)) }
        if report.findingsLeftOut > 0 { terminal.line("… and \(report.findingsLeftOut) more") }
        terminal.line(
          "\(report.events) events in \(report.streams) streams, \(report.checkpoints) signed checkpoints through position \(report.signedThrough) of \(report.lastPosition), \(report.snapshotsFolded) snapshots folded: "
            + (report.isSound ? terminal.paint("sound", .good) : terminal.paint("not as it was written", .bad)))
      }
      if !report.isSound { throw ExitCode(1) }
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print events, one line each, oldest first.")
    @OptionGroup var place: Place
    @Option(name: .long, help: "One stream, for example delivery:harbor/production.")
    var stream: String?
    @Option(name: .long, help: "The first position.")
    var from: Int64 = 1
    @Option(name: .long, help: "At most so many.")
    var limit: Int = 100
    @Flag(name: .long, help: "Print whole events as JSON lines.")
    var json = false

    func run() async throws {
      let filter = try LedgerCommand.filter(stream, from: from, limit: limit)
      let json = json
      try LedgerExport(files: try place.files()).forEach(filter) { line in
        if json { return Terminal.standard.line(line.json) }
        let time = Date(timeIntervalSince1970: Double(line.at.milliseconds) / 1000)
          .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        Terminal.standard.line("\(line.position)  \(time)  \(line.stream)  \(line.type)  by \(line.actor)")
      }
    }
  }

  struct Export: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print every event as a line of JSON.")
    @OptionGroup var place: Place
    @Option(name: .long, help: "One stream, for example queue:harbor/main.")
    var stream: String?
    @Option(name: .long, help: "The first position.")
    var from: Int64 = 1

    func run() async throws {
      let filter = try LedgerCommand.filter(stream, from: from, limit: nil)
      try LedgerExport(files: try place.files()).forEach(filter) { Terminal.standard.line($0.json) }
    }
  }

  private static func filter(_ stream: String?, from: Int64, limit: Int?) throws -> LedgerFilter {
    guard let stream else { return LedgerFilter(from: from, limit: limit) }
    guard let id = StreamID(stream) else {
      let kinds = StreamKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw Refusal(.malformed, "'\(stream)' is no stream; write KIND:NAME with KIND one of \(kinds).")
    }
    return LedgerFilter(stream: id, from: from, limit: limit)
  }
}
