import ControlPlane
import Kernel
import MergeQueues

/// Queues that want more than a test.
extension Harbor {
  private init(queue: MergeQueue.Policy) {
    self.init()
    topology = Topology(queues: [queue], services: topology.services)
  }

  private static func policy(
    slots: Int = 2, requirements: MergeQueue.Policy.Requirements = .none, notes: Bool = false
  ) -> MergeQueue.Policy {
    MergeQueue.Policy(
      repository: repository, trunk: trunk, slots: slots, method: .mergeCommit, messageTemplate: "{title}",
      command: "./test", timeLimit: .minutes(10), capacity: 20, requirements: requirements,
      notes: notes)
  }

  private static let untested: @Sendable (StreamEffect, Harbor) -> Bool = { effect, _ in
    if case .queue(.test) = effect { true } else { false }
  }

  mutating func say(_ input: MergeQueue.Input, actor: String = "ada") throws {
    try tell(Self.queue, .queue(input), cause: .request(id: "story"), actor: actor)
  }

  /// Three landed for two teams; a stack of two and a hotfix are being tested.
  static func lined() throws -> Harbor {
    var harbor = Harbor(queue: policy(slots: 3))
    try harbor.open()
    for (branch, team) in [("tide-table", "quays"), ("tide-cache", "locks"), ("berth-list", "quays")] {
      try harbor.submit(branch, "Do the \(branch)", team: team)
      try harbor.settle()
    }
    harbor.isHeld = untested
    try harbor.submit("lighthouse", "Blink the lighthouse")
    try harbor.submit("rhythm", hostileTitle, author: "Mallory", priority: .high, after: [4])
    try harbor.settle()
    try harbor.submit("leak", "Stop the leak in lock 3", priority: .hotfix)
    try harbor.settle()
    return harbor
  }

  /// One change for whose lint nobody has cared for two minutes, which the change itself says.
  static func noted() throws -> Harbor {
    var harbor = Harbor(queue: policy(requirements: MergeQueue.Policy.Requirements(checks: ["lint"]), notes: true))
    try harbor.open()
    try harbor.submit("pilot", "Ask the pilot", author: "Grace Hopper")
    try harbor.settle()
    harbor.pass(.minutes(2))
    try harbor.say(.ticked)
    try harbor.settle()
    return harbor
  }

  /// The same change with a forge that takes no notes, and two more that left since than are kept to be written.
  static func floodedWithNotes() throws -> Harbor {
    var harbor = Harbor(queue: policy(requirements: MergeQueue.Policy.Requirements(checks: ["lint"]), notes: true))
    harbor.isHeld = { effect, _ in if case .queue(.comment) = effect { true } else { false } }
    try harbor.open()
    try harbor.submit("pilot", "Ask the pilot", author: "Grace Hopper")
    try harbor.settle()
    harbor.pass(.minutes(2))
    try harbor.say(.ticked)
    for entry in 2...(MergeQueue.noteLimit + 2) {
      try harbor.submit("wave-\(entry)", "Ride the wave")
      try harbor.say(.withdraw(entry: entry, reason: "it broke"))
    }
    return harbor
  }

  /// One change, which neither a person nor the lint has looked at.
  static func lacking() throws -> Harbor {
    var harbor = Harbor(
      queue: policy(requirements: MergeQueue.Policy.Requirements(approvals: 1, checks: ["lint"])))
    try harbor.open()
    try harbor.submit("pilot", "Ask the pilot", author: "Grace Hopper")
    try harbor.settle()
    harbor.pass(.minutes(2))
    return harbor
  }
}
