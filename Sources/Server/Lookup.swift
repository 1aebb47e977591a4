import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// Turns what a caller wrote into what is meant, or refuses with the nearest match.
struct Lookup: Sendable {
  let backend: any Backend

  /// Fewer digits than git's own shortest abbreviation would name too much.
  static let shortestPrefix = 4

  struct Build: Sendable {
    let stream: StreamID
    let order: Promotion.Order
    let state: Promotion.State
  }

  func service(_ text: String) async throws -> Topology.Service {
    let services = await backend.topology().services
    if let found = services.first(where: { $0.name.rawValue == text }) { return found }
    throw Self.unknown("service", text, among: services.map(\.name.rawValue))
  }

  func environment(_ text: String, of service: Topology.Service) throws -> EnvironmentName {
    if let found = service.environments.first(where: { $0.name.rawValue == text }) { return found.name }
    throw Self.unknown("environment of \(service.name)", text, among: service.environments.map(\.name.rawValue))
  }

  func delivery(_ service: String, _ environment: String) async throws -> (ServiceName, EnvironmentName, Rollout.State)
  {
    if let retired = await retired().first(where: { $0.0.rawValue == service && $0.1.rawValue == environment }) {
      return retired
    }
    let service = try await self.service(service)
    let environment = try self.environment(environment, of: service)
    return (service.name, environment, await delivery(service.name, environment))
  }

  /// Initial when nothing was ever decided there.
  func delivery(_ service: ServiceName, _ environment: EnvironmentName) async -> Rollout.State {
    guard case .delivery(let state)? = await backend.state(of: .delivery(service, environment)) else {
      return Rollout.initial
    }
    return state
  }

  /// Every place of the topology with its state, in its order.
  func deliveries() async -> [(ServiceName, EnvironmentName, Rollout.State)] {
    var found: [(ServiceName, EnvironmentName, Rollout.State)] = []
    for service in await backend.topology().services {
      for environment in service.environments {
        found.append((service.name, environment.name, await delivery(service.name, environment.name)))
      }
    }
    return found
  }

  /// Places that plimsoll.yaml named once and does not now, sorted.
  func retired() async -> [(ServiceName, EnvironmentName, Rollout.State)] {
    await backend.states(.delivery).sorted { $0.stream < $1.stream }.compactMap { standing in
      guard case .delivery(let state) = standing.state, state.isRetired,
        let (service, environment) = Wiring.place(of: standing.stream)
      else { return nil }
      return (service, environment, state)
    }
  }

  /// Queues whose branch plimsoll.yaml named once and does not now, sorted.
  func retiredQueues() async -> [(policy: MergeQueue.Policy, stream: StreamID)] {
    await backend.states(.queue).sorted { $0.stream < $1.stream }.compactMap { standing in
      guard case .queue(let state) = standing.state, case .retired(let policy) = state.phase else { return nil }
      return (policy, standing.stream)
    }
  }

  /// - Parameter repository: nil when there is one only.
  func queue(_ repository: String?) async throws -> (policy: MergeQueue.Policy, stream: StreamID) {
    let queues = await backend.topology().queues
    guard let repository else {
      guard let only = queues.first, queues.count == 1 else {
        let names = queues.map(\.repository.rawValue).joined(separator: ", ")
        throw Refusal(
          .malformed,
          queues.isEmpty
            ? "No repository is configured: add one to plimsoll.yaml."
            : "The field 'repository' is missing and there are several: name one of \(names).")
      }
      return (only, .queue(only.repository, only.trunk))
    }
    if let found = queues.first(where: { $0.repository.rawValue == repository }) {
      return (found, .queue(found.repository, found.trunk))
    }
    if let retired = await retiredQueues().first(where: { $0.policy.repository.rawValue == repository }) {
      return retired
    }
    throw Self.unknown("repository", repository, among: queues.map(\.repository.rawValue))
  }

  func queueState(_ stream: StreamID) async -> MergeQueue.State {
    guard case .queue(let state)? = await backend.state(of: stream) else { return MergeQueue.initial }
    return state
  }

  // MARK: Builds

  /// Newest landing first.
  func builds() async -> [Build] {
    await backend.states(.build).compactMap { standing -> Build? in
      guard case .build(let state) = standing.state, let order = state.order else { return nil }
      return Build(stream: standing.stream, order: order, state: state)
    }.sorted { ($0.order.ordinal, $0.order.service) > ($1.order.ordinal, $1.order.service) }
  }

  /// By a commit or its first digits.
  func build(_ service: String, _ commit: String) async throws -> Build {
    let service = try await self.service(service)
    let known = await builds().filter { $0.order.service == service.name }
    let matches = try Self.matches("commit", commit, among: known) { $0.order.commit.rawValue }
    guard let found = matches.first else {
      let newest = known.prefix(3).map(\.order.commit.short).joined(separator: ", ")
      throw Refusal(
        .unknown,
        newest.isEmpty
          ? "Nothing of \(service.name) has landed yet: submit a branch with plimsoll submit BRANCH."
          : "No landed commit of \(service.name) begins with '\(Self.shown(commit))': the newest are \(newest).")
    }
    return found
  }

  /// Every build of one artifact, newest landing first; by a digest or its first digits, with or without `sha256:`.
  func artifact(_ text: String) async throws -> (digest: Digest, builds: [Build]) {
    let known = await builds().filter { $0.state.course != nil }
    let digest = try Self.digest(text, among: known.compactMap { $0.state.course?.digest }, "artifact")
    return (digest, known.filter { $0.state.course?.digest == digest })
  }

  /// - Throws: `Refusal.unknown` with the nearest, `Refusal.malformed` naming the matches when there are several.
  static func digest(_ text: String, among known: [Digest], _ noun: String) throws -> Digest {
    let hex = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
    var distinct: [Digest] = []
    for digest in known where !distinct.contains(digest) { distinct.append(digest) }
    let matches = try matches("digest", hex, among: distinct, \.hex)
    if let found = matches.first { return found }
    let near = nearestMatch(to: hex, among: distinct.map { String($0.hex.prefix(hex.count)) })
    let next =
      if let near {
        "did you mean \(near)?"
      } else if distinct.isEmpty {
        "there is none yet."
      } else {
        "the newest are \(distinct.prefix(3).map(\.short).joined(separator: ", "))."
      }
    throw Refusal(.unknown, "No \(noun) begins with '\(shown(hex))': \(next)")
  }

  // MARK: Parts

  /// At most one; several are refused.
  private static func matches<Value>(
    _ noun: String, _ prefix: String, among known: [Value], _ name: (Value) -> String
  ) throws -> [Value] {
    let prefix = prefix.lowercased()
    guard prefix.count >= shortestPrefix, prefix.allSatisfy(\.isHexDigit) else {
      throw Refusal(
        .malformed,
        "'\(shown(prefix))' is no \(noun): give at least its first \(shortestPrefix) hexadecimal digits.")
    }
    let found = known.filter { name($0).hasPrefix(prefix) }
    guard found.count <= 1 else {
      let names = found.prefix(5).map { String(name($0).prefix(prefix.count + 8)) }.joined(separator: ", ")
      throw Refusal(.malformed, "The \(noun) '\(prefix)' is ambiguous: it begins \(names); give more digits.")
    }
    return found
  }

  static func unknown(_ noun: String, _ text: String, among known: [String]) -> Refusal {
    let next =
      if let near = nearestMatch(to: text, among: known) {
        "did you mean \(near)?"
      } else if known.isEmpty {
        "none is configured; add it to plimsoll.yaml."
      } else {
        "there is \(known.joined(separator: ", "))."
      }
    return Refusal(.unknown, "There is no \(noun) '\(shown(text))': \(next)")
  }

  /// A caller's text as a sentence may repeat it.
  static func shown(_ text: String) -> String { text.count <= 80 ? text : text.prefix(79) + "…" }
}
