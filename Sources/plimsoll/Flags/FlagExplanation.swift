import Flags
import Foundation
import Kernel

/// Why a flag has the value that it has, in sentences.
struct FlagExplanation {
  private let flags: FlagSet
  private let text: String
  private let context: EvaluationContext
  private let now: Int64

  /// - Parameter text: the definitions that the flags were read from.
  init(of flags: FlagSet, text: String, context: EvaluationContext, now: Int64) {
    self.flags = flags
    self.text = text
    self.context = context
    self.now = now
  }

  func sentences(of evaluation: Evaluation, key: String) -> [String] {
    var sentences: [String] = []
    let grounds = flags.grounds(of: evaluation, for: context, at: now)
    switch evaluation.reason {
    case .static: sentences.append("it has no rules, so everybody gets the default variant")
    case .disabled: sentences.append("its state is DISABLED, so the caller's own default counts")
    case .targetingMatch: sentences += chosenBranch(of: key)
    case .split:
      if let place = grounds.place { sentences += Self.sentences(of: place) }
    case .default:
      if let unmet = grounds.unmet {
        sentences.append(
          "it waits for `\(unmet.flag)` to serve \(unmet.variants.map { "`\($0)`" }.joined(separator: " or ")), "
            + "which serves \(unmet.served.map { "`\($0)`" } ?? "the caller's default")")
      } else if let details = flags.details(of: evaluation) {
        sentences.append(details)
      } else if !branches(of: key).isEmpty {
        sentences.append("no rule of its targeting chose a variant")
      }
      sentences.append(
        flags.variant(of: evaluation) == nil
          ? "it has no default variant, so the caller's own default counts" : "so the default variant counts")
    case .error: sentences.append(flags.details(of: evaluation) ?? "it could not be evaluated")
    }
    return sentences
  }

  /// Ten thousandths of a percent would be noise: a bucket is a thousandth.
  private static func sentences(of place: EvaluationGrounds.Place) -> [String] {
    let shares = place.shares.map { share in
      let percent = Double(share.buckets.count) * 100 / Double(Allocation.buckets)
      return "`\(share.variant)` has \(share.buckets.lowerBound) to \(share.buckets.upperBound - 1) "
        + "(\(String(format: "%g", percent)) %)"
    }
    let holder = place.shares.first { $0.buckets.contains(place.bucket) }
    return [
      "its ramp puts \(place.attribute) `\(place.subject)` into bucket \(place.bucket) of \(Allocation.buckets)",
      shares.isEmpty ? "no bucket is allocated yet" : shares.joined(separator: ", "),
      holder.map { "so `\($0.variant)` counts" } ?? "no variant has that bucket, so the default variant counts",
    ]
  }

  private func branches(of key: String) -> [TargetingBranch] {
    (try? FlagSet.branches(ofTargetingOf: key, in: text)) ?? []
  }

  /// The first branch whose condition holds. Each is asked by itself, as the only rule of the same flag.
  private func chosenBranch(of key: String) -> [String] {
    let branches = branches(of: key)
    for (position, branch) in branches.enumerated() {
      let chosen = "it chose \(Self.short(branch.result))"
      guard let condition = branch.condition else {
        return branches.count == 1
          ? ["targeting (line \(branch.line)): \(Self.short(branch.result))"]
          : ["no condition of its targeting holds; behind them (line \(branch.line)) \(chosen)"]
      }
      if holds(condition, of: key) {
        let place = "branch \(position + 1) of \(branches.count) (line \(branch.line))"
        return ["\(place) of its targeting holds: \(Self.short(condition))", chosen]
      }
    }
    return []
  }

  private func holds(_ condition: String, of key: String) -> Bool {
    let probe = """
      {"state":"ENABLED","variants":{"held":true},"expiry":"9999-12-31","targeting":{"if":[\(condition),"held"]}}
      """
    guard let asked = try? flags.replacing(key, with: probe) else { return false }
    return asked.evaluate(key, for: context, at: now).variant == 0
  }

  /// Rules can be long; a line of a terminal is not.
  private static func short(_ json: String) -> String { json.onOneLine(upTo: 160) }
}
