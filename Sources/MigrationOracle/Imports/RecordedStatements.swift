import Foundation
import Kernel
import Migrations

/// A recording of `plimsoll db record`.
enum RecordedStatements {
  static func read(_ text: String, of file: FoundFile, into reading: inout ImportedStatements) throws(Refusal) {
    let decoder = JSONDecoder()
    let recording = try Recording(reading: text, at: file.path) {
      try decoder.decode(RecordingLine.self, from: Data($0.utf8))
    }
    let captured = recording.statementSet.statements
    reading.statements += captured
    reading.leftOut += recording.heading.leftOut.statements
    let failed = recording.statements.count { $0.captured == nil }
    if failed > 0 {
      reading.notes.append("\(file.path): \(failed) statements only ever failed; they are no evidence.")
    }
    if !recording.heading.leftOut.isNothing {
      reading.notes.append("\(file.path): not everything was recorded: \(recording.heading.leftOut.words).")
    }
  }
}

extension Recording.LeftOut {
  fileprivate var words: String {
    let parts = [
      (oversizedTexts, "texts too long to keep"), (surplusStatements, "statements beyond the limit"),
      (surplusTransactions, "transaction shapes beyond the limit"), (functionCalls, "calls by number"),
      (unfollowedConnections, "connections that could not be followed"),
      (replicationConnections, "replication connections"), (unreadableTexts, "texts that could not be read"),
    ]
    return parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }
}
