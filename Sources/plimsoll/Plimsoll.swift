import ArgumentParser
import Foundation

/// The one binary. Exit codes that scripts can trust: 0 yes; 1 no, with reasons; 2 misuse; 3 unknown: the world or the
/// evidence is missing.
@main
struct Plimsoll: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plimsoll",
    abstract: "Draws the line how far software may be laden and still sail safely.",
    discussion: """
      One approved change travels to production by digest, and a bad one comes back by itself.
      Exit codes: 0 yes; 1 no, with reasons; 2 misuse; 3 unknown (the world or the evidence is missing).
      """,
    version: version,
    subcommands: [
      ServeCommand.self, InitCommand.self, CheckCommand.self, SchemaCommand.self, SubmitCommand.self,
      QueueCommand.self, PromoteCommand.self, RolloutCommand.self, RollbackCommand.self, FreezeCommand.self,
      ThawCommand.self, LiftCommand.self, ObserveCommand.self, LedgerCommand.self, MeasureCommand.self,
      MigrateCommand.self, DBCommand.self, FlagCommand.self, JudgeCommand.self, SimulateCommand.self, DemoCommand.self,
      DownCommand.self, BenchCommand.self, AcceptCommand.self,
    ])

  static let version = "0.1.0"

  static func main() async {
    // A reader that goes away (`plimsoll queue | head`) is an error to report, not a reason to die of a signal.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      Ending(error).exit()
    }
  }
}
