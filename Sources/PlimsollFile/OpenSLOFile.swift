import Foundation
import Kernel
import Yams

/// Reads objectives from OpenSLO documents, `apiVersion: openslo/v1` (https://github.com/OpenSLO/OpenSLO, "Schema").
///
/// Of its kinds `SLO` and `SLI` matter here; the others say who is told and where data lies, and are passed over. What
/// cannot be honoured exactly is a problem, never a guess: calendar windows, time slices, ready-made ratios.
package struct OpenSLOFile: Equatable, Sendable {
  /// In the file's order.
  package let objectives: [Objective]
  /// Legal, and without effect here.
  package let warnings: [Problem]

  /// The same as of `plimsoll.yaml`: what people write is shorter.
  package static let sizeLimit = PlimsollFile.sizeLimit

  /// - Parameter file: the name in problems.
  /// - Throws: `Problems` with everything that is wrong.
  package static func parse(_ text: String, file: String) throws(Problems) -> OpenSLOFile {
    guard text.utf8.count <= sizeLimit else {
      throw Problems(
        all: [Problem(file: file, line: 0, column: 0, "has more than \(sizeLimit) bytes; it cannot be an objective")])
    }
    var documents: [Node] = []
    do {
      // The sequence ends at a fault and keeps it.
      var all = try Yams.compose_all(yaml: text)
      while let document = all.next() { documents.append(document) }
      if let error = all.error { throw error }
    } catch let error as YamlError {
      throw Problems(all: [PlimsollFile.problem(of: error, file: file)])
    } catch {
      throw Problems(all: [Problem(file: file, line: 0, column: 0, "is not YAML: \(error)")])
    }
    guard !documents.isEmpty else {
      throw Problems(all: [Problem(file: file, line: 0, column: 0, "is empty; expected an OpenSLO document")])
    }
    let reading = Reading(file: file)
    let objectives = OpenSLOReader(reading).read(documents)
    let errors = reading.problems.filter { $0.severity == .error }.sorted()
    guard errors.isEmpty else { throw Problems(all: errors) }
    return OpenSLOFile(
      objectives: objectives, warnings: reading.problems.filter { $0.severity == .warning }.sorted())
  }
}
