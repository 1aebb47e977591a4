import Kernel

extension MergeQueue {
  /// A change that reached the trunk.
  package struct Landing: Codable, Equatable, Sendable {
    package let entry: Int
    package let branch: BranchName
    package let head: CommitID
    package let author: String
    package let title: String
    package let commit: CommitID
    package let tree: TreeID
    package let previousTrunk: CommitID
    package let submittedAt: Instant
    package let at: Instant
    /// The last of those pushed together: only this commit was tested, is built and promoted.
    package let isTip: Bool
    /// The build that was pushed; nil in histories of before there were builds.
    package let build: Int?
    package let team: String?
    /// Where its time in the queue went; empty in histories of before that was counted.
    package let waits: [WaitPart]
    /// The lanes that it was in, as pages name them; empty where they were not known.
    package let lanes: [String]
    package init(
      entry: Int, branch: BranchName, head: CommitID, author: String, title: String, commit: CommitID, tree: TreeID,
      previousTrunk: CommitID, submittedAt: Instant, at: Instant, isTip: Bool = true, build: Int? = nil,
      team: String? = nil, waits: [WaitPart] = [], lanes: [String] = []
    ) {
      self.entry = entry
      self.branch = branch
      self.head = head
      self.author = author
      self.title = title
      self.commit = commit
      self.tree = tree
      self.previousTrunk = previousTrunk
      self.submittedAt = submittedAt
      self.at = at
      self.isTip = isTip
      self.build = build
      self.team = team
      self.waits = waits
      self.lanes = lanes
    }

    init(of line: Entry, _ step: Step, build: Int, isTip: Bool, at: Instant) {
      let entry = line.facts
      self.init(
        entry: entry.id, branch: entry.branch, head: entry.head, author: entry.author, title: entry.title,
        commit: step.commit, tree: step.tree, previousTrunk: step.base, submittedAt: entry.submittedAt, at: at,
        isTip: isTip, build: build, team: entry.team, waits: line.waits.parts(at: at),
        lanes: line.lanes?.labels ?? [])
    }

    private enum CodingKeys: String, CodingKey {
      case entry, branch, head, author, title, commit, tree, previousTrunk, submittedAt, at, isTip, build, team, waits
      case lanes
    }
    package init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      entry = try values.decode(Int.self, forKey: .entry)
      branch = try values.decode(BranchName.self, forKey: .branch)
      head = try values.decode(CommitID.self, forKey: .head)
      author = try values.decode(String.self, forKey: .author)
      title = try values.decode(String.self, forKey: .title)
      commit = try values.decode(CommitID.self, forKey: .commit)
      tree = try values.decode(TreeID.self, forKey: .tree)
      previousTrunk = try values.decode(CommitID.self, forKey: .previousTrunk)
      submittedAt = try values.decode(Instant.self, forKey: .submittedAt)
      at = try values.decode(Instant.self, forKey: .at)
      // Each landing of before there were batches was a push of its own.
      isTip = try values.decodeIfPresent(Bool.self, forKey: .isTip) ?? true
      build = try values.decodeIfPresent(Int.self, forKey: .build)
      team = try values.decodeIfPresent(String.self, forKey: .team)
      waits = try values.decodeIfPresent([WaitPart].self, forKey: .waits) ?? []
      lanes = try values.decodeIfPresent([String].self, forKey: .lanes) ?? []
    }
    package func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(entry, forKey: .entry)
      try values.encode(branch, forKey: .branch)
      try values.encode(head, forKey: .head)
      try values.encode(author, forKey: .author)
      try values.encode(title, forKey: .title)
      try values.encode(commit, forKey: .commit)
      try values.encode(tree, forKey: .tree)
      try values.encode(previousTrunk, forKey: .previousTrunk)
      try values.encode(submittedAt, forKey: .submittedAt)
      try values.encode(at, forKey: .at)
      if !isTip { try values.encode(isTip, forKey: .isTip) }
      try values.encodeIfPresent(build, forKey: .build)
      try values.encodeIfPresent(team, forKey: .team)
      if !waits.isEmpty { try values.encode(waits, forKey: .waits) }
      if !lanes.isEmpty { try values.encode(lanes, forKey: .lanes) }
    }
  }

  /// What the last landing rests on, as the state knew it apart from the event; `violations` compares the two.
  package struct LandingProof: Codable, Equatable, Sendable {
    package let landed: CommitID
    package let previousTrunk: CommitID
    /// The member's commit in a push whose build had passed; nil when there was none.
    package let tested: Step?
    package init(landed: CommitID, previousTrunk: CommitID, tested: Step?) {
      self.landed = landed
      self.previousTrunk = previousTrunk
      self.tested = tested
    }
  }
}
