import Kernel

extension MergeQueue {
  package enum Event: DomainEvent {
    case configured(Policy)
    /// An external push, or the first sight of the trunk (`from` is nil).
    case trunkMoved(from: CommitID?, to: CommitID, at: Instant)
    case submitted(EntryFacts)
    /// `stay` is nil in histories of before that was counted.
    case withdrawn(entry: Int, reason: String, at: Instant, stay: Stay? = nil)
    /// The entry's change on `base`, which assumes those entries ahead: a step of every build that goes this way.
    case prepared(entry: Int, base: CommitID, assumed: [Int], commit: CommitID, tree: TreeID, at: Instant)
    case conflicted(entry: Int, base: CommitID, assumed: [Int], paths: [String], detail: String, at: Instant)
    /// The base already contains the change.
    case contained(entry: Int, base: CommitID, assumed: [Int], at: Instant)
    /// Of before there were builds.
    case testPassed(entry: Int, commit: CommitID, log: Digest, startedAt: Instant, endedAt: Instant)
    /// Of before there were builds.
    case testFailed(
      entry: Int, commit: CommitID, end: RunEnd, reason: String, log: Digest, startedAt: Instant, endedAt: Instant)
    /// Of before there were builds.
    case candidateDropped(entry: Int, commit: CommitID?, because: DropCause, at: Instant)
    case landed(Landing)
    case ejected(Ejection)
    /// The world keeps failing at a wanted effect. The entry stays and the effect is tried again: an outage is not the
    /// change's fault, so it never ejects. Told once per key and reason.
    case troubled(entry: Int?, key: EffectKey, why: String, at: Instant)
    /// The watch on the trunk works again; for other effects their own result says so.
    case recovered(key: EffectKey, at: Instant)
    /// plimsoll.yaml no longer names the branch; who waited is ejected in the same turn.
    case retired(at: Instant)
    /// What the trunk holds is wanted by services that were not there when it came.
    case recalled(trunk: CommitID, services: [ServiceName], at: Instant)

    /// What the machine took of a plan. Waiting and running builds that the plan did not name end; `reruns` are red ones
    /// that get another run; `order` is of all waiting builds, worthiest first.
    case planned(Planned)
    /// The build has a slot.
    case runBegan(build: Int, run: Int, subject: Subject, at: Instant)
    /// `at` is our own time; a run's times are those of its runner.
    case runEnded(build: Int, Run, at: Instant)
    /// Another build needed the slot.
    case runStopped(build: Int, run: Int, because: DropCause, at: Instant)
    /// The build's tree had passed before: no run is needed.
    case recognised(build: Int, PassedTree, at: Instant)
    case buildDropped(build: Int, because: DropCause, at: Instant)
    /// The build goes on although these landed beside it: they are disjoint in lane from all of its members.
    case buildCarried(build: Int, over: [Int], to: CommitID, at: Instant)
    /// All members of the build are being pushed.
    case landingBegan(build: Int, members: [Int], commit: CommitID, expecting: CommitID, at: Instant)
    /// What was red is green, and nothing that counts was different.
    case flakeFound(Flake)
    /// A stack is red: its members are looked at one by one.
    case stackLoosened(unit: Int, members: [Int], at: Instant)
    case reported(entry: Int, approvals: [String], checks: [CheckResult], at: Instant)
    /// Somebody else's CI passed on this tree.
    case treePassed(PassedTree)
    case surveyed(entry: Int, lanes: Lanes, at: Instant)
    /// Build targets or packages that the change affects, sorted.
    case targetsReported(entry: Int, targets: [String], at: Instant)
    case held(Hold)
    case resumed(reason: String, by: String, at: Instant)
    case frozen(Freeze)
    case thawed(at: Instant)
    /// It waits longer than policy wants anyone to.
    case overdue(entry: Int, since: Instant, at: Instant)
    /// An entry stands still, goes on, or waits for long: the change itself shall say so. Of those that left no such event
    /// is needed.
    case noted(Note)
    /// The forge has it.
    case noteWritten(Note, at: Instant)
    /// The forge refused it again and again, and nobody waits for it.
    case noteAbandoned(Note, why: String, at: Instant)
    case runnerLost(RunnerLoss, at: Instant)
    case runnerFound(at: Instant)
    /// Somebody else moved the trunk; what changed is being looked up. To the trunk as it is known: they took it back.
    case trunkSighted(to: CommitID, at: Instant)
    /// What a push past the queue changed; the `trunkMoved` of the same turn takes it in.
    case trunkTraced(Overtaking, at: Instant)
    /// It was in line when reviews by these places became required. `Wiring` tells them; of an entry that comes,
    /// `submitted` does. One event each: of one event a stream gets one input at most.
    case reviewsAsked(entry: Int, head: CommitID, places: [String], at: Instant)
    /// What a database says of the entry's migrations; one that does not pass is ejected in the same turn, unless it is
    /// being pushed.
    case schemaReviewed(entry: Int, head: CommitID, place: String, verdict: SchemaReview, at: Instant)

    package struct Planned: Codable, Equatable, Sendable {
      package let version: Int
      package let builds: [PlannedBuild]
      package let dropped: [Int]
      package let reruns: [Int]
      package let order: [Int]
      package let at: Instant
      package init(
        version: Int, builds: [PlannedBuild], dropped: [Int], reruns: [Int], order: [Int], at: Instant
      ) {
        self.version = version
        self.builds = builds
        self.dropped = dropped
        self.reruns = reruns
        self.order = order
        self.at = at
      }
    }

    package struct Flake: Codable, Equatable, Sendable {
      package let red: Int
      /// Runs of the red build that ended red.
      package let redRuns: Int
      package let members: [Int]
      /// The green build: the same one run again, or one that holds all of the red one's members.
      package let green: Int
      package let at: Instant
      package init(red: Int, redRuns: Int, members: [Int], green: Int, at: Instant) {
        self.red = red
        self.redRuns = redRuns
        self.members = members
        self.green = green
        self.at = at
      }
    }

    package var name: String {
      switch self {
      case .configured: "configured"
      case .trunkMoved: "trunkMoved"
      case .submitted: "submitted"
      case .withdrawn: "withdrawn"
      case .prepared: "prepared"
      case .conflicted: "conflicted"
      case .contained: "contained"
      case .testPassed: "testPassed"
      case .testFailed: "testFailed"
      case .candidateDropped: "candidateDropped"
      case .landed: "landed"
      case .ejected: "ejected"
      case .troubled: "troubled"
      case .recovered: "recovered"
      case .retired: "retired"
      case .recalled: "recalled"
      case .planned: "planned"
      case .runBegan: "runBegan"
      case .runEnded: "runEnded"
      case .runStopped: "runStopped"
      case .recognised: "recognised"
      case .buildDropped: "buildDropped"
      case .buildCarried: "buildCarried"
      case .landingBegan: "landingBegan"
      case .flakeFound: "flakeFound"
      case .stackLoosened: "stackLoosened"
      case .reported: "reported"
      case .treePassed: "treePassed"
      case .surveyed: "surveyed"
      case .targetsReported: "targetsReported"
      case .held: "held"
      case .resumed: "resumed"
      case .frozen: "frozen"
      case .thawed: "thawed"
      case .overdue: "overdue"
      case .noted: "noted"
      case .noteWritten: "noteWritten"
      case .noteAbandoned: "noteAbandoned"
      case .runnerLost: "runnerLost"
      case .runnerFound: "runnerFound"
      case .trunkSighted: "trunkSighted"
      case .trunkTraced: "trunkTraced"
      case .reviewsAsked: "reviewsAsked"
      case .schemaReviewed: "schemaReviewed"
      }
    }
  }
}
