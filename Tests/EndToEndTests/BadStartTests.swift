import API
import Foundation
import Testing

/// Starts that must not be: each is refused before anything is acted on, with what to do.
@Suite("Bad starts", .timeLimit(.minutes(5))) struct BadStartTests {
  @Test("a file that is wrong or not there: its place or its name, and no data folder") func badFile() async throws {
    try await withSmallHarbor { harbor in
      let file = harbor.folder.appending(path: "plimsoll.yaml")
      func check(_ what: String, code: Int32, says words: [String]) throws {
        let ended = try harbor.run("serve", "--listen", "127.0.0.1:0")
        #expect(ended.code == code, "\(what): \(ended.errors)")
        for word in words { #expect(ended.errors.contains(word), "\(what): \(ended.errors)") }
        #expect(!FileManager.default.fileExists(atPath: harbor.data), "\(what)")
      }
      let right = try String(contentsOf: file, encoding: .utf8)
      try right.replacing("ready:", with: "redy:").write(to: file, atomically: true, encoding: .utf8)
      try check("a slip", code: 1, says: ["plimsoll.yaml:8:5:", "did you mean 'ready'?"])
      try (right + "\nqueue: [").write(to: file, atomically: true, encoding: .utf8)
      try check("no YAML", code: 1, says: ["plimsoll.yaml:", "is not YAML here"])
      try right.replacing("[10, 50, 100]", with: "[50, 10]").write(to: file, atomically: true, encoding: .utf8)
      try check("a contradiction", code: 1, says: ["expected rising percents that end with 100"])
      try FileManager.default.removeItem(at: file)
      try check("no file", code: 2, says: ["plimsoll.yaml cannot be read", "plimsoll init"])
    }
  }

  @Test("its own port taken: said, and not even its settings are recorded") func ownPort() async throws {
    try await withSmallHarbor { harbor in
      let taker = try #require(PortTaker(0))
      defer { withExtendedLifetime(taker) {} }
      let ended = try harbor.run("serve", "--listen", "127.0.0.1:\(taker.port)")
      #expect(ended.code == 3, "\(ended.errors)")
      for words in ["cannot listen on 127.0.0.1:\(taker.port)", "--listen"] {
        #expect(ended.errors.contains(words), "\(ended.errors)")
      }
      #expect(harbor.living() == SmallHarbor.Living())
      #expect(try harbor.run("ledger", "show").output.isEmpty)
    }
  }

  @Test("a flipped byte and a cut tail are found; a server does not write on over a cut") func damage() async throws {
    try await withSmallHarbor { harbor in
      let ledger = URL(filePath: "\(harbor.data)/ledger.sqlite")
      try await harbor.start()
      try await harbor.firstVersionServes()
      harbor.stopServer()
      let older = try Data(contentsOf: ledger)
      try await harbor.start()
      _ = try harbor.land("second", ["name": "second\n"])
      harbor.stopServer()
      let whole = try Data(contentsOf: ledger)
      #expect(try harbor.run("ledger", "verify").code == 0)

      var flipped = whole
      let title = try #require(flipped.firstRange(of: Data("Make it second".utf8)))
      flipped[title.lowerBound] ^= 1
      try flipped.write(to: ledger)
      let found = try harbor.run("ledger", "verify")
      #expect(found.code == 1, "\(found.output)\(found.errors)")
      #expect(found.output.contains("not as it was written") && found.output.contains("position "), "\(found.output)")

      try older.write(to: ledger)
      let cut = try harbor.run("ledger", "verify")
      #expect(cut.code == 1, "\(cut.output)\(cut.errors)")
      let refused = try harbor.run("serve", "--listen", "127.0.0.1:0")
      #expect(refused.code == 3, "\(refused.errors)")
      #expect(refused.errors.contains("ends at position"), "\(refused.errors)")
      #expect(try harbor.run("ledger", "verify").output == cut.output, "nothing was written on")

      try whole.write(to: ledger)
      #expect(try harbor.run("ledger", "verify").code == 0)
      try await harbor.start()
      _ = try await wait("the second version to serve") { ask(harbor.port, "/")?.body == "second" ? true : nil }
    }
  }
}
