import API
import ControlPlane
import Kernel
import Rollouts

/// What is known of places that are only observed.
extension Reader {
  func observations() async -> ObservationsView {
    let places = await lookup.observations()
    return ObservationsView(
      score: Views.score(places.reduce(Observation.Score()) { $0 + $1.2.score }),
      places: places.map { Views.observed($0.2, $0.0, $0.1) })
  }

  func observation(_ service: String, _ environment: String) async throws -> ObservedPlaceView {
    let (service, environment, state) = try await lookup.observation(service, environment)
    return Views.observed(state, service, environment)
  }

  func observed(_ service: String, _ environment: String, _ id: String) async throws -> ObservedDeploymentView {
    let place = try await observation(service, environment)
    guard let number = Int(id), number > 0 else {
      throw Refusal(.malformed, "'\(Lookup.shown(id))' is no deployment: give its number.")
    }
    guard let found = place.deployments.first(where: { $0.id == number }) else {
      let newest = place.deployments.first.map { "the newest is \($0.id)." } ?? "none was seen yet."
      throw Refusal(.unknown, "\(place.service) in \(place.environment) shows no deployment \(number): \(newest)")
    }
    return found
  }

  /// Nil while nothing was seen.
  func observedSeries(_ service: String, _ environment: String, _ id: Int) async throws -> EvidenceSeries? {
    let (service, environment, _) = try await lookup.observation(service, environment)
    return await backend.evidence(of: .observation(service, environment), rollout: id)
  }

  func observedEvidence(_ service: String, _ environment: String, _ id: String) async throws -> EvidenceView {
    let deployment = try await observed(service, environment, id)
    guard let series = try await observedSeries(service, environment, deployment.id) else {
      throw Refusal(.unknown, "No evidence of deployment \(deployment.id) of \(service) in \(environment) was seen.")
    }
    return Views.evidence(series)
  }

  /// - Throws: `Refusal.unknown` while there is nothing to draw.
  func observedPNG(_ service: String, _ environment: String, _ id: String) async throws -> [UInt8] {
    let deployment = try await observed(service, environment, id)
    let series = try await observedSeries(service, environment, deployment.id)
    let picture = ObservationPage.picture(deployment, series)
    guard picture.hasPoints else {
      throw Refusal(
        .unknown, "There is nothing to draw of deployment \(deployment.id) of \(service) in \(environment) yet.")
    }
    return try await backend.png(of: picture.still)
  }
}

extension Lookup {
  /// Every place that is observed, or was and has a score; sorted.
  func observations() async -> [(ServiceName, EnvironmentName, Observation.State)] {
    let known = await backend.states(.observation)
    var found = known.compactMap { standing -> (ServiceName, EnvironmentName, Observation.State)? in
      guard case .observation(let state) = standing.state,
        let (service, environment) = Wiring.place(of: standing.stream)
      else { return nil }
      return (service, environment, state)
    }
    // A place whose stream has no event yet is observed all the same.
    for policy in await backend.topology().observed
    where !found.contains(where: { $0.0 == policy.service && $0.1 == policy.environment }) {
      found.append((policy.service, policy.environment, Observation.initial))
    }
    return found.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
  }

  func observation(_ service: String, _ environment: String) async throws
    -> (ServiceName, EnvironmentName, Observation.State)
  {
    let places = await observations()
    let ofService = places.filter { $0.0.rawValue == service }
    guard !ofService.isEmpty else {
      throw Self.unknown("observed service", service, among: places.map(\.0.rawValue))
    }
    guard let found = ofService.first(where: { $0.1.rawValue == environment }) else {
      throw Self.unknown("observed environment of \(service)", environment, among: ofService.map(\.1.rawValue))
    }
    return found
  }
}
