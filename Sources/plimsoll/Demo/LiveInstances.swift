import Foundation

/// The instances of one data folder that run now, read from the environments of live processes: what really runs,
/// whatever Plimsoll believes.
struct LiveInstances {
  struct Slot: Hashable, Comparable {
    var deployment: String
    var instance: String
    static func < (one: Slot, other: Slot) -> Bool {
      (one.deployment, one.instance) < (other.deployment, other.instance)
    }
  }

  /// The distinct ports of each slot; more than one means that the instance runs twice.
  private(set) var ports: [Slot: Set<String>] = [:]
  /// The digests that run, by environment.
  private(set) var digests: [String: Set<String>] = [:]

  /// O(processes). A process that ends while it is read, or that is not ours to read, is passed over.
  init(data: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    for pid in names where pid.allSatisfy(\.isNumber) {
      guard let bytes = FileManager.default.contents(atPath: "/proc/\(pid)/environ") else { continue }
      var variables: [Substring: Substring] = [:]
      for pair in String(decoding: bytes, as: UTF8.self).split(separator: "\0") {
        guard let sign = pair.firstIndex(of: "=") else { continue }
        variables[pair[..<sign]] = pair[pair.index(after: sign)...]
      }
      guard let scratch = variables["PLIMSOLL_SCRATCH"], scratch.hasPrefix(data + "/"),
        let deployment = variables["PLIMSOLL_DEPLOYMENT"], let instance = variables["PLIMSOLL_INSTANCE"],
        let environment = variables["PLIMSOLL_ENVIRONMENT"], let digest = variables["PLIMSOLL_DIGEST"],
        let port = variables["PORT"]
      else { continue }
      ports[Slot(deployment: String(deployment), instance: String(instance)), default: []].insert(String(port))
      digests[String(environment), default: []].insert(String(digest))
    }
  }

  /// What runs more than once, in words; empty when nothing does.
  var doubles: [String] {
    ports.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map { slot, ports in
      "\(slot.deployment) instance \(slot.instance) on ports \(ports.sorted().joined(separator: ", "))"
    }
  }
}
