import Foundation
import Kernel

@testable import Ledger

/// The smallest domain that the ledger can hold: things are added to a sum.
enum ToyEvent: LedgerEvent {
  case added(Int, note: String)
  var type: String { "toy.added" }
}

struct ToyState: Codable, Equatable, Sendable {
  var sum = 0
}

typealias ToyLedger = SQLiteLedger<ToyEvent, ToyState>

let toyFormat = "toy 1"
let toyFold = LedgerFold<ToyEvent, ToyState>(
  snapshotFormat: toyFormat,
  initial: { _ in ToyState() },
  evolve: { state, event in
    if case .added(let amount, _) = event.event { state.sum += amount }
  })

func toy(
  _ stream: String, _ version: Version, add amount: Int = 1, note: String = "note"
) -> NewEvent<ToyEvent> {
  NewEvent(
    stream: StreamID(.queue, stream), version: version, at: Instant(milliseconds: 1_000 + version),
    cause: .request(id: "r\(version)"), actor: "ada", event: .added(amount, note: note))
}

func toys(_ stream: String, _ versions: ClosedRange<Version>) -> [NewEvent<ToyEvent>] {
  versions.map { toy(stream, $0, add: Int($0)) }
}

/// A folder of its own for each test, removed with it.
final class TemporaryFolder: Sendable {
  let path: String
  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/ledger-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  var data: DataFolder { DataFolder(at: path) }
  var ledger: LedgerFiles { data.ledger }
  func open(format: String = toyFormat) throws -> ToyLedger { try ToyLedger(at: ledger, snapshotFormat: format) }
}

/// What lies in a folder, sorted.
func names(in folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}
