import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// Instances beyond a lower limit, on their way out: told to nobody as endpoints, then without requests, then ended.
struct Surplus {
  private enum Phase {
    /// Still serving. Leaves to: `asked` when the others were told and no connection is open, or at `until`.
    case draining(until: ContinuousClock.Instant)
    /// SIGTERM was sent. Leaves to: gone, one by one; by SIGKILL at `until`.
    case asked(until: ContinuousClock.Instant)
  }
  /// A router that was told the endpoints takes a few milliseconds to stop using the others.
  private static let routerPause = Duration.milliseconds(250)

  private(set) var numbers: [Int]
  private let limit: Duration
  private var phase = Phase.draining(until: .now + .milliseconds(LocalPlatform.drainLimit.milliseconds))
  private var toldAt: ContinuousClock.Instant?

  init(_ numbers: [Int], limit: Span) {
    self.numbers = numbers
    self.limit = .milliseconds(limit.milliseconds)
  }

  /// The endpoints without these were told.
  mutating func told() { toldAt = toldAt ?? .now }

  fileprivate mutating func shouldAsk(_ ports: @autoclosure () -> Set<Int>) -> Bool {
    guard !numbers.isEmpty, case .draining(let until) = phase else { return false }
    let isUnused = toldAt.map { .now - $0 >= Self.routerPause } ?? false
    guard .now >= until || isUnused && !OpenConnections.exist(ports()) else { return false }
    phase = .asked(until: .now + limit)
    return true
  }

  fileprivate var wasAsked: Bool {
    if case .asked = phase { return true }
    return false
  }

  fileprivate var isOverdue: Bool {
    if case .asked(let until) = phase { return .now >= until }
    return false
  }

  fileprivate mutating func keep(_ isThere: (Int) -> Bool) { numbers.removeAll { !isThere($0) } }
}

extension LocalPlatform {
  /// One look at the surplus: asks it to end when its time has come, kills what stays, and forgets the runs of those
  /// that went, so that a supervision with more instances again starts them instead of finding them dead.
  /// - Parameter slowLook: whether the machine's processes may be searched, which is not cheap.
  func end(_ surplus: inout Surplus, _ files: InstanceFiles, slowLook: Bool) {
    let numbers = surplus.numbers
    if surplus.shouldAsk(Set(numbers.compactMap { files.record($0)?.port })) {
      for number in numbers {
        leaving.insert(files.mark(number))
        // No shim of an attempt under way may still start its command: it would read another number.
        try? files.intend(number, attempt: files.attempt(number) + 1)
        InstanceProcesses(mark: files.mark(number)).signal(SIGTERM, leader: files.leader(number))
      }
    }
    guard slowLook, surplus.wasAsked, !numbers.isEmpty else { return }
    let isOverdue = surplus.isOverdue
    surplus.keep { number in
      let processes = InstanceProcesses(mark: files.mark(number))
      // Reaps the shim when it was our child.
      if let record = files.record(number) { _ = ProcessTable.isAlive(record.pid, startTime: record.startTime) }
      let leader = files.leader(number)
      guard !processes.all(leader: leader).isEmpty else {
        files.forgetRun(number)
        leaving.remove(files.mark(number))
        return false
      }
      if isOverdue { processes.killAll(leader: leader) }
      return true
    }
  }

  /// How long all instances together get between SIGTERM and SIGKILL.
  private static let stopEverythingLimit = Duration.seconds(5)

  /// Ends every instance that a server with this folder left running; files stay, so that a later server starts them
  /// again. Only for a data folder that no server owns.
  package static func stopEverything(instances: String) async {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: instances)) ?? []
    let all = names.filter { DeploymentID(rawValue: $0) != nil }.map { InstanceFiles(folder: "\(instances)/\($0)") }
    func leaders(_ files: InstanceFiles) -> [(InstanceProcesses, Int32?)] {
      files.known().map { (InstanceProcesses(mark: files.mark($0)), files.leader($0)) }
    }
    for files in all {
      // No shim of an attempt under way may still start its command: it would read another number.
      for instance in files.known() { try? files.intend(instance, attempt: files.attempt(instance) + 1) }
      for (processes, leader) in leaders(files) { processes.signal(SIGTERM, leader: leader) }
    }
    let clock = ContinuousClock()
    let deadline = clock.now + stopEverythingLimit
    while clock.now < deadline, all.contains(where: { leaders($0).contains { !$0.0.all(leader: $0.1).isEmpty } }) {
      try? await Task.sleep(for: .milliseconds(50))
    }
    for files in all { for (processes, leader) in leaders(files) { processes.killAll(leader: leader) } }
  }
}
