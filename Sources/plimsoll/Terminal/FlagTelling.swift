import API
import Foundation
import Kernel
import PlimsollFile

/// A flag in words.
enum FlagTelling {
  static func show(_ view: FlagView) {
    let terminal = Terminal.standard
    terminal.line(
      terminal.paint(view.key, .strong) + "  \(view.type), owned by \(view.owner), revision \(view.revision), "
        + (view.expired
          ? terminal.paint("expired \(ago(view.expiresAtMs))", .warning) : "expires \(ago(view.expiresAtMs))")
    )
    if let archived = view.archived { terminal.line("Archived by \(archived.actor): \(archived.reason)") }
    if let file = view.declaredIn { terminal.line("Kept in \(file).") }
    if !view.prerequisites.isEmpty { terminal.line("Needs \(view.prerequisites.joined(separator: ", ")).") }
    if !view.dependents.isEmpty { terminal.line("Is needed by \(view.dependents.joined(separator: ", ")).") }
    for refused in view.refused { terminal.line(terminal.paint(refused.sentence, .warning)) }
    if let trouble = view.trouble { terminal.line(terminal.paint(trouble, .warning)) }
    for place in view.environments { show(place) }
    for change in view.scheduled {
      terminal.line(
        "\(change.number): \(change.words) in \(change.environment) \(ago(change.atMs)), \(change.by.actor)")
    }
    terminal.line(terminal.paint(view.definition, .quiet))
  }

  static func show(_ folder: FlagFolderView) {
    let terminal = Terminal.standard
    terminal.line(
      terminal.paint(folder.folder, .strong) + (folder.path.map { "  \($0)/" } ?? "") + "  \(folder.sentence)")
    if !folder.segments.isEmpty { terminal.line("  segments: \(folder.segments.joined(separator: ", "))") }
    for fault in folder.faults { terminal.line(terminal.paint("  \(fault)", .warning)) }
    for refused in folder.refused + folder.contested {
      terminal.line(terminal.paint("  \(refused.sentence)", .warning))
    }
  }

  static func show(_ place: FlagPlaceView) {
    let terminal = Terminal.standard
    terminal.line()
    terminal.line(terminal.paint(place.environment, .strong) + "  \(place.sentence)")
    if let override = place.override { terminal.line("  stands there instead: \(override)") }
    if let ramp = place.ramp, ramp.outcome == "running" {
      for stage in ramp.stages {
        let mark = ["passed": "✓", "now": "▸"][stage.standing] ?? " "
        terminal.line("  \(mark) \(number(stage.percent)) %  \(stage.sees.joined(separator: " "))")
      }
      for guardrail in ramp.guardrails {
        if let seen = guardrail.seen { terminal.line("  \(guardrail.name): \(seen)") }
      }
      for remark in ramp.remarks ?? [] { terminal.line(terminal.paint("  \(remark)", .warning)) }
    }
    if let proof = place.proof {
      terminal.line(terminal.paint("  \(proof.sentence)", proof.complete ? .good : .warning))
    }
  }

  /// Two digits behind the point at most.
  static func number(_ value: Double) -> String { String(format: "%g", (value * 100).rounded() / 100) }

  /// A time from now as a moment; any other text as it is, for the server to judge.
  static func expiry(_ text: String) -> String {
    guard let span = parseSpan(text) else { return text }
    return Date().addingTimeInterval(span.seconds).formatted(Date.ISO8601FormatStyle())
  }
}
