import Flags
import Kernel
import Ramps

/// What a definition does to what rests on it: flags that have it as a prerequisite, and environments that override it.
extension FlagDraft {
  /// For a definition that is well by itself and among its own prerequisites.
  ///
  /// - Parameter flags: every flag that there is, this one as it is now included.
  /// - Throws: `Refusal.notNow` with the flag, or the environment, that stands against it.
  static func checkNeighbours(
    of definition: FlagDefinition, _ key: FlagKey, among flags: [FlagKey: FeatureFlag.State],
    segments: [FlagDefinition.Member]
  ) throws(Refusal) {
    let resting = dependents(of: key, flags)
    if !resting.isEmpty {
      var texts = ["\(quoted(key.rawValue)):\(definition.native(state: "ENABLED"))"]
      for other in closure(of: resting + definition.prerequisites, without: key, flags) {
        guard let known = flags[other]?.definition else { continue }
        texts.append("\(quoted(other.rawValue)):\(known.native(state: "ENABLED"))")
      }
      do throws(FlagRefusal) {
        _ = try FlagSet(json: document(of: texts, segments: segments))
      } catch {
        throw Refusal(
          .notNow,
          "With this definition of flag \(key), \(error.subject) \(error.cause): change what rests on it first, or keep "
            + "what that needs.")
      }
    }
    for placement in flags[key]?.placements ?? [] where !placement.override.isEmpty {
      let fault = finding(in: placement.override, over: definition, of: key, segments: segments)
      guard let fault else { continue }
      throw Refusal(
        .notNow,
        "Flag \(key) is overridden in \(placement.environment), and with this definition \(fault.subject) "
          + "\(fault.cause) there: change the override with 'plimsoll flag set' first, or keep what it names.")
    }
  }

  /// The first that is wrong with an override where it will stand: the definition with what is overridden in its place.
  static func finding(
    in override: [FlagDefinition.Member], over definition: FlagDefinition, of key: FlagKey,
    segments: [FlagDefinition.Member]
  ) -> FlagRefusal? {
    let kept = definition.named(own: false).filter { member in
      member.name != "prerequisites" && !override.contains { $0.name == member.name }
    }
    let fields = (override + kept).map { "\(quoted($0.name)):\($0.json)" }.joined(separator: ",")
    let flag = "\(quoted(key.rawValue)):{\"state\":\"ENABLED\",\(fields)}"
    return FlagLint.findings(in: document(of: [flag], segments: segments)).first
  }

  /// What is said of a segment that a flag's rules name and that there is not; nil when all are there.
  package static func missingSegment(
    _ override: [FlagDefinition.Member], over definition: FlagDefinition, of key: FlagKey,
    among segments: [FlagDefinition.Member]
  ) -> String? {
    let fault = finding(in: override, over: definition, of: key, segments: segments)
    return fault.flatMap { $0.cause.contains("segment") ? words($0) : nil }
  }

  /// Flags that rest on this one, directly or not, sorted. Archived ones count while others still need them, because
  /// then they are served.
  static func dependents(of key: FlagKey, _ flags: [FlagKey: FeatureFlag.State]) -> [FlagKey] {
    var resting: [FlagKey: [FlagKey]] = [:]
    for (other, state) in flags where state.isLive || !state.dependents.isEmpty {
      for prerequisite in state.definition?.prerequisites ?? [] { resting[prerequisite, default: []].append(other) }
    }
    var found: Set<FlagKey> = []
    var waiting = [key]
    while let next = waiting.popLast() {
      for other in resting[next] ?? [] where other != key && found.insert(other).inserted { waiting.append(other) }
    }
    return found.sorted()
  }

  /// Native definitions of flags, each as `"key":{…}`.
  static func document(of flags: [String], segments: [FlagDefinition.Member]) -> String {
    let flags = flags.joined(separator: ",")
    return "{\"plimsoll\":1,\"flags\":{\(flags)},\"segments\":{\(named(segments, in: flags))}}"
  }

  /// Only those that may be named: one of them may have ten thousand items.
  static func named(_ segments: [FlagDefinition.Member], in text: String) -> String {
    segments.filter { text.contains(quoted($0.name)) }.map { "\(quoted($0.name)):\($0.json)" }.joined(separator: ",")
  }
}
