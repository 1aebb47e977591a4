import ControlPlane
import Kernel
import Rollouts
import Runtime
import Server

/// The past of rollouts, for announcements and for the server's view: the engine that announces is made after them.
struct LiveRecords: Records {
  let ledger: ProductLedger
  let book: EvidenceBook

  func events(of stream: StreamID, after version: Version, limit: Int) async throws(Outage)
    -> [RecordedEvent<StreamEvent>]
  {
    try ledger.events(of: stream, after: version, limit: limit)
  }

  func evidence(of stream: StreamID, rollout: RolloutID) async -> EvidenceSeries? {
    await book.read(stream, rollout: rollout)
  }
}
