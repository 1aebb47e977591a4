import Flags
import Foundation
import Kernel

/// A file of flag definitions, read once.
struct DefinitionsFile {
  let path: String
  private let data: Data

  /// - Throws: `Refusal` when there is no such file; `Outage` when it cannot be read.
  init(_ path: String) throws {
    self.path = path
    guard FileManager.default.fileExists(atPath: path) else {
      throw Refusal(.unknown, "There is no file '\(path)'; name one with flag definitions.")
    }
    do {
      data = try Data(contentsOf: URL(filePath: path))
    } catch {
      throw Outage("disk", "\(path) cannot be read", sources: ["\(error)"])
    }
  }

  /// Faults by place. Bytes that are no UTF-8 are one, and hide the others.
  var findings: [FlagRefusal] {
    guard let text = String(data: data, encoding: .utf8) else {
      let unplaced = FlagRefusal("the text of the definitions", "has bytes that are not UTF-8", next: "Write UTF-8")
      return [encodingFault ?? unplaced]
    }
    return FlagLint.findings(in: text)
  }

  private var encodingFault: FlagRefusal? {
    do throws(FlagRefusal) {
      _ = try withBytes { (bytes) throws(FlagRefusal) in
        try JSONReader.tape(of: bytes, subject: "the text of the definitions", limit: FlagSet.sizeLimit)
      }
      return nil
    } catch {
      return error
    }
  }

  /// The definitions as text.
  ///
  /// - Throws: `Refusal` when they are not UTF-8.
  func text() throws(Refusal) -> String {
    if let text = String(data: data, encoding: .utf8) { return text }
    throw Refusal(.malformed, "\(path) has bytes that are not UTF-8; 'plimsoll flag lint \(path)' says where.")
  }

  /// - Throws: `Refusal` with the place of what cannot be loaded.
  func flagSet() throws(Refusal) -> FlagSet {
    do throws(FlagRefusal) {
      return try withBytes { (bytes) throws(FlagRefusal) in try FlagSet(json: bytes) }
    } catch {
      throw Refusal(.malformed, sentence(of: error))
    }
  }

  private func withBytes<Answer>(
    _ body: (UnsafeBufferPointer<UInt8>) throws(FlagRefusal) -> Answer
  ) throws(FlagRefusal) -> Answer {
    let result: Result<Answer, FlagRefusal> = data.withUnsafeBytes { raw in
      do throws(FlagRefusal) {
        return .success(try body(raw.bindMemory(to: UInt8.self)))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  /// As compilers write it, with what could have been meant.
  func sentence(of fault: FlagRefusal) -> String { "\(path):\(fault.description)\(fault.suggestion)" }
}

extension FlagRefusal {
  /// The known word that was probably meant.
  var nearest: String? { unknown.flatMap { nearestMatch(to: $0, among: known) } }
  var suggestion: String { nearest.map { " Did you mean `\($0)`?" } ?? "" }

  /// As the caller's fault in a command.
  var refusal: Refusal { Refusal(.malformed, description + suggestion) }
}
