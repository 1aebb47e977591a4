import Kernel

/// A metrics page, read as its bytes come: the text format 0.0.4 of Prometheus, or OpenMetrics 1.0.
///
/// Map: this type cuts lines and bounds them, `ExpositionLine` understands one, `SampleLine` decodes what somebody
/// wants of it. Lines that nobody wants cost no memory.
///
/// Stricter than the formats allow in one thing: text must end with a line feed and OpenMetrics with `# EOF`, because
/// that is how half a page shows. Laxer in the rest, as Prometheus is: line ends with carriage return, empty lines,
/// several blanks, and unknown escapes are taken.
package struct ExpositionParser {
  package enum Format: Equatable, Sendable {
    /// https://prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".
    case text
    /// https://prometheus.io/docs/specs/om/open_metrics_spec
    case openMetrics

    /// What a `Content-Type` stands for; a server that says nothing speaks text. Nil for what is no metrics page.
    package init?(contentType: String?) {
      let kind = (contentType ?? "").lowercased().split(separator: ";").first.map { $0.filter { $0 != " " } } ?? ""
      switch kind {
      case "application/openmetrics-text": self = .openMetrics
      case "", "text/plain", "application/octet-stream": self = .text
      default: return nil
      }
    }
  }

  /// What to ask for: OpenMetrics first, because it says where it ends.
  package static let accepted = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
  /// 100,000 lines of usual length (about 120 bytes) are 12 MB.
  package static let sizeLimit = 32 << 20
  /// A line is a name, some labels and a number; a HELP text of 64 KiB is a mistake.
  package static let longestLine = 1 << 16

  private let format: Format
  private let source: String
  private let sizeLimit: Int
  private var unfinished: [UInt8] = []
  private var bytes = 0
  private var hasEnded = false
  /// Lines read so far.
  package private(set) var lines = 0

  /// - Parameter source: who is read, for errors: `http://127.0.0.1:8080/metrics`.
  package init(_ format: Format, source: String, sizeLimit: Int = sizeLimit) {
    self.format = format
    self.source = source
    self.sizeLimit = sizeLimit
  }

  /// Reads on. `take` gets each line that says something, in order; its slices live as long as the call.
  ///
  /// - Throws: `Outage` with the line's number when the page is not in the format or exceeds a limit. Nothing can be
  ///   read after that.
  package mutating func feed(_ part: some Collection<UInt8>, _ take: (ExpositionLine) -> Void) throws(Outage) {
    bytes += part.count
    guard bytes <= sizeLimit else {
      throw Outage(
        "metrics",
        "\(source) has more than \(sizeLimit) bytes; let the service expose fewer series, or name another path"
      )
    }
    let all = unfinished + part
    var start = all.startIndex
    while let end = all[start...].firstIndex(of: UInt8(ascii: "\n")) {
      try read(all[start..<end], take)
      start = end + 1
    }
    unfinished = Array(all[start...])
    guard unfinished.count <= Self.longestLine else { throw tooLong(lines + 1) }
  }

  /// Says that nothing follows.
  ///
  /// - Throws: `Outage` when the page was cut.
  package mutating func finish() throws(Outage) {
    switch format {
    case .text where !unfinished.isEmpty:
      throw fault(lines + 1, "the page ends in the middle of a line, so it was cut")
    case .openMetrics where hasEnded:
      guard ExpositionLine.trimmed(unfinished[...]).isEmpty else { throw fault(lines + 1, "something follows '# EOF'") }
    case .openMetrics:
      // The specification lets the line feed after `# EOF` be absent.
      let last = ExpositionLine.trimmed(unfinished[...])
      guard last.elementsEqual("# EOF".utf8) else {
        throw fault(lines + 1, "the page ends without '# EOF', so it was cut")
      }
    case .text: break
    }
  }

  private mutating func read(_ line: ArraySlice<UInt8>, _ take: (ExpositionLine) -> Void) throws(Outage) {
    lines += 1
    guard line.count <= Self.longestLine else { throw tooLong(lines) }
    let line = ExpositionLine.trimmed(line)
    guard !line.isEmpty else { return }
    guard !hasEnded else { throw fault(lines, "something follows '# EOF'") }
    do throws(ExpositionFault) {
      switch try ExpositionLine(line, format) {
      case .end?: hasEnded = true
      case let said?: take(said)
      case nil: break
      }
    } catch {
      throw fault(lines, error.words)
    }
  }

  private func tooLong(_ line: Int) -> Outage { fault(line, "it has more than \(Self.longestLine) bytes") }

  private func fault(_ line: Int, _ words: String) -> Outage {
    Outage("metrics", "\(source), line \(line): \(words); look at the page, and mend what the service writes there")
  }
}

/// What is wrong with a line, for a person; the parser adds where.
struct ExpositionFault: Error, Equatable {
  let words: String
  init(_ words: String) { self.words = words }
}
