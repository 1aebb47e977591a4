import RealModule
import Rollouts
import Statistics

/// A deploy from its seed, second by second, with its label: ten minutes of the old version, then ten minutes of both.
///
/// The new version has 10 % of the requests for two minutes, 50 % for two more, then 95 %; nothing in it waits for a
/// verdict, so that every detector sees the same. The same seed gives the same bytes on every machine.
package struct LabelledDeploy: Sendable {
  /// An event of the recording (docs/replay.md).
  package struct Mark: Equatable, Sendable {
    package enum Event: String, Sendable {
      case deploy
      case restart
      case notReady = "not-ready"
      case sourceLost = "source-lost"
      case sourceBack = "source-back"
    }
    package let second: Int
    package let event: Event
    /// Empty where the event is nobody's.
    package let version: String
    package let detail: String
  }

  package static let oldVersion = "old"
  package static let newVersion = "new"
  /// Seconds of history, and the second of the deploy.
  package static let deploySecond = 600
  package static let watchSeconds = 600
  /// From these seconds of the watch on, the new version has that share of the requests.
  package static let steps: [(second: Int, share: Double)] = [(0, 0.1), (120, 0.5), (240, 0.95)]
  /// When a version that is never ready is given up: the default `start-limit`.
  package static let startLimitSeconds = 120
  /// A request that hangs is counted when it has been open for that long, a second after it came.
  static let hangingSeconds = 1

  package let label: DeployLabel
  /// Of the old version, one a second before the deploy.
  package private(set) var history: [Deploy.Counts]
  /// One a second of the watch; nil where the recording has no row.
  package private(set) var canary: [Deploy.Counts?]
  package private(set) var control: [Deploy.Counts?]
  /// Sorted by second.
  package private(set) var marks: [Mark]

  /// - Parameter losesSource: false for the same deploy with its evidence unbroken, to tell what the loss did.
  package init(seed: UInt64, losesSource: Bool = true) {
    // Seeds that are neighbours share nothing.
    var chance = Chance(seed: (seed &+ 0x6c_6162_656c) &* 0xd134_2543_de82_ef95)
    let recipe = DeployRecipe(&chance)
    let profile = recipe.profile(&chance)
    var story = DeployStory(recipe, profile: profile, &chance)
    story.draw(&chance)
    history = story.history
    canary = story.canary
    control = story.control
    marks = LabelledDeploy.marks(recipe)
    label = LabelledDeploy.label(seed, recipe, profile, story)
    if losesSource, let loss = recipe.loss { lose(loss) }
    marks.sort { $0.second < $1.second }
  }

  private static func marks(_ recipe: DeployRecipe) -> [Mark] {
    var marks = [Mark(second: deploySecond, event: .deploy, version: newVersion, detail: "")]
    let detail = recipe.kind == .outOfMemory ? "out of memory" : ""
    for (version, ends) in [(newVersion, recipe.canaryEnds), (oldVersion, recipe.controlEnds)] {
      marks += ends.map { Mark(second: deploySecond + $0, event: .restart, version: version, detail: detail) }
    }
    if recipe.kind == .neverReady {
      marks.append(
        Mark(second: deploySecond + startLimitSeconds, event: .notReady, version: newVersion, detail: ""))
    }
    return marks
  }

  private mutating func lose(_ loss: DeployRecipe.Loss) {
    for second in loss.seconds {
      switch loss.way {
      case .cut, .silent:
        canary[second] = nil
        control[second] = nil
      case .garbled:
        if let counts = canary[second] {
          canary[second] = Deploy.Counts(requests: counts.requests, errors: counts.requests)
        }
      }
    }
    if loss.way == .silent { return }
    marks.append(
      Mark(
        second: Self.deploySecond + loss.seconds.lowerBound, event: .sourceLost, version: "",
        detail: "the log was cut"))
    guard loss.seconds.upperBound < Self.watchSeconds else { return }
    marks.append(
      Mark(second: Self.deploySecond + loss.seconds.upperBound, event: .sourceBack, version: "", detail: ""))
  }

  private static func label(
    _ seed: UInt64, _ recipe: DeployRecipe, _ profile: [Double], _ story: DeployStory
  ) -> DeployLabel {
    let trouble = recipe.trouble
    let isSlow = trouble?.measure == .slow
    var volumes = story.canaryVolumes
    if let loss = recipe.loss { for second in loss.seconds { volumes[second] = 0 } }
    let effect = ReferenceEffect(
      volumes: volumes, profile: profile, usualRate: isSlow ? recipe.slowRate : recipe.errorRate,
      floor: isSlow ? ReferenceEffect.slowFloor : ReferenceEffect.errorFloor,
      historyRequests: story.historyVolumes.reduce(0, +),
      dispersion: isSlow ? 1 : 2 * recipe.clusterMean - 1)
    let isBad = recipe.kind.cause != nil
    let toil = recipe.slowsTo > 0 ? DeployStory.toil - 1 : 0
    let begins = trouble?.begins ?? max((recipe.canaryEnds.first ?? 0) - toil, 0)
    let digits = "\(seed)"
    return DeployLabel(
      deploy: "d" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits, seed: seed,
      class: recipe.kind.class, kind: recipe.kind, bad: isBad, cause: recipe.kind.cause, measure: trouble?.measure,
      worsening: trouble?.ratio, begins: isBad ? deploySecond + begins : nil,
      mde: trouble == nil ? nil : effect.ratio, requestsPerSecond: recipe.requestsPerSecond,
      errorRate: recipe.errorRate, slowRate: recipe.slowRate,
      lost: recipe.loss.map { deploySecond + $0.seconds.lowerBound })
  }

  /// The recording as CSV, which `plimsoll judge replay` reads (docs/replay.md).
  package var recording: String {
    var text = "second,version,requests,errors,slow,event,detail\n"
    func row(_ second: Int, _ version: String, _ counts: Deploy.Counts) {
      text += "\(second),\(version),\(counts.requests),\(counts.errors),\(counts.slow),,\n"
    }
    for (second, counts) in history.enumerated() { row(second, Self.oldVersion, counts) }
    for mark in marks { text += "\(mark.second),\(mark.version),,,,\(mark.event.rawValue),\(mark.detail)\n" }
    for second in canary.indices {
      if let counts = control[second] { row(Self.deploySecond + second, Self.oldVersion, counts) }
      if let counts = canary[second] { row(Self.deploySecond + second, Self.newVersion, counts) }
    }
    return text
  }
}
