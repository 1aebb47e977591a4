import ArgumentParser
import Flags
import Foundation
import Kernel

struct FlagLintCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lint", abstract: "Check flag definitions.",
    discussion: """
      Names every fault by line and column: what flagd's schema refuses, and what could only fail when a flag is \
      evaluated (docs/flags.md).
      Exit 0 when all files are right, 1 when one is not.
      """)

  @Argument(help: "Definitions: flagd's JSON, or Plimsoll's.", completion: .file(extensions: ["json"]))
  var files: [String]
  @ArgumentParser.Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  private struct Answer: Encodable {
    struct Finding: Encodable {
      let file: String
      let line: Int?
      let column: Int?
      let sentence: String
      let nearest: String?
    }
    let valid: Bool
    let findings: [Finding]
  }

  func run() throws {
    let terminal = Terminal.standard
    var found: [Answer.Finding] = []
    for path in files {
      let file = try DefinitionsFile(path)
      let findings = file.findings
      found += findings.map {
        .init(file: path, line: $0.line, column: $0.column, sentence: $0.sentence, nearest: $0.nearest)
      }
      if json { continue }
      for finding in findings { terminal.line(terminal.paint(file.sentence(of: finding), .bad)) }
      if findings.isEmpty { terminal.line("\(path) is right: \(try file.flagSet().count) flags") }
    }
    if json { try printJSON(Answer(valid: found.isEmpty, findings: found)) }
    if !found.isEmpty { throw ExitCode(1) }
  }
}
