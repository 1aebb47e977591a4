import API
import Foundation
import Kernel

/// Follows a ramp or a withdrawal until it ends, with one line of progress.
struct FlagFollowing {
  let client: Client
  let quiet: Bool

  /// A client that has not heard by then is switched off, or asleep.
  static let proofLimit = Duration.seconds(600)

  /// Ends when the ramp has: stopped and proved, or rolled out.
  func ramp(_ key: String, in environment: String) async throws -> FlagPlaceView {
    var asked: String?
    while true {
      let view: FlagView = try await client.get("/v1/flags/\(component(key))")
      guard let place = view.environments.first(where: { $0.environment == environment }), let ramp = place.ramp else {
        throw Outage(
          "flag", "\(key) is no longer ramped in \(environment); 'plimsoll flag show \(key)' says what is so")
      }
      if ramp.outcome == "stopped" || ramp.outcome == "rolledOut" {
        Terminal.standard.clearProgress()
        return place
      }
      if !quiet {
        let question = ramp.question ?? ramp.hold
        if let question, question != asked {
          Terminal.standard.clearProgress()
          Terminal.standard.line(Terminal.standard.paint(place.sentence, .warning))
        }
        asked = question
        Terminal.standard.progress(place.proof?.sentence ?? place.sentence)
      }
      try await Task.sleep(for: Following.interval)
    }
  }

  /// Ends when everybody has heard and nobody is seen with it, or after `proofLimit`.
  ///
  /// - Parameter environment: nil for each.
  func withdrawal(_ key: String, in environment: String?) async throws -> (proofs: [FlagProofView], isProved: Bool) {
    let clock = ContinuousClock()
    let deadline = clock.now + Self.proofLimit
    while true {
      let view: FlagView = try await client.get("/v1/flags/\(component(key))")
      let places = view.environments.filter { place in
        environment.map { $0 == place.environment } ?? (place.killed != nil)
      }
      let open = places.filter { $0.proof != nil }
      if open.isEmpty || clock.now >= deadline {
        Terminal.standard.clearProgress()
        var proofs: [FlagProofView] = []
        for place in places {
          proofs.append(
            try await client.get(
              "/v1/flags/\(component(key))/clients?environment=\(component(place.environment))"))
        }
        return (proofs, open.isEmpty)
      }
      if !quiet {
        Terminal.standard.progress(
          open.compactMap { place in place.proof.map { "\(place.environment): \($0.sentence)" } }.joined(separator: " ")
        )
      }
      try await Task.sleep(for: Following.interval)
    }
  }
}
