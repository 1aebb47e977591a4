import ArgumentParser

struct FlagCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flag", abstract: "Evaluate, check and serve feature flags; manage those of a server.",
    subcommands: [
      FlagEvaluateCommand.self, FlagLintCommand.self, FlagServeCommand.self, FlagCreateCommand.self,
      FlagEditCommand.self, FlagShowCommand.self, FlagListCommand.self, FlagHistoryCommand.self,
      FlagRestoreCommand.self, FlagOnCommand.self, FlagOffCommand.self, FlagSetCommand.self, FlagScheduleCommand.self,
      FlagRampCommand.self, FlagAdvanceCommand.self, FlagHoldCommand.self, FlagResumeCommand.self,
      FlagStopCommand.self, FlagKillCommand.self, FlagArchiveCommand.self, FlagFoldersCommand.self,
    ])
}
