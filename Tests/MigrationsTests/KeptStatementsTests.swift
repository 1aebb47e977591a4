import Kernel
import Testing

@testable import Migrations

@Suite("What is kept of a version's statements") struct KeptStatementsTests {
  /// Blobs in memory, and how many statements were ever written.
  private final class Shelf {
    var blobs: [Digest: KeptStatements] = [:]
    var written = 0

    func put(_ kept: KeptStatements) -> Digest {
      let text = "000000000000\(blobs.count)"
      let blob = Digest(rawValue: "sha256:" + String(repeating: "0", count: 64 - text.count) + text)!
      blobs[blob] = kept
      if case .whole(let set) = kept { written += set.statements.count }
      return blob
    }
    func keep(_ set: StatementSet, over known: Digest?) throws -> Digest? {
      try KeptStatements.keep(set, over: known, read: { blobs[$0]! }, write: put)
    }
    func joined(_ blob: Digest) -> StatementSet { KeptStatements.joined(blob) { blobs[$0]! } }
  }

  private func set(_ numbers: some Sequence<Int>, role: String? = nil, leftOut: Int = 0) -> StatementSet {
    StatementSet(
      version: "v41",
      statements: numbers.map {
        CapturedStatement(
          fingerprint: "f\($0)", text: "SELECT f\($0)", count: 1, source: .proxy, role: role)
      }, leftOut: leftOut)
  }

  @Test("a sidecar that tells all that it has each time leaves each statement there a few times only")
  func parts() throws {
    let shelf = Shelf()
    var known: Digest?
    for number in 1...1_000 {
      let before = known
      known = try shelf.keep(set(0..<number), over: known)
      #expect(known != before)
    }
    let blob = try #require(known)
    #expect(shelf.joined(blob) == set(0..<1_000))
    #expect(shelf.written <= 1_000 * 11, "\(shelf.written): 500,500 when each is kept whole")
    guard case .parts(let parts)? = shelf.blobs[blob] else {
      Issue.record("\(String(describing: shelf.blobs[blob]))")
      return
    }
    #expect(parts.count <= 10 && parts.map(\.count) == parts.map(\.count).sorted(by: >))
    #expect(try shelf.keep(set(0..<1_000), over: blob) == blob, "the same again is no news")
    #expect(try shelf.keep(set(400..<410), over: blob) == blob, "nor is a part of it")
  }

  @Test("parts joined are what was sent joined") func equals() throws {
    var chance = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      let shelf = Shelf()
      var (known, whole) = (Digest?.none, StatementSet?.none)
      for _ in 0..<20 {
        let start = Int.random(in: 0..<40, using: &chance)
        let sent = set(
          start..<(start + Int.random(in: 0..<12, using: &chance)), role: Bool.random(using: &chance) ? "app" : nil,
          leftOut: Int.random(in: 0..<9, using: &chance) == 0 ? 3 : 0)
        if sent.statements.isEmpty, sent.leftOut == 0 { continue }
        whole = whole.map { $0.joined(by: sent) ?? $0 } ?? sent
        known = try shelf.keep(sent, over: known)
      }
      #expect(known.map(shelf.joined) == whole)
    }
  }

  @Test("what lies there whole is read as ever") func whole() throws {
    let shelf = Shelf()
    let old = shelf.put(.whole(set(0..<3)))
    let blob = try #require(try shelf.keep(set(2..<4), over: old))
    #expect(shelf.joined(blob) == set(0..<4) && shelf.joined(old) == set(0..<3))
    #expect(try shelf.keep(set([]), over: nil) == nil)
  }

  @Test("nothing is kept without bound") func bounds() throws {
    let shelf = Shelf()
    let most = try #require(try shelf.keep(set(0..<StatementSet.maximalStatements), over: nil))
    #expect(throws: KeptStatements.tooMuch) { try shelf.keep(set([-1]), over: most) }
    let long = StatementSet(
      version: "v41",
      statements: ["a", "b"].map {
        CapturedStatement(
          fingerprint: $0, text: String(repeating: $0, count: StatementSet.maximalBytes / 2 + 1), source: .proxy)
      })
    #expect(throws: KeptStatements.tooMuch) { try shelf.keep(long, over: nil) }
  }

  @Test("that something was left out stays known, and how much more is no news") func leftOut() throws {
    let shelf = Shelf()
    let clean = try #require(try shelf.keep(set(0..<3), over: nil))
    let lossy = try #require(try shelf.keep(set(0..<3, leftOut: 2), over: clean))
    #expect(lossy != clean && shelf.joined(lossy).leftOut == 2 && shelf.joined(lossy).statements.count == 3)
    #expect(try shelf.keep(set(0..<3, leftOut: 9), over: lossy) == lossy)
    #expect(try shelf.keep(set(0..<3), over: lossy) == lossy, "a clean one of the same does not tell what was missing")
  }
}
