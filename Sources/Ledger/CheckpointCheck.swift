import Foundation
import GRDB
import Kernel

/// Checks the file of checkpoints by itself: readable, in order, each tied to the one before, each signed.
enum CheckpointCheck {
  /// The checkpoints that may be trusted. A torn last line is no finding: a crash may leave it, and it was never
  /// answered for.
  static func read(_ files: LedgerFiles, _ report: inout LedgerReport) -> [Checkpoint] {
    guard Disk.exists(files.checkpoints) else { return [] }
    let lines: CheckpointLines
    let key: LedgerPublicKey
    do throws(Outage) {
      lines = CheckpointLines(try Disk.read(files.checkpoints))
      if lines.whole.isEmpty { return [] }
      key = try LedgerPublicKey(at: files)
    } catch {
      report.add(LedgerFinding("the checkpoints cannot be judged: \(error.sentence)"))
      return []
    }
    var trusted: [Checkpoint] = []
    var previous = Checkpoint.origin
    var position: Position = 0
    for (index, line) in lines.whole.enumerated() {
      report.checkpoints += 1
      guard let checkpoint = CheckpointLines.decode(line) else {
        report.add(LedgerFinding("line \(index + 1) of \(files.checkpoints) is no checkpoint"))
        continue
      }
      let isTied = checkpoint.previous == previous && checkpoint.position > position
      previous = checkpoint.digest
      position = checkpoint.position
      guard checkpoint.isSigned(by: key) else {
        report.add(
          LedgerFinding(
            "the checkpoint on line \(index + 1) of \(files.checkpoints) is not signed by this ledger's key: it is forged",
            position: checkpoint.position))
        continue
      }
      if !isTied {
        report.add(
          LedgerFinding(
            "a checkpoint before line \(index + 1) of \(files.checkpoints) was removed, moved or replaced",
            position: checkpoint.position))
      }
      trusted.append(checkpoint)
    }
    report.signedThrough = trusted.last?.position ?? 0
    return trusted
  }

  /// The database remembers how far it was signed, so that a removed or cut checkpoint file is found.
  static func compareRemembered(
    _ db: Database, _ files: LedgerFiles, _ checkpoints: [Checkpoint], _ report: inout LedgerReport
  ) throws {
    let remembered = try Int64.fetchOne(db, sql: "SELECT checkpointed FROM cursor") ?? 0
    guard remembered > 0, !checkpoints.contains(where: { $0.position == remembered }) else { return }
    // A ledger in use may have written it since the file was read.
    var ignored = LedgerReport()
    guard !read(files, &ignored).contains(where: { $0.position == remembered }) else { return }
    report.add(
      LedgerFinding(
        "the ledger remembers a signed checkpoint here, but \(files.checkpoints) does not hold it: it was cut or replaced",
        position: remembered))
  }
}
