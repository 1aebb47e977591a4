import Kernel
import Testing

@Suite("Comma-separated values")
struct CommaSeparatedTests {
  @Test(
    "records and their lines",
    arguments: [
      ("", []),
      ("a,b", [["a", "b"]]),
      ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
      ("a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
      ("a,,\n", [["a", "", ""]]),
      ("\"a,b\",c", [["a,b", "c"]]),
      ("\"say \"\"hi\"\"\",2", [["say \"hi\"", "2"]]),
      ("\"two\nlines\",2\n3,4", [["two\nlines", "2"], ["3", "4"]]),
      ("\n\na\n\nb\n", [["a"], ["b"]]),
      ("ä,\"ö\n\"", [["ä", "ö\n"]]),
      ("a, \"b\" ,c", [["a", "b", "c"]]),
    ])
  func records(text: String, fields: [[String]]) throws {
    #expect(try CommaSeparated.records(of: text).map(\.fields) == fields)
  }

  @Test("a record knows the line it begins in")
  func lines() throws {
    #expect(try CommaSeparated.records(of: "a\n\"b\nc\"\n\nd\r\ne").map(\.line) == [1, 2, 5, 6])
  }

  @Test("a cell knows where it begins, in characters, and whether quotes keep its blanks")
  func cells() throws {
    let cells = try CommaSeparated.cells(ofLine: "äö, b , \" c \"")
    #expect(cells.map(\.column) == [1, 4, 9])
    #expect(cells.map(\.trimmed) == ["äö", "b", " c "])
  }

  @Test(
    "what is no CSV is told with its line",
    arguments: [("a\nb,\"c", 2, "never closed"), ("a\n\"b\"c", 2, "closing quote"), ("a\"b", 1, "middle of a field")])
  func faults(text: String, line: Int, words: String) {
    #expect {
      try CommaSeparated.records(of: text)
    } throws: { error in
      guard let fault = error as? CommaSeparated.Fault else { return false }
      return fault.line == line && fault.what.contains(words)
    }
  }
}
