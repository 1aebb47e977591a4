import Foundation
import Kernel

/// Replaces a file as a whole.
///
/// - Throws: `Outage` when the disk will not take it.
func writeFile(_ data: Data, to path: String) throws(Outage) {
  do {
    try data.write(to: URL(filePath: path), options: .atomic)
  } catch {
    throw Outage("disk", "\(path) cannot be written", sources: ["\(error)"])
  }
}
