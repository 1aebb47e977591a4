import Foundation
import Kernel
import Migrations

/// A recording on disk: JSON lines, replaced as a whole so that a reader never meets half of one.
package struct RecordingFile: Sendable {
  package let path: String

  package init(at path: String) { self.path = path }

  /// - Throws: `Outage` when the file cannot be written; what stood there before stays.
  package func write(_ recording: Recording) throws(Outage) {
    let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).part"
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      var text = Data()
      for line in recording.lines {
        text += try encoder.encode(line)
        text.append(UInt8(ascii: "\n"))
      }
      // For its owner only: statements may hold what nobody else is to read.
      try Data().write(to: URL(fileURLWithPath: temporary))
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: temporary)
      try text.write(to: URL(fileURLWithPath: temporary))
      guard rename(temporary, path) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw Outage(
        "disk", "the recording cannot be written to \(path); free space or permit writing there", sources: ["\(error)"])
    }
  }

  /// - Throws: `Refusal` for a file that is missing, no recording, of another format, or not whole.
  package func read() throws(Refusal) -> Recording {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Refusal(.unknown, "\(path) cannot be read; name a file that 'plimsoll db record' wrote.")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw Refusal(.malformed, "\(path) is no UTF-8 text, so it is no recording; name another file.")
    }
    let decoder = JSONDecoder()
    return try Recording(reading: text, at: path) { try decoder.decode(RecordingLine.self, from: Data($0.utf8)) }
  }
}
