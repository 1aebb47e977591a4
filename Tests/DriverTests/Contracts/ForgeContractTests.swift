import Foundation
import Kernel
import Synchronization
import Testing

@testable import Drivers
@testable import Simulator

/// The forges under contract.
enum ForgeUnderContract: String, CaseIterable, CustomTestStringConvertible {
  case git = "git repositories"
  case simulated = "the simulator's forge"
  var testDescription: String { rawValue }

  func keeps(_ promise: (ForgeContract) async throws -> Void) async throws {
    switch self {
    case .git: try await withGitSandbox { try await promise(ForgeContract(site: GitSite(sandbox: $0))) }
    case .simulated: try await promise(ForgeContract(site: SimulatedForgeSite()))
    }
  }
}

@Suite("Forge contract")
struct ForgeContractTests {
  @Test(
    "an equal order gives the equal candidate", arguments: ForgeUnderContract.allCases
  )
  func sameOrder(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.sameOrder() } }

  @Test("changes apart give the equal tree in any order", arguments: ForgeUnderContract.allCases)
  func anyOrder(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.anyOrder() } }

  @Test("candidates stand on candidates, and the last lands them all", arguments: ForgeUnderContract.allCases)
  func chain(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.chain() } }

  @Test("what does not merge is said with its paths", arguments: ForgeUnderContract.allCases)
  func conflict(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.conflict() } }

  @Test("landing again is landing once, and never over others' pushes", arguments: ForgeUnderContract.allCases)
  func landing(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.landing() } }

  @Test("a trunk forced back or rewritten under us is told and left alone", arguments: ForgeUnderContract.allCases)
  func trunkUnderUs(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.trunkUnderUs() } }

  @Test("branches are told as they are now: there, pushed to, gone", arguments: ForgeUnderContract.allCases)
  func states(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.states() } }

  @Test("paths are the change's own", arguments: ForgeUnderContract.allCases)
  func paths(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.paths() } }

  @Test("a push past us has the paths that it changed", arguments: ForgeUnderContract.allCases)
  func pathsOfOthers(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.pathsOfOthers() } }

  @Test("a change has one note, the latest", arguments: ForgeUnderContract.allCases)
  func notes(forge: ForgeUnderContract) async throws { try await forge.keeps { try await $0.notes() } }
}

private struct GitSite: ForgeSite {
  let sandbox: GitSandbox
  var forge: any Forge { sandbox.forge }
  func restarted() throws -> any Forge { try sandbox.restarted() }
  var repository: RepositoryName { GitSandbox.harbor }
  var trunk: BranchName { GitSandbox.main }

  private func first() async throws -> CommitID {
    let roots = try await sandbox.git("rev-list", "--max-parents=0", "main")
    return try #require(CommitID(rawValue: roots))
  }
  func push(_ branch: BranchName) async throws -> CommitID {
    let text = UUID().uuidString
    return try await sandbox.branch(
      branch.rawValue, from: first(), "A change", files: ["own/\(branch.rawValue)-\(text).txt": text])
  }
  func push(_ branch: BranchName, against other: CommitID) async throws -> CommitID {
    let path = try await sandbox.git("diff", "--name-only", "\(other)^", other.rawValue)
    return try await sandbox.branch(branch.rawValue, from: first(), "Another", files: [path: "another\n"])
  }
  func delete(_ branch: BranchName) async throws {
    try await sandbox.git("push", "--quiet", sandbox.remote, "--delete", branch.rawValue)
  }
  func pushToTrunk() async throws {
    try await sandbox.git("fetch", "--quiet", sandbox.remote, "main")
    let text = UUID().uuidString
    try await sandbox.branch("main", from: sandbox.head("FETCH_HEAD"), "External", files: ["ext-\(text).txt": text])
  }
  func forceTrunk(to commit: CommitID) async throws {
    try await sandbox.git("push", "--quiet", "--force", sandbox.remote, "\(commit):refs/heads/main")
  }
  func rewriteTrunk() async throws {
    let made = try await sandbox.git("commit-tree", "main^{tree}", "-m", "All anew")
    try await forceTrunk(to: try #require(CommitID(rawValue: made)))
    try await sandbox.git("--git-dir=\(sandbox.remote)", "reflog", "expire", "--all", "--expire=now")
    try await sandbox.git("--git-dir=\(sandbox.remote)", "prune", "--expire=now")
  }
  func note(on head: CommitID) async throws -> String? {
    let said = try await sandbox.git(
      "--git-dir=\(sandbox.remote)", "log", "-1", "--notes=plimsoll", "--format=%N", head.rawValue)
    return said.isEmpty ? nil : said
  }
}

private final class SimulatedForgeSite: ForgeSite {
  private let world = Mutex(SimulatedForge(salt: 4))
  let repository = SimulatedNames.repository
  let trunk = SimulatedNames.trunk
  /// The most changes drawn until one is as wanted: one in 25 clashes with a given other.
  private static let draws = 2_000

  var forge: any Forge { SimulatedPort(site: self) }
  func restarted() throws -> any Forge { forge }

  fileprivate func with<Answer: Sendable>(_ body: (SimulatedForge) throws -> Answer) rethrows -> Answer {
    try world.withLock { try body($0) }
  }

  private func draw(_ branch: BranchName, until isWanted: (SimulatedForge, CommitID) -> Bool) throws -> CommitID {
    try with { forge in
      for _ in 0..<Self.draws {
        let head = forge.push(SimulatedChange(id: forge.changes.count), as: branch)
        if isWanted(forge, head) { return head }
      }
      throw Outage("test", "no such change in \(Self.draws)")
    }
  }
  func push(_ branch: BranchName) async throws -> CommitID {
    try draw(branch) { $0.changedPaths(from: $0.trunk, to: $1).paths.count == 1 }
  }
  func push(_ branch: BranchName, against other: CommitID) async throws -> CommitID {
    try draw(branch) { [repository] forge, head in
      func order(_ head: CommitID, on base: CommitID) -> CandidateOrder {
        CandidateOrder(
          repository: repository, base: base, head: head, branch: branch, method: .mergeCommit, messageTemplate: "",
          title: "", author: "", entry: 1, at: Instant(milliseconds: 0))
      }
      guard case .prepared(let commit, _) = forge.prepare(order(other, on: forge.trunk)),
        case .conflicted = forge.prepare(order(head, on: commit))
      else { return false }
      return true
    }
  }
  func delete(_ branch: BranchName) async throws { with { $0.delete(branch) } }
  func pushToTrunk() async throws {
    with { forge in
      let before = forge.trunk
      while forge.trunk == before { forge.pushFromOutside(SimulatedChange(id: forge.changes.count)) }
    }
  }
  func forceTrunk(to commit: CommitID) async throws { with { $0.forceBack(to: commit) } }
  func rewriteTrunk() async throws { with { $0.rewriteTrunk() } }
  func note(on head: CommitID) async throws -> String? { with { $0.notes[head]?.text } }
}

/// The simulator's forge behind the port. What a simulation never asks for is an outage.
private struct SimulatedPort: Forge {
  let site: SimulatedForgeSite
  private let unasked = Outage("simulated world", "no simulation asks this")

  func resolve(_ branch: BranchName, in repository: RepositoryName) async throws -> ResolvedBranch { throw unasked }
  func head(of branch: BranchName, in repository: RepositoryName) async throws(Outage) -> CommitID {
    site.with { $0.trunk }
  }
  func move(from old: CommitID, to new: CommitID, in repository: RepositoryName) async throws(Outage) -> HeadMove {
    site.with { $0.move(from: old, to: new) }
  }
  func states(of branches: [BranchName], in repository: RepositoryName) async throws(Outage) -> [ChangeState] {
    site.with { forge in branches.map { forge.state(of: $0) } }
  }
  func changedPaths(from base: CommitID, to head: CommitID, in repository: RepositoryName)
    async throws(Outage) -> ChangedPaths
  {
    site.with { $0.changedPaths(from: base, to: head) }
  }
  func prepare(_ order: CandidateOrder) async throws(Outage) -> CandidateOutcome { site.with { $0.prepare(order) } }
  func land(_ commit: CommitID, on branch: BranchName, in repository: RepositoryName, expecting: CommitID)
    async throws(Outage) -> LandOutcome
  {
    site.with { $0.land(commit, expecting: expecting) }
  }
  func commits(from old: CommitID?, to new: CommitID, in repository: RepositoryName, limit: Int)
    async throws(Outage) -> [CommitFacts]
  { throw unasked }
  func checkOut(_ commit: CommitID, of repository: RepositoryName, into folder: String) async throws(Outage) {
    throw unasked
  }
  func comment(_ note: ChangeNote, in repository: RepositoryName) async throws(Outage) {
    site.with { $0.comment(note) }
  }
}
