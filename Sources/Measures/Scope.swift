import Kernel

/// Which services and environments a report is about.
struct Scope {
  private let service: ServiceName?
  private let environment: EnvironmentName?
  private let lastStages: [LastStage]
  /// Builds whose order is known, by stream.
  let builds: [StreamID: (service: ServiceName, landedAt: Instant)]
  /// What several changes that were pushed together ended in.
  private let tips: [Push: CommitID]
  /// Sorted.
  private let names: [ServiceName]

  init(book: Book, service: ServiceName?, environment: EnvironmentName?) {
    self.service = service
    self.environment = environment
    lastStages = book.lastStages
    var builds: [StreamID: (service: ServiceName, landedAt: Instant)] = [:]
    for shelved in book.builds.rows {
      guard case .begun(let stream, let service, _, _, let landedAt) = shelved.row else { continue }
      builds[stream] = (service, landedAt)
    }
    self.builds = builds
    names = Set(builds.values.map(\.service)).sorted()
    var tips: [Push: CommitID] = [:]
    for shelved in book.landings.rows where shelved.row.isTip {
      if let build = shelved.row.build { tips[Push(stream: shelved.row.stream, build: build)] = shelved.row.commit }
    }
    self.tips = tips
  }

  func includes(_ candidate: ServiceName, _ place: EnvironmentName) -> Bool {
    guard service == nil || service == candidate else { return false }
    if let environment { return environment == place }
    return lastStages.first { $0.service == candidate }?.environment == place
  }

  /// A landing belongs to every service that builds it, or the tip that was pushed with it.
  func includes(landing: LandingRow) -> Bool {
    guard let service else { return true }
    return builds[StreamID.build(service, tip(of: landing))] != nil
  }

  /// The services that build a landing, sorted.
  func services(of landing: LandingRow) -> [String] {
    names.filter { builds[StreamID.build($0, tip(of: landing))] != nil }.map(\.rawValue)
  }

  /// The services that live on a queue's branch, as its newest landing that was built tells, sorted. O(landings) until
  /// one was.
  func services(on queue: StreamID, in book: Book) -> [String] {
    for shelved in book.landings.rows.reversed() where shelved.row.stream == queue {
      let found = services(of: shelved.row)
      if !found.isEmpty { return found }
    }
    return []
  }

  private func tip(of landing: LandingRow) -> CommitID {
    guard !landing.isTip, let build = landing.build else { return landing.commit }
    return tips[Push(stream: landing.stream, build: build)] ?? landing.commit
  }

  private struct Push: Hashable {
    let stream: StreamID
    let build: Int
  }

  /// `build:harbor/<commit>` is of harbor.
  static func service(of stream: StreamID) -> ServiceName? {
    stream.name.split(separator: "/").first.flatMap { ServiceName(rawValue: String($0)) }
  }

  static func isQueue(_ stream: StreamID, of repository: RepositoryName) -> Bool {
    stream.kind == .queue && stream.name.hasPrefix("\(repository)/")
  }

  static func repositories(in builds: Shelf<BuildRow>) -> [StreamID: RepositoryName] {
    var found: [StreamID: RepositoryName] = [:]
    for shelved in builds.rows {
      guard case .begun(let stream, _, let repository, _, _) = shelved.row else { continue }
      found[stream] = repository
    }
    return found
  }
}
