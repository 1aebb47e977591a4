import ArgumentParser
import Foundation
import Kernel
import PlimsollFile

struct InitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init", abstract: "Write a plimsoll.yaml to begin with.")

  @Option(name: .shortAndLong, help: "Where to write it.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String = PlimsollFile.defaultName
  @Option(name: .long, help: "The service's name; the folder's when left out.")
  var service: String?

  func run() throws {
    let path = URL(filePath: file)
    if FileManager.default.fileExists(atPath: path.path) {
      throw Refusal(.notNow, "\(file) exists and was left as it is; edit it, or name another with --file.")
    }
    let folder = path.deletingLastPathComponent()
    let name = service ?? Self.name(from: folder.standardizedFileURL.lastPathComponent)
    guard ServiceName(rawValue: name) != nil else {
      throw Refusal(.malformed, "'\(name)' is no service name; use 1 to 48 lower-case letters, digits and hyphens.")
    }
    do {
      try Data(Self.text(name).utf8).write(to: path)
    } catch {
      throw Outage("disk", "\(file) cannot be written", sources: ["\(error)"])
    }
    Terminal.standard.line("wrote \(file); edit its commands, then 'plimsoll check' and 'plimsoll serve'")
  }

  static func name(from folder: String) -> String {
    let name = folder.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return String(String(name).drop { $0 == "-" }.prefix(longestName))
  }

  static func text(_ name: String) -> String {
    """
    # 'plimsoll check' finds mistakes; 'plimsoll schema' prints the JSON Schema with every key.
    services:
      \(name):
        repository: .          # a path or URL; Plimsoll keeps its own mirror
        test: make test        # must pass on the merged result before it lands
        build: make            # run once per landed commit
        output: dist           # the folder that becomes the artifact
        run: ./run             # started in the unpacked artifact; listens on $PORT
        ready: /healthz        # answers 200 when it can take traffic

    """
  }
}

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check plimsoll.yaml.",
    discussion: """
      Exit 0 when it is right, 1 with every problem by line and column when it is not.
      Says of every judged environment how a version comes into traffic, how often a healthy one may be rolled back
      and why, and what each step can show: 'traffic' and 'baseline' in the file make that exact.
      """)

  @Option(name: .shortAndLong, help: "The configuration.", completion: .file(extensions: ["yaml", "yml"]))
  var file: String = PlimsollFile.defaultName
  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  private struct Answer: Encodable {
    struct Finding: Encodable {
      let severity: String
      let file: String
      let line: Int
      let column: Int
      let sentence: String
      init(_ problem: Problem) {
        severity = problem.severity.rawValue
        file = problem.file
        line = problem.line
        column = problem.column
        sentence = problem.sentence
      }
    }
    let valid: Bool
    let findings: [Finding]
    var judged: [JudgedPlaceAnswer] = []
    var levels: [LevelAnswer] = []
  }

  /// What was taken from an OpenSLO file for one place.
  private struct LevelAnswer: Encodable {
    let service: String
    let environment: String
    let file: String
    let objectives: [String]
    let availability: Double?
    let p99Ms: Int64?
    /// A Prometheus server is asked about the error budgets.
    let watched: Bool
    let sentences: [String]
    init(_ place: PlimsollFile.PlaceLevel) {
      service = place.service.rawValue
      environment = place.environment.rawValue
      file = place.imported.file
      objectives = place.imported.objectives.map(\.name)
      availability = place.imported.availability?.value
      p99Ms = place.imported.p99?.value.milliseconds
      watched = place.isWatched
      sentences = place.sentences
    }
  }

  func run() throws {
    do {
      let parsed = try PlimsollFile.read(file)
      if json {
        return try printJSON(
          Answer(
            valid: true, findings: parsed.warnings.map(Answer.Finding.init),
            judged: parsed.judged.map(JudgedPlaceAnswer.init), levels: parsed.levels.map(LevelAnswer.init)))
      }
      for warning in parsed.warnings { Terminal.standard.line(Terminal.standard.paint("\(warning)", .warning)) }
      let services = parsed.topology.services.map(\.name.rawValue).joined(separator: ", ")
      let environments = parsed.topology.environments.map(\.rawValue).joined(separator: " → ")
      let ours = services.isEmpty ? "nothing is deployed, only observed" : "\(services) through \(environments)"
      Terminal.standard.line("\(file) is right: \(ours)")
      for place in parsed.judged { show(place) }
      for place in parsed.levels {
        Terminal.standard.line("\n\(place.service) in \(place.environment), error budgets")
        for sentence in place.sentences { Terminal.standard.line("  \(sentence)") }
      }
      for place in parsed.observed { Terminal.standard.line("\n\(place.sentence)") }
    } catch let problems as Problems where json {
      try printJSON(Answer(valid: false, findings: problems.all.map(Answer.Finding.init)))
      throw ExitCode(1)
    }
  }

  /// What judging here means, in sentences.
  private func show(_ place: PlimsollFile.JudgedPlace) {
    let terminal = Terminal.standard
    terminal.line("\n\(place.service) in \(place.environment)")
    for sentence in place.sentences { terminal.line("  \(sentence)") }
    for step in place.sight.steps {
      terminal.line("    " + (step.isBlind ? terminal.paint(step.sentence, .warning) : step.sentence))
    }
  }
}

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "Print the JSON Schema of plimsoll.yaml, for editors.")

  func run() { Terminal.standard.line(PlimsollFile.schema) }
}
