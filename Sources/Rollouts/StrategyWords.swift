import Kernel

extension Rollout.Policy {
  /// How a new version comes into traffic here, in one sentence, with a full stop.
  package var strategySentence: String {
    let ways = steps.enumerated().map { index, step in words(step, isLast: index == steps.count - 1) }
    let drilled = drill ? " Before the first step the way back is drilled." : ""
    let head: String
    switch strategy {
    case .canary: head = "canary"
    case .blueGreen: head = "blue/green"
    case .allAtOnce: head = "all at once"
    }
    return "\(head): \(ways.joined(separator: ", then ")).\(drilled)"
  }

  private func words(_ step: Rollout.Step, isLast: Bool) -> String {
    var parts: [String] = []
    if isLast {
      parts.append(
        holdback > 0 ? "\(step.percent - holdback) % while the old version keeps \(holdback) %" : "all traffic")
    } else {
      parts.append(step.percent > 0 ? "\(step.percent) %" : "no traffic\(previewWords)")
    }
    if let instances = step.instances { parts.append("on \(instances == 1 ? "1 instance" : "\(instances) instances")") }
    let least = isLast ? finalWatch : step.minimum ?? stepMinimum
    if least > .zero { parts.append("for \(JudgeWords.about(least))\(judged && step.percent > 0 ? " or more" : "")") }
    if step.approval { parts.append("until a person approves") }
    if isLast, holdback > 0 { parts.append("and then all") }
    return parts.joined(separator: " ")
  }

  private var previewWords: String {
    switch preview {
    case .header(let name, let value): " but requests with the header '\(name): \(value)'"
    case .cookie(let name, let value): " but requests with the cookie '\(name)=\(value)'"
    case nil: ""
    }
  }

  /// What the budget rests on: beside the old version a rise of both is told from a worse version, against the history
  /// alone it is not (docs/judge.md, "What each comparison promises").
  package var guaranteeSentence: String {
    let isBeside = strategy == .canary
    return isBeside
      ? "The old version beside the new tells a worse version from a bad hour."
      : """
      Nothing serves beside the new version, so it is judged by the history alone: the promise holds as long as the \
      usual rate has not risen by more than \(JudgeWords.times(judge.tolerance)) since.
      """
  }
}
