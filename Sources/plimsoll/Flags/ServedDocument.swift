import ControlPlane
import FlagServing
import Flags
import Kernel
import Ramps
import Runtime

/// All that an environment serves, as one document of native definitions (`docs/flags.md`): a pure function of the flags'
/// states, so that a restart serves what was decided, whatever was lost on the way.
struct ServedDocument {
  var flags: [FlagKey: FeatureFlag.State] = [:]
  /// `FlagFolder.segments`: each name once.
  var segments: [FlagDefinition.Member] = []

  func text(in environment: EnvironmentName) -> String { text(of: definitions(in: environment), in: environment) }

  /// What is served of each flag.
  private func definitions(in environment: EnvironmentName) -> [FlagKey: String] {
    flags.compactMapValues { $0.served(in: environment) }
  }

  private func text(of definitions: [FlagKey: String], in environment: EnvironmentName) -> String {
    let flags = definitions.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key.rawValue)):\($0.value)" }
    let segments = segments.map { "\(Self.quoted($0.name)):\($0.json)" }
    return """
      {"plimsoll":1,"metadata":{"environment":\(Self.quoted(environment.rawValue))},\
      "segments":{\(segments.joined(separator: ","))},"flags":{\(flags.joined(separator: ","))}}
      """
  }

  /// A flag that cannot be served as its state says.
  struct Fault {
    let flag: FlagKey
    let why: String
  }

  /// The same without what cannot be served: one flag at fault must take no other with it. In its place stands what was
  /// served before, unless it is off now: off is what matters most, and who finds no flag uses the code's default.
  func sound(in environment: EnvironmentName, before: (FlagKey) -> String?) -> (text: String, faults: [Fault]) {
    var sound = definitions(in: environment)
    var faults: [Fault] = []
    for key in sound.keys.sorted() {
      let needed = Set(closure(of: key))
      do throws(FlagRefusal) {
        _ = try FlagSet(json: text(of: sound.filter { needed.contains($0.key) }, in: environment))
      } catch {
        faults.append(Fault(flag: key, why: error.sentence))
      }
    }
    let whole = sound
    for fault in faults {
      let isOn = flags[fault.flag]?.placements.first { $0.environment == environment }?.isOn ?? false
      sound[fault.flag] = isOn ? before(fault.flag) : nil
    }
    let kept = text(of: sound, in: environment)
    if (try? FlagSet(json: kept)) != nil { return (kept, faults) }
    let faulty = Set(faults.map(\.flag))
    return (text(of: whole.filter { !faulty.contains($0.key) }, in: environment), faults)
  }

  /// The flag and all that it rests on.
  private func closure(of key: FlagKey) -> [FlagKey] {
    var found: [FlagKey] = []
    var waiting = [key]
    while let next = waiting.popLast() {
      guard !found.contains(next) else { continue }
      found.append(next)
      waiting += flags[next]?.definition?.prerequisites ?? []
    }
    return found
  }

  private static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    JSONText.write(text, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
