import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

extension LocalPlatform {
  /// Asks instances of a supervision that had more of them to end; returns those that it asked.
  func stopSurplus(_ files: InstanceFiles, above count: Int) -> [Int] {
    let surplus = files.known().filter { $0 >= count }
    for number in surplus {
      // No shim of an attempt under way may still start its command: it would read another number.
      try? files.intend(number, attempt: files.attempt(number) + 1)
      InstanceProcesses(mark: files.mark(number)).signal(SIGTERM, leader: files.leader(number))
    }
    return surplus
  }

  /// Which of the surplus instances still run, after killing them when their time is over. Forgets the runs of the
  /// others, so that a supervision with more instances again starts them instead of finding them dead.
  func remaining(_ surplus: [Int], _ files: InstanceFiles, kill: Bool) -> [Int] {
    surplus.filter { number in
      let processes = InstanceProcesses(mark: files.mark(number))
      // Reaps the shim when it was our child.
      if let record = files.record(number) { _ = ProcessTable.isAlive(record.pid, startTime: record.startTime) }
      let leader = files.leader(number)
      guard !processes.all(leader: leader).isEmpty else {
        files.forgetRun(number)
        return false
      }
      if kill { processes.killAll(leader: leader) }
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
