import ControlPlane
import Foundation
import Kernel
import Ledger
import Measures
import MergeQueues
import Runtime

/// Folds the ledger into measures as it grows. The fold is kept in a file, so that a restart reads only the tail.
actor MeasuresFollower {
  private struct Saved: Codable {
    var format: String
    var position: Position
    var book: Book
  }

  /// Changes whenever `Book` or its folding does; an older file is then folded anew.
  static let format = "3"
  /// The file is at most this many events behind.
  static let saveInterval: Position = 512
  /// More commits than this in one landing are a vendored history, not a change.
  static let commitLimit = 500

  private let ledger: ProductLedger
  private let forge: any Forge
  private let file: URL
  private var saved: Saved
  private var savedPosition: Position

  init(ledger: ProductLedger, forge: any Forge, file: String) {
    self.ledger = ledger
    self.forge = forge
    self.file = URL(filePath: file)
    if let data = try? Data(contentsOf: self.file), let saved = try? JSONDecoder().decode(Saved.self, from: data),
      saved.format == Self.format
    {
      self.saved = saved
    } else {
      saved = Saved(format: Self.format, position: 0, book: Book())
    }
    savedPosition = saved.position
  }

  func report(window: Range<Instant>, service: ServiceName?, environment: EnvironmentName?) async throws(Outage)
    -> Report
  {
    try await catchUp()
    return saved.book.report(window: window, service: service, environment: environment)
  }

  func waits(window: Range<Instant>, queue: StreamID) async throws(Outage) -> WaitReport {
    try await catchUp()
    return saved.book.waits(window: window, queue: queue)
  }

  private func catchUp() async throws(Outage) {
    while true {
      let page = try ledger.events(after: saved.position, limit: 1000)
      guard !page.isEmpty else { break }
      for event in page {
        await record(event)
        saved.position = event.position
      }
    }
    if saved.position - savedPosition >= Self.saveInterval, let data = try? JSONEncoder().encode(saved) {
      // Only a shortcut: without the file the ledger is folded again.
      try? data.write(to: file, options: .atomic)
      savedPosition = saved.position
    }
  }

  private func record(_ event: RecordedEvent<StreamEvent>) async {
    switch event.event {
    // What something else deploys is none of ours to measure.
    case .settings, .observation, .schema, .flagFolder: return
    case .queue(let inner):
      saved.book.record(.queue(event.stream, inner), position: event.position, at: event.at)
      if case .landed(let landing) = inner { await recordCommits(of: landing, event) }
    case .build(let inner): saved.book.record(.build(event.stream, inner), position: event.position, at: event.at)
    case .flag(let inner):
      saved.book.record(.flag(event.stream, inner), position: event.position, at: event.at)
    case .delivery(let inner):
      saved.book.record(.delivery(event.stream, inner), position: event.position, at: event.at)
    }
  }

  /// Lead time is per commit, and when a commit was made is git's to say. Without git the figure counts it as not
  /// measured.
  private func recordCommits(of landing: MergeQueue.Landing, _ event: RecordedEvent<StreamEvent>) async {
    guard let slash = event.stream.name.firstIndex(of: "/"),
      let repository = RepositoryName(rawValue: String(event.stream.name[..<slash])),
      let commits = try? await forge.commits(
        from: landing.previousTrunk, to: landing.commit, in: repository, limit: Self.commitLimit)
    else { return }
    saved.book.record(.commits(event.stream, commits), position: event.position, at: event.at)
  }
}
