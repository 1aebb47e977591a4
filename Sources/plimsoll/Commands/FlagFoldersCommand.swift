import API
import ArgumentParser

struct FlagFoldersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "folders", abstract: "Show what folders in git declare, and what could not be taken of it.",
    discussion: """
      A declaration that a flag may not become now is taken as soon as it may be. Exit 1 while one is refused, or a \
      folder's newest commit cannot be used.
      """)

  @OptionGroup var options: ServerOptions

  func run() async throws {
    let view: FlagFoldersView = try await options.client().get("/v1/flag-folders")
    if options.json {
      try printJSON(view)
    } else if view.folders.isEmpty {
      Terminal.standard.line("No folder defines flags; name one under 'flags: folders:' in plimsoll.yaml.")
    }
    if !options.json { for folder in view.folders { FlagTelling.show(folder) } }
    let isWell = view.folders.allSatisfy { $0.faults.isEmpty && $0.refused.isEmpty }
    if !isWell { throw ExitCode(1) }
  }
}
