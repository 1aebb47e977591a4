import Kernel
import Rollouts
import Yams

/// Reads how often a healthy deploy may be rolled back: `rollback.needless` or `rollback.costs`.
struct BudgetReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  /// - Parameter fields: of `rollback`, which stands at `node`.
  func read(_ fields: [String: Node], _ node: Node, _ subject: String) -> PlimsollFile.Budget.Origin? {
    if let costs = fields["costs"], fields["needless"] != nil {
      reading.fail(
        costs, "\(subject): 'needless' says the budget and 'costs' derives one; give one of the two")
      return nil
    }
    if let stated = fields["needless"] { return needless(stated, "\(subject).needless").map { .stated($0) } }
    return fields["costs"].flatMap { costs($0, "\(subject).costs") }.map { .costs($0) }
  }

  /// The judge would read a budget beyond its range as the nearest one within: nobody's wish is bent silently.
  private func needless(_ node: Node, _ subject: String) -> Double? {
    guard let share = odds(node, subject) else { return nil }
    guard JudgePolicy.budgets.contains(share) else {
      reading.fail(
        node,
        "\(subject): expected from 1 in 1000000000000 to 1 in 10 deploys (10%), found \(share * 100)%")
      return nil
    }
    return share
  }

  private func odds(_ node: Node, _ subject: String) -> Double? {
    reading.value(node, subject, expected: "'1 in 200' or a share such as 0.5%", parseOdds)
  }

  private func costs(_ node: Node, _ subject: String) -> MistakeCosts? {
    guard let fields = reading.fields(node, subject, RolloutDraft.costKeys) else { return nil }
    let needless = fields["needless"].map { reading.limit($0, "\(subject).needless") } ?? MistakeCosts.standardNeedless
    let bad = fields["bad"].map { reading.limit($0, "\(subject).bad") } ?? MistakeCosts.handTime
    let share =
      fields["bad-deploys"].map { badDeploys($0, "\(subject).bad-deploys") } ?? MistakeCosts.standardBadDeploys
    guard let needless, let bad, let share else { return nil }
    return MistakeCosts(needless: needless, bad: bad, badDeploys: share)
  }

  private func badDeploys(_ node: Node, _ subject: String) -> Double? {
    guard let share = odds(node, subject) else { return nil }
    guard MistakeCosts.badShares.contains(share) else {
      reading.fail(node, "\(subject): expected from 1 in 10000 to 1 in 2 deploys, found \(share * 100)%")
      return nil
    }
    return share
  }
}
