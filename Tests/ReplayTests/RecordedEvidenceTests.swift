import Foundation
import Kernel
import Replay
import Testing

@Suite("Recorded evidence")
struct RecordedEvidenceTests {
  private func read(_ text: String) throws -> RecordedEvidence {
    try RecordedEvidence(reading: Data(text.utf8), file: "deploy.csv")
  }

  @Test("CSV and JSON lines say the same")
  func formats() throws {
    let csv = try read(
      """
      # exported from the proxy's log
      second,version,requests,errors,slow,event,detail
      10, v1 ,100,1,2,,
      11,v2,,,,deploy,
      11,v2,9,0,,,
      11,v1,90,,1,,
      12,,,,,source-lost,"log, cut"
      13,v2,,,,restart,
      14,,,,,source-back,
      """)
    let json = try read(
      """
      {"second": 10, "version": "v1", "requests": 100, "errors": 1, "slow": 2}
      {"second": 11, "event": "deploy", "version": "v2"}
      {"second": 11, "version": "v2", "requests": 9}
      {"second": 11, "version": "v1", "requests": 90, "slow": 1, "errors": null}

      {"second": 12, "event": "source-lost", "detail": "log, cut"}
      {"second": "13", "event": "restart", "version": "v2"}
      {"second": 14, "event": "source-back"}
      """)
    #expect(csv.rows == json.rows)
    #expect(csv.marks.map(\.event) == json.marks.map(\.event))
    #expect(csv.rows.map(\.version) == ["v1", "v1", "v2"])
    #expect(csv.marks.map(\.line) == [4, 7, 8, 9])
    #expect(csv.marks[1].event == .sourceLost(reason: "log, cut"))
  }

  @Test("rows of one version and second are added, whatever their order")
  func instances() throws {
    let evidence = try read("second,version,requests,errors\r\n5,a,1,1\r\n4,a,7,0\r\n5,a,2,0\r\n")
    #expect(evidence.rows.map(\.second) == [4, 5])
    #expect(evidence.rows.map(\.counts.requests) == [7, 3])
    #expect(evidence.rows.map(\.counts.errors) == [0, 1])
  }

  @Test("an error that was slow too counts once, and the reader is told")
  func overlap() throws {
    let evidence = try read("second,version,requests,errors,slow\n1,a,10,6,8")
    #expect(evidence.rows[0].counts.errors == 6)
    #expect(evidence.rows[0].counts.slow == 4)
    #expect(evidence.notes.count == 1)
  }

  static let faults: [(String, String)] = [
    ("", "has no counts"),
    ("second,version,requests", "has no counts"),
    ("second,requests\n1,2", "deploy.csv:1: the heading must name at least second, version and requests"),
    ("second,version,request\n", "did you mean 'requests'?"),
    ("second,version,requests,second\n", "names a column twice"),
    ("second,version,requests\n1.5,a,3", "deploy.csv:2: 'second' is '1.5'"),
    ("second,version,requests\n-1,a,3", "'second' is '-1'"),
    ("second,version,requests\n,a,3", "has no 'second'"),
    ("second,version,requests\n1,,3", "neither 'version' nor 'event'"),
    ("second,version,requests\n1,a,", "has no 'requests'"),
    ("second,version,requests\n1,a,many", "'requests' is 'many'"),
    ("second,version,requests,errors\n\n1,a,3,4", "deploy.csv:3: of 3 requests 4 failed"),
    ("second,version,requests\n1,a,3,4,5", "5 cells under 3 headings"),
    ("second,version,requests\n1,\"a,3", "a quote is never closed"),
    ("second,version,requests,event\n1,a,,deplyo", "did you mean 'deploy'?"),
    ("second,version,requests,event\n1,,,restart", "'restart' has no 'version'"),
    ("{\"second\": 1,", "deploy.csv:1: it is no JSON object"),
    ("{\"second\": 1, \"version\": [\"a\"], \"requests\": 2}", "'version' is neither text nor a number"),
    ("{\"second\": 1, \"version\": \"a\", \"requests\": 2.5}", "'requests' is '2.5'"),
  ]
  @Test("what cannot be read is named by file and line", arguments: faults)
  func malformed(_ text: String, _ words: String) {
    let refusal = #expect(throws: Refusal.self) { try read(text) }
    #expect(refusal?.kind == .malformed)
    #expect(refusal?.sentence.contains(words) == true, "\(refusal?.sentence ?? "")")
  }

  @Test("other bytes than text are refused")
  func binary() {
    #expect(throws: Refusal.self) { try RecordedEvidence(reading: Data([0x73, 0xff, 0x00]), file: "x") }
  }
}
