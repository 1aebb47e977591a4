/// Which builds are worth a slot now. A proposal: the machine checks it and may take less of it.
package struct Plan: Codable, Equatable, Sendable {
  /// Worthiest first. Waiting and running builds that are not in it are no longer wanted and end; ended ones stay as
  /// evidence. May name more than fit the slots: the next ones, to be made ready.
  package var builds: [Proposal]
  package init(builds: [Proposal]) { self.builds = builds }

  package struct Proposal: Codable, Equatable, Sendable {
    /// Items in order of the line, merged onto the trunk as it is; never empty. The same members as a build that ended
    /// red asks for another run of it.
    package let members: [Int]
    package let purpose: Purpose
    /// The probability that its outcome is needed, 0 to 1; for people, and for the machine when slots are scarce.
    package let worth: Double
    /// Whether it stands on the trunk as it is; false asks to keep a build of these members that runs on an older one.
    package let isOnTrunk: Bool
    package init(members: [Int], purpose: Purpose, worth: Double, isOnTrunk: Bool = true) {
      self.isOnTrunk = isOnTrunk
      self.members = members
      self.purpose = purpose
      self.worth = worth
    }
  }

  /// Why a build is proposed: said on pages, and how its time counts in the waits.
  package enum Purpose: String, Codable, Sendable, CaseIterable {
    /// Of the head, or of a batch of heads: nothing is assumed.
    case head
    /// Assumes that those ahead land.
    case speculation
    /// Assumes that some ahead are ejected.
    case alternative
    /// To pass over slower ones ahead.
    case bypass
    /// One step of the search for a culprit.
    case search
    /// Another run of what was red, to tell a flake.
    case retry
    case hotfix
  }
}

/// What follows from the builds that ended: pure consequence of evidence, under the rules of the queue.
package enum Conclusion: Equatable, Sendable {
  /// These land now, in this order, as the tree that the build of exactly these members saw pass.
  case land(members: [Int])
  /// The item is bad: the probability, and the members of the red and green builds that say so.
  case eject(item: Int, probability: Double, red: [[Int]], green: [[Int]])
}
