import MigrationOracle
import Testing

@Suite("What the server says, without rows")
struct PostgresErrorTests {
  private func kept(_ message: String, _ state: String, at position: Int? = nil) -> String {
    PostgresError.withoutValues(message, sqlState: state, hasPosition: position != nil)
  }

  @Test("a row's value is left out, and a statement's own literal stays")
  func values() {
    #expect(
      kept(#"invalid input syntax for type integer: "4711""#, "22P02") == #"invalid input syntax for type integer: "…""#
    )
    #expect(kept(#"value "a ""b"" c" is out of range"#, "22003") == #"value "…" is out of range"#)
    #expect(kept(#"invalid input value for enum mood: "sad""#, "22P02", at: 8).hasSuffix(#""sad""#))
    #expect(kept(#"column "email" does not exist"#, "42703") == #"column "email" does not exist"#)
  }
}
