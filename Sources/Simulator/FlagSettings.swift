import ControlPlane
import Kernel
import Ramps

extension SimulatedNames {
  /// People make these two; the first may need the second.
  static let checkout: FlagKey = name("checkout")
  static let basket: FlagKey = name("basket")
  /// The repository declares these two; the second not always.
  static let tide: FlagKey = name("tide")
  static let wind: FlagKey = name("wind")
  /// Sorted.
  static let flags = [basket, checkout, tide, wind]
  static let flagFolder = FlagFolder.Policy(
    repository: repository, trunk: trunk, path: "flags", environments: [production, staging])
}

/// A flag in an environment.
struct FlagPlace: Hashable, Comparable, CustomStringConvertible {
  let key: FlagKey
  let environment: EnvironmentName
  init(_ key: FlagKey, _ environment: EnvironmentName) {
    self.key = key
    self.environment = environment
  }
  var description: String { "\(key) in \(environment)" }
  static func < (left: Self, right: Self) -> Bool {
    (left.key, left.environment) < (right.key, right.environment)
  }
}

/// What people and the repository say that flags are, and how they are ramped: the product's plans with short times.
enum FlagSettings {
  /// Which of a ramp's variants is withdrawn is the question, so there is more than one to ramp.
  static let rampable = ["on", "blue"]
  private static let life = Span.minutes(30 * 24 * 60)

  /// - Parameter text: two of one number are one definition.
  static func definition(of key: FlagKey, text: Int, needs: [FlagKey] = []) -> FlagDefinition {
    let needed = needs.map { "{\"flag\":\"\($0)\",\"variant\":\"on\"}" }.joined(separator: ",")
    let members = [
      FlagDefinition.Member(name: "variants", json: #"{"on":true,"blue":true,"off":false}"#),
      FlagDefinition.Member(name: "defaultVariant", json: #""off""#),
      FlagDefinition.Member(name: "metadata", json: "{\"text\":\(text)}"),
    ]
    let all = needs.isEmpty ? members : members + [FlagDefinition.Member(name: "prerequisites", json: "[\(needed)]")]
    return FlagDefinition(
      members: all, hash: SimulatedNames.digest(number(of: key) &+ UInt64(text * 2 + needs.count)),
      variants: ["on", "blue", "off"], prerequisites: needs, owner: "harbor", expiry: Agenda.beginning + life,
      service: SimulatedNames.service)
  }

  static func number(of key: FlagKey) -> UInt64 { key.rawValue.utf8.reduce(11) { Chance.mix($0 &+ UInt64($1)) } }

  /// Stages of 4 s that see five times the errors; the evidence of 600 requests a second needs a quarter of a minute for
  /// it at the smallest stage.
  static func plan(_ variant: String, in environment: EnvironmentName, isGuarded: Bool) -> RampPlan {
    RampPlan(
      environment: environment, variant: variant,
      policy: RampPolicy(
        stages: [10, 50, 100].map { RampPolicy.Stage(percent: $0, least: .seconds(4)) },
        guardrails: isGuarded ? [Guardrail("errors", .errors, detect: 5)] : []),
      patience: .seconds(60), settleLimit: .seconds(15), service: SimulatedNames.service,
      announceTargets: SimulatedSettings.announceTargets)
  }

  /// What the folder of a commit with these changes says: each change edits, adds, removes or breaks something.
  static func reading(of commit: CommitID, _ content: [Int]) -> FolderReading {
    if let last = content.last, last % 9 == 4 { return .faulty(["flags/tide.json:3:1: there is no variant 'onn'"]) }
    var definitions = [entry(SimulatedNames.tide, text: content.count { $0 % 3 == 0 })]
    if content.count(where: { $0 % 5 == 2 }).isMultiple(of: 2) {
      definitions.append(entry(SimulatedNames.wind, text: content.count { $0 % 4 == 1 }))
    }
    return .found(FlagFolder.Found(commit: commit, author: "grace", definitions: definitions))
  }

  private static func entry(_ key: FlagKey, text: Int) -> FlagFolder.Definition {
    FlagFolder.Definition(key: key, file: "flags/\(key).json", definition: definition(of: key, text: text))
  }

  enum FolderReading {
    case found(FlagFolder.Found)
    case faulty([String])
  }
}
