import API
import ArgumentParser
import Foundation
import Kernel

struct MeasureCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure", abstract: "Print what the pipeline did, from recorded facts.")

  @Option(name: .long, help: "One service; all when left out.")
  var service: String?
  @Option(name: .long, help: "One environment; each service's last when left out.")
  var environment: String?
  @Option(name: .long, help: "How many days back.")
  var days: Int = 30
  @OptionGroup var options: ServerOptions

  func run() async throws {
    var query = "days=\(days)"
    if let service { query += "&service=\(component(service))" }
    if let environment { query += "&environment=\(component(environment))" }
    let view: MeasuresView = try await options.client().get("/v1/measures?\(query)")
    if options.json { return try printJSON(view) }
    for line in Self.lines(view) { Terminal.standard.line(line) }
  }

  /// One line a measure: name, value, what it stands on, what the article says of it.
  static func lines(_ view: MeasuresView) -> [String] {
    let width = view.measures.map(\.label.count).max() ?? 0
    return view.measures.map { measure in
      let name = measure.label.padding(toLength: width, withPad: " ", startingAt: 0)
      let basis = measure.facts == 1 ? "1 fact" : "\(measure.facts) facts"
      let mark = measure.mark.map { "  [\($0)]" } ?? ""
      return "\(name)  \(measure.text)  (\(basis))\(mark)"
    }
  }
}
