import Kernel

extension MergeQueue {
  /// How one branch's queue works, from `plimsoll.yaml`.
  package struct Policy: Codable, Equatable, Sendable {
    package let repository: RepositoryName
    /// The branch that entries land on.
    package let trunk: BranchName
    /// CI runs at once, 1 to `slotLimit`.
    package let slots: Int
    package let method: MergeMethod
    /// Placeholders as in `CandidateOrder`.
    package let messageTemplate: String
    /// The test, run by `/bin/sh -c` in a clean checkout of the candidate.
    package let command: String
    /// How long a test may run; running out is a failure with its own reason.
    package let timeLimit: Span
    /// Entries waiting at most, 1 to `capacityLimit`; a submission beyond it is refused.
    package let capacity: Int

    /// Two: the second entry is tested on top of the first while the first still runs (issue 2, "Merge queue, narrow").
    package static let defaultSlots = 2

    package init(
      repository: RepositoryName, trunk: BranchName, slots: Int = defaultSlots, method: MergeMethod,
      messageTemplate: String, command: String, timeLimit: Span, capacity: Int
    ) {
      self.repository = repository
      self.trunk = trunk
      self.slots = slots
      self.method = method
      self.messageTemplate = messageTemplate
      self.command = command
      self.timeLimit = timeLimit
      self.capacity = capacity
    }

    /// Whether candidates made or tested under `other` are as good as under this policy.
    func hasRecipe(of other: Policy) -> Bool {
      method == other.method && messageTemplate == other.messageTemplate && command == other.command
    }

    /// - Throws: `Refusal.malformed` for a number or command that cannot work.
    package func validate() throws(Refusal) {
      guard (1...slotLimit).contains(slots) else {
        throw Refusal(.malformed, "The queue of \(trunk) has \(slots) slots; set 1 to \(slotLimit).")
      }
      guard (1...capacityLimit).contains(capacity) else {
        throw Refusal(.malformed, "The queue of \(trunk) has a capacity of \(capacity); set 1 to \(capacityLimit).")
      }
      guard timeLimit > .zero else {
        throw Refusal(.malformed, "The test of \(trunk) has no time to run; set a time limit above zero.")
      }
      guard command.contains(where: { !$0.isWhitespace }) else {
        throw Refusal(.malformed, "The queue of \(trunk) has an empty test command; name the command to run.")
      }
    }
  }
}
