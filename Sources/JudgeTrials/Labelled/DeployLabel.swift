import Rollouts

/// What a labelled deploy truly is, which its recording does not say: the truth that detectors are scored against
/// (docs/labelled-deploys.md). Seconds are those of the recording.
package struct DeployLabel: Codable, Equatable, Sendable {
  /// What a deploy is an example of.
  package enum Class: String, Codable, CaseIterable, Sendable {
    case healthy, coincident
    case providerDown = "provider-down"
    case lowTraffic = "low-traffic"
    case logic, latency, infrastructure, configuration
  }

  /// How that shows. The raw values are the words of the labels file.
  package enum Kind: String, Codable, CaseIterable, Sendable {
    case steady, diurnal, bursty, drifting, retrying
    case dependencyFails = "dependency-fails"
    case dependencySlow = "dependency-slow"
    case hostRestarts = "host-restarts"
    case blindHealthy = "blind-healthy"
    case blindBad = "blind-bad"
    case quietHealthy = "quiet-healthy"
    case quietBad = "quiet-bad"
    case atOnce = "errors-at-once"
    case oneRoute = "errors-on-one-route"
    case delayed = "errors-after-a-delay"
    case growing = "errors-growing"
    case clustered = "errors-in-clusters"
    case slow, hanging
    case crashLoop = "crash-loop"
    case outOfMemory = "out-of-memory"
    case neverReady = "never-ready"
    case exhaustion
    case badVariable = "bad-variable"

    package var `class`: Class {
      switch self {
      case .steady, .diurnal, .bursty, .drifting, .retrying: .healthy
      case .dependencyFails, .dependencySlow, .hostRestarts: .coincident
      case .blindHealthy, .blindBad: .providerDown
      case .quietHealthy, .quietBad: .lowTraffic
      case .atOnce, .oneRoute, .delayed, .growing, .clustered: .logic
      case .slow, .hanging: .latency
      case .crashLoop, .outOfMemory, .neverReady, .exhaustion: .infrastructure
      case .badVariable: .configuration
      }
    }

    /// Nil for a healthy deploy. Wrong configuration makes wrong answers: the remedy is that of logic.
    package var cause: CauseClass? {
      switch self {
      case .steady, .diurnal, .bursty, .drifting, .retrying, .dependencyFails, .dependencySlow, .hostRestarts,
        .blindHealthy, .quietHealthy:
        nil
      case .blindBad, .quietBad, .atOnce, .oneRoute, .delayed, .growing, .clustered, .badVariable: .logic
      case .slow, .hanging: .performance
      case .crashLoop, .outOfMemory, .neverReady, .exhaustion: .infrastructure
      }
    }

    /// Of a thousand deploys. About as many bad ones as healthy: in life most are healthy, and precision with them.
    var weight: Int {
      switch self {
      case .steady: 80
      case .diurnal, .bursty: 60
      case .drifting: 80
      case .retrying: 30
      case .dependencyFails, .dependencySlow: 30
      case .hostRestarts: 20
      case .blindHealthy: 50
      case .blindBad: 50
      case .quietHealthy: 40
      case .quietBad: 60
      case .atOnce, .oneRoute, .delayed, .growing, .clustered: 42
      case .slow, .hanging: 40
      case .crashLoop, .outOfMemory, .neverReady, .exhaustion: 20
      case .badVariable: 40
      }
    }
  }

  /// What a worsening is a worsening of.
  package enum Measure: String, Codable, Sendable { case errors, slow }

  /// "d000042": the name of its file, and of the deploy in a detector's answers.
  package let deploy: String
  package let seed: UInt64
  package let `class`: Class
  package let kind: Kind
  package let bad: Bool
  /// `infrastructure`, `logic` or `performance`; nil for a healthy deploy.
  package let cause: CauseClass?
  /// Nil for a healthy deploy, and where instances that end or never start are all there is.
  package let measure: Measure?
  /// How many times as often as before requests are bad, when the trouble is full; nil without a measure.
  package let worsening: Double?
  /// The second in which the new version's trouble begins; nil for a healthy deploy.
  package let begins: Int?
  /// The smallest worsening that the reference test finds with 95 % power (`ReferenceEffect`); nil without a measure,
  /// and where no worsening could be found.
  package let mde: Double?
  /// Of both versions together, on average.
  package let requestsPerSecond: Double
  /// Shares of requests in the history, 0 to 1.
  package let errorRate: Double
  package let slowRate: Double
  /// The second from which a source of evidence was lost; nil when none was.
  package let lost: Int?

  /// The worsening in times of the MDE; nil where either is unknown.
  package var timesMDE: Double? {
    guard let worsening, let mde else { return nil }
    return worsening / mde
  }
}
