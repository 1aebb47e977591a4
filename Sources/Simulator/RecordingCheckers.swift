import Kernel
import Migrations

/// What schemas owe to those who tell them what versions send: it counts, at the latest in the next examination, and
/// nobody waits for ever because more keeps coming.
final class RecordingCheckers {
  unowned let world: World
  private let report: (Promise, String) -> Void
  /// Of which nothing was recorded when a person let them pass: what becomes of them is that person's.
  private(set) var waived: [SchemaPlace: Set<SimulatedVersion>] = [:]
  private(set) var uploads = 0
  private(set) var postponed = 0

  private struct Version: Hashable {
    let service: ServiceName
    let digest: Digest
    init(_ client: SchemaClient) { (service, digest) = (client.service, client.digest) }
    init(_ upload: DatabaseSchema.Upload) { (service, digest) = (upload.service, upload.digest) }
  }
  private struct Examination {
    let errand: DatabaseSchema.Errand
    var restarts = 0
    /// It has to begin anew for another reason than news.
    var isMoved = false
    var isPostponed = false
  }
  private var told: [SchemaPlace: [Version: Digest]] = [:]
  private var judged: [SchemaPlace: [Version: SchemaVerdict]] = [:]
  private var running: [SchemaPlace: Examination] = [:]
  /// Who sent more than the last examination has judged.
  private var open: [SchemaPlace: Set<Version>] = [:]

  init(_ world: World, report: @escaping (Promise, String) -> Void) {
    self.world = world
    self.report = report
  }

  func heard(_ event: DatabaseSchema.Event, _ place: SchemaPlace) {
    switch event {
    case .recorded(let upload):
      uploads += 1
      told[place, default: [:]][Version(upload)] = upload.statements
    case .examinationBegan(let errand, _):
      open[place] = nil
      began(errand, place)
    case .versionsChanged, .drifted: running[place]?.isMoved = true
    case .newsPostponed(_, let news):
      postponed += 1
      running[place]?.isPostponed = true
      open[place] = Set(news.map(Version.init))
    case .examined(_, let examination): examined(examination, place)
    case .overridden(let override):
      for client in override.atRisk where client.statements == nil {
        waived[place, default: []].insert(SimulatedVersion(service: client.service, commit: client.commit))
      }
    case .migrating(let ask, let examination, _, _):
      let judged = examination.everyVerdict.filter { $0.fit != .breaks && $0.fit != .unknown }
      for verdict in judged where isOpen(verdict, place) {
        report(
          .recordingsCount,
          "\(ask.commit.short) is applied to \(place), and not judged by what \(verdict.client.commit.short) sent last")
      }
      for verdict in examination.everyVerdict where verdict.isUnrecorded && !isWaived(verdict.client, place) {
        report(
          .recordingsCount,
          "\(ask.commit.short) is applied to \(place), and nothing is known of \(verdict.client.commit.short)")
      }
    case .granted(let ask), .turnedAway(let ask, why: _), .abandoned(let ask): ended(.ask(ask), place)
    case .refused(let refused): ended(.ask(refused.ask), place)
    case .reviewed(let review, _), .reviewDropped(let review): ended(.review(review), place)
    case .audited: ended(.audit, place)
    case .configured, .closed, .surveyed, .queued, .migrated, .migrationFailed, .barred, .adoptionOrdered, .adopted,
      .adoptionFailed, .troubled, .reconsidered:
      break
    }
  }

  private func isOpen(_ verdict: SchemaVerdict, _ place: SchemaPlace) -> Bool {
    open[place]?.contains(Version(verdict.client)) ?? false
  }

  /// Refused because less is known than was sent: that is right, whatever it sends.
  func isDoubted(_ examination: SchemaExamination, _ place: SchemaPlace) -> Bool {
    examination.everyVerdict.contains { $0.isUnrecorded || ($0.fit == .unknown && isOpen($0, place)) }
  }

  private func isWaived(_ client: SchemaClient, _ place: SchemaPlace) -> Bool {
    waived[place]?.contains(SimulatedVersion(service: client.service, commit: client.commit)) ?? false
  }

  private func began(_ errand: DatabaseSchema.Errand, _ place: SchemaPlace) {
    var next = Examination(errand: errand)
    if let last = running[place], last.errand == errand {
      next.restarts = last.restarts + (last.isMoved ? 0 : 1)
      if next.restarts > DatabaseSchema.restartLimit {
        report(.recordingsCount, "an examination of \(place) has begun anew \(next.restarts) times for what was told")
      }
    }
    running[place] = next
  }

  /// Another that only waited may have ended as well.
  private func ended(_ errand: DatabaseSchema.Errand, _ place: SchemaPlace) {
    if running[place]?.errand == errand { running[place] = nil }
  }

  private func examined(_ examination: SchemaExamination, _ place: SchemaPlace) {
    guard let errand = running[place]?.errand else { return }
    if case .review = errand { return }
    for verdict in examination.everyVerdict {
      judged[place, default: [:]][Version(verdict.client)] = verdict
      guard verdict.isUnrecorded, told[place]?[Version(verdict.client)] != nil, case .ask = errand,
        running[place]?.isPostponed == false
      else { continue }
      report(.recordingsCount, "\(verdict.client.commit.short) was told of, and \(place) knows nothing of it")
    }
  }

  /// At rest whoever is kept was judged by all that was told of it; what breaks with less breaks with more.
  func settle(_ place: SchemaPlace, _ deployment: Deployment) {
    let client = SchemaClient(
      service: deployment.service, digest: deployment.digest, commit: deployment.commit, statements: nil)
    guard let upload = told[place]?[Version(client)] else { return }
    let version = SimulatedVersion(service: deployment.service, commit: deployment.commit)
    let verdict = judged[place]?[Version(client)]
    if verdict?.fit == .breaks || verdict?.client.statements == world.schemas.known(of: version, upload) { return }
    report(
      .recordingsCount,
      "at rest \(deployment.id) in \(place) is judged \(verdict?.fit.rawValue ?? "not at all"), without what was told")
  }
}

extension SchemaVerdict {
  fileprivate var isUnrecorded: Bool { fit == .unknown && client.statements == nil }
}
