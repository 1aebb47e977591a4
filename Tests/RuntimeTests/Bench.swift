import ControlPlane
import Foundation
import Kernel
import Ramps
import Rollouts
import Synchronization
import Testing

@testable import Runtime

/// A performer over scripted ports, and whatever it posts.
final class Bench: Sendable {
  let trees: PaperTrees
  let forge: ScriptedForge
  let runner = ScriptedRunner()
  let artifacts: ScriptedArtifactStore
  let platform = ScriptedPlatform()
  let router = ScriptedRouter()
  let telemetry = ScriptedTelemetry()
  let blobs = ScriptedBlobStore()
  let sealer = ScriptedSealer()
  let queries = ScriptedQueries()
  let history = ScriptedHistory()
  let schemas = FakeSchemaServer()
  let folder = TemporaryFolder()
  let posted = Letterbox()
  let noticed = Noticeboard()
  let performer: Performer

  init(audience: any FlagAudience = NoFlagAudience(), ramps: any RampEvidence = NoRampEvidence()) throws {
    trees = PaperTrees()
    forge = ScriptedForge(trees: trees)
    artifacts = ScriptedArtifactStore(trees: trees)
    performer = Performer(
      ports: Ports(
        forge: forge, runner: runner, artifacts: artifacts, platform: platform, router: router, telemetry: telemetry,
        announcer: ScriptedAnnouncer(), blobs: blobs, sealer: sealer, catalog: ScriptedCatalog(),
        queries: queries, history: history, schemas: schemas, audience: audience, ramps: ramps),
      evidence: try EvidenceBook(folder: folder.path))
    performer.attach { [posted] parcel in
      posted.take(parcel)
    } tell: { [noticed] notice in
      noticed.take(notice)
    }
  }

  static let fence = Fence(5)
  func start(_ effect: StreamEffect, of stream: StreamID) { performer.start(effect, of: stream, fence: Self.fence) }
  func cancel(_ effect: StreamEffect, of stream: StreamID) {
    performer.cancel(effect.key, of: stream, fence: Self.fence)
  }

  /// Starts an effect that ends by itself, and waits for that.
  func carryOut(_ effect: StreamEffect, of stream: StreamID) async throws {
    let before = posted.ends.count
    start(effect, of: stream)
    try await eventually("\(effect.key) ends") { posted.ends.count > before }
  }

  /// Keeps a deployment running whose platform reports these ports as ready.
  func place(_ deployment: Deployment, limit: Int? = nil, ports: Int...) async throws {
    start(.delivery(.run(deployment, limit: limit)), of: Facts.delivery)
    try await eventually("\(deployment.id) is supervised") { platform.supervises(deployment) }
    let endpoints = ports.enumerated().map { Endpoint(instance: $0.offset, port: $0.element) }
    await platform.say(.ready(endpoints: endpoints, digest: deployment.digest), of: deployment)
  }
}

/// What people were told, in order.
final class Noticeboard: Sendable {
  private let notices = Mutex<[HostNotice]>([])
  var all: [HostNotice] { notices.withLock { $0 } }
  func take(_ notice: HostNotice) { notices.withLock { $0.append(notice) } }
}

/// What was posted, in order.
final class Letterbox: Sendable {
  struct End: Equatable, Sendable {
    let key: EffectKey
    let fence: Fence
    let lane: Lane
    let failure: Outage?
  }
  private let parcels = Mutex<[Parcel]>([])
  func take(_ parcel: Parcel) { parcels.withLock { $0.append(parcel) } }

  var letters: [Letter] {
    parcels.withLock { parcels in
      parcels.compactMap { if case .letter(let letter) = $0 { letter } else { nil } }
    }
  }
  var inputs: [StreamInput] { letters.map(\.input) }
  var ends: [End] {
    parcels.withLock { parcels in
      parcels.compactMap {
        guard case .ended(_, let key, let fence, let lane, let failure) = $0 else { return nil }
        return End(key: key, fence: fence, lane: lane, failure: failure)
      }
    }
  }
}

/// Counts what tasks do.
final class Count: Sendable {
  private let count = Mutex(0)
  var sum: Int { count.withLock { $0 } }
  func one() { count.withLock { $0 += 1 } }
}

/// A folder of its own, gone with its owner.
final class TemporaryFolder: Sendable {
  let path = FileManager.default.temporaryDirectory.appending(path: "plimsoll-runtime-\(UUID().uuidString)").path
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

struct Late: Error, CustomStringConvertible {
  let description: String
}

/// Waits for a condition that other tasks bring about; long enough for a machine that does other things too.
func eventually(
  _ what: String, within limit: Duration = .seconds(30), _ holds: () async -> Bool
) async throws(Late) {
  let deadline = ContinuousClock.now + limit
  while await !holds() {
    guard ContinuousClock.now < deadline else { throw Late(description: "not in \(limit): \(what)") }
    try? await Task.sleep(for: .milliseconds(1))
  }
}
