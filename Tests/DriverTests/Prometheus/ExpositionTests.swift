import Foundation
import Kernel
import Testing

@testable import Drivers

/// What a page says, one line a sample: `name{label="value"} value @time`.
private func read(_ page: [UInt8], _ format: ExpositionParser.Format, parts: Int = 1) throws(Outage) -> [String] {
  var parser = ExpositionParser(format, source: "page")
  var said: [String] = []
  let size = max(1, (page.count + parts - 1) / parts)
  for start in stride(from: 0, to: page.count, by: size) {
    try parser.feed(page[start..<min(start + size, page.count)]) { line in
      switch line {
      case .sample(let sample):
        let labels = sample.labels.map(\.description).joined(separator: ",")
        said.append("\(sample.name){\(labels)} \(sample.value)\(sample.timestampMs.map { " @\($0)" } ?? "")")
      case .family(let name, let kind): said.append("\(name): \(kind)")
      case .end: break
      }
    }
  }
  try parser.finish()
  return said
}

private func check(
  _ page: String, _ format: ExpositionParser.Format = .text, says expected: [String],
  _ location: SourceLocation = #_sourceLocation
) throws {
  for parts in [1, 2, 7, max(1, page.utf8.count)] {
    #expect(try read(Array(page.utf8), format, parts: parts) == expected, sourceLocation: location)
  }
}

private func check(
  _ page: String, _ format: ExpositionParser.Format = .text, fails expected: String,
  _ location: SourceLocation = #_sourceLocation
) {
  do {
    let said = try read(Array(page.utf8), format)
    Issue.record("read as \(said)", sourceLocation: location)
  } catch { #expect(error.sentence.hasPrefix("page\(expected)"), "\(error.sentence)", sourceLocation: location) }
}

@Suite("Pages of metrics") struct ExpositionTests {
  @Test("Prometheus text: types, labels, escapes, times, numbers that are none") func text() throws {
    try check(
      """
      # HELP http_requests_total The number of "requests" \\\\ more
      # TYPE http_requests_total counter
      http_requests_total{method="post",code="200"} 1027 1395066363000
      http_requests_total{ method = "post" , code = "400" , }    3 1395066363000

      # Escaping in label values:
      msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9
      metric_without_timestamp_and_labels 12.47
      something_weird{problem="division by zero"} +Inf -3982045
      \tnan_too\tNaN\t
      least -Inf
      a:b_c{} 0x1p-2\r
      odd{x="\\q"} 5

      """,
      says: [
        "http_requests_total: counter",
        #"http_requests_total{method="post",code="200"} 1027.0 @1395066363000"#,
        #"http_requests_total{method="post",code="400"} 3.0 @1395066363000"#,
        #"msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1458255915.0"#,
        "metric_without_timestamp_and_labels{} 12.47",
        #"something_weird{problem="division by zero"} inf @-3982045"#, "nan_too{} nan", "least{} -inf",
        "a:b_c{} 0.25", #"odd{x="\\q"} 5.0"#,
      ])
  }

  @Test("OpenMetrics: counters with total and created, histograms with exemplars, seconds, the end") func openMetrics()
    throws
  {
    try check(
      """
      # TYPE acme_http_router_request_seconds histogram
      # UNIT acme_http_router_request_seconds seconds
      # HELP acme_http_router_request_seconds Latency.
      acme_http_router_request_seconds_bucket{le="0.1"} 8 # {} 0.054
      acme_http_router_request_seconds_bucket{le="1.0"} 10 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
      acme_http_router_request_seconds_bucket{le="+Inf"} 17 1520879608.5 # {trace_id="a\\"b"} 9.8
      acme_http_router_request_seconds_count 17
      acme_http_router_request_seconds_created 1520430000.123
      # TYPE go_goroutines gauge
      go_goroutines 69
      # TYPE done counter
      done_total 2
      # EOF

      """, .openMetrics,
      says: [
        "acme_http_router_request_seconds: histogram", #"acme_http_router_request_seconds_bucket{le="0.1"} 8.0"#,
        #"acme_http_router_request_seconds_bucket{le="1.0"} 10.0"#,
        #"acme_http_router_request_seconds_bucket{le="+Inf"} 17.0 @1520879608500"#,
        "acme_http_router_request_seconds_count{} 17.0", "acme_http_router_request_seconds_created{} 1520430000.123",
        "go_goroutines: gauge", "go_goroutines{} 69.0", "done: counter", "done_total{} 2.0",
      ])
    try check("a 1\n# EOF", .openMetrics, says: ["a{} 1.0"])
    try check("", says: [])
  }

  @Test("what is wrong is named with its line") func faults() {
    check("a 1\n{} 2\n", fails: ", line 2: expected a metric's name")
    check("a\n", fails: ", line 1: expected a value")
    check("a b\n", fails: ", line 1: expected a value, found 'b'")
    check("a1.5\n", fails: ", line 1: expected a blank or '{'")
    check("a 1 soon\n", fails: ", line 1: expected a time in milliseconds, found 'soon'")
    check("a 1 2 3\n", fails: ", line 1: '3' follows the value")
    check("a{b} 1\n", fails: ", line 1: expected '=' after a label's name")
    check("a{b=c} 1\n", fails: ", line 1: expected a label's value in quotes")
    check("a{b=\"c} 1\n", fails: ", line 1: a label's value has no closing quote")
    check("a{b=\"c\\", fails: ", line 1: the page ends in the middle of a line")
    check("a{b=\"c\\\n", fails: ", line 1: a label's value has no closing quote")
    check("a{b=\"c\"d=\"e\"} 1\n", fails: ", line 1: expected ',' or '}'")
    check("a{b=\"c\",b=\"d\"} 1\n", fails: ", line 1: the label 'b' stands there twice")
    check("a{b=\"c\" 1\n", fails: ", line 1: expected ',' or '}'")
    check("a{b=\"c\",\n", fails: ", line 1: expected '}' after the labels")
    check("a{1=\"c\"} 1\n", fails: ", line 1: expected a label's name")
    check("# TYPE a\n", fails: ", line 1: a TYPE line needs a name and a type")
    check("a 1\nb 2", fails: ", line 2: the page ends in the middle of a line, so it was cut")
    check("a 1\n", .openMetrics, fails: ", line 2: the page ends without '# EOF', so it was cut")
    check("a 1\n# EOF\nb 2\n", .openMetrics, fails: ", line 3: something follows '# EOF'")
    check("a 1\n# EOF\nb", .openMetrics, fails: ", line 3: something follows '# EOF'")
    check("a 1 now\n# EOF\n", .openMetrics, fails: ", line 1: expected a time in seconds, found 'now'")
    check("a 1 1e300\n# EOF\n", .openMetrics, fails: ", line 1: expected a time in seconds")
    check("a 1 # b\n# EOF\n", .openMetrics, fails: ", line 1: expected an exemplar's labels")
    check("a 1 # {}\n# EOF\n", .openMetrics, fails: ", line 1: expected an exemplar's value, found ''")
    check("a{\(String(repeating: "x", count: 70_000))=\"1\"} 1\n", fails: ", line 1: it has more than 65536 bytes")
    let labels = (0...SampleLine.mostLabels).map { "l\($0)=\"1\"" }.joined(separator: ",")
    check("a{\(labels)} 1\n", fails: ", line 1: there are more than 128 labels")
  }

  @Test("a line without end and a page without end are left off") func limits() {
    var parser = ExpositionParser(.text, source: "page")
    #expect(throws: Outage.self) { try parser.feed([UInt8](repeating: 0x61, count: 70_000)) { _ in } }
    var endless = ExpositionParser(.text, source: "page", sizeLimit: 1000)
    let part = Array(String(repeating: "a 1\n", count: 25).utf8)
    let fed = (0..<64).prefix { _ in (try? endless.feed(part) { _ in }) != nil }.count
    #expect(fed == 10)
    #expect(throws: Outage.self) { try endless.feed(part) { _ in } }
  }

  @Test(
    "a page's type says its format",
    arguments: [
      ("text/plain; version=0.0.4; charset=utf-8", .text), (nil, .text),
      ("application/openmetrics-text; version=1.0.0; charset=utf-8", .openMetrics), ("text/html", nil),
      ("application/json", nil), ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", nil),
    ] as [(String?, ExpositionParser.Format?)])
  func contentTypes(_ type: String?, _ expected: ExpositionParser.Format?) {
    #expect(ExpositionParser.Format(contentType: type) == expected)
  }

  /// Bytes of what pages are made of, in an order that nobody wrote, from a seed.
  private static func noise(_ seed: UInt64) -> [UInt8] {
    var chance = Xorshift(seed)
    let words = [
      "a", "http_requests_total", "{", "}", "=", "\"", "\\", ",", " ", "\n", "# ", "TYPE ", "# EOF\n", "1", "NaN", "-",
      "le=\"+Inf\"", " 1e999", "\r", "\t", "\u{0}", "ü", "0x", "{code=\"500\"} 3\n",
    ]
    var bytes: [UInt8] = []
    for _ in 0..<(chance.next() % 200) {
      if chance.next() % 8 == 0 {
        bytes.append(UInt8(truncatingIfNeeded: chance.next()))
      } else {
        bytes += Array(words[Int(chance.next() % UInt64(words.count))].utf8)
      }
    }
    return bytes
  }

  @Test("no bytes crash it, and how they are cut changes nothing") func fuzz() {
    for seed in UInt64(1)...20_000 {
      let bytes = Self.noise(seed)
      for format in [ExpositionParser.Format.text, .openMetrics] {
        let whole = Result { () throws(Outage) in try read(bytes, format) }
        let cut = Result { () throws(Outage) in try read(bytes, format, parts: 5) }
        #expect(whole == cut, "seed \(seed)")
      }
    }
  }

  /// The goldens were made once with `prometheus_client.parser` and `prometheus_client.openmetrics.parser` 0.26 for
  /// Python from the pages beside them: name, labels, value and time of every sample.
  @Test("agrees with Python's parsers", arguments: ["text", "openmetrics"]) func goldens(_ name: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens")
    let page = try Data(contentsOf: folder.appending(path: "\(name).page"))
    let expected = try String(contentsOf: folder.appending(path: "\(name).samples"), encoding: .utf8)
    var said: [String] = []
    var parser = ExpositionParser(name == "text" ? .text : .openMetrics, source: name)
    try parser.feed(page) { line in
      guard case .sample(let sample) = line else { return }
      let labels = sample.labels.sorted().map { "\($0.name)=\(Array($0.value.utf8))" }.joined(separator: ";")
      said.append("\(sample.name) \(labels) \(sample.value.bitPattern) \(sample.timestampMs.map { "\($0)" } ?? "-")")
    }
    try parser.finish()
    #expect(said.count > 50)
    #expect(said.sorted() == expected.split(separator: "\n").map(String.init).sorted())
  }
}

/// Marsaglia's xorshift64: chance from a seed.
struct Xorshift {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
