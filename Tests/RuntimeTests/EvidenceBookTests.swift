import Foundation
import Kernel
import Rollouts
import Testing

@testable import Runtime

@Suite("The evidence book keeps pictures")
struct EvidenceBookTests {
  private let folder = TemporaryFolder()

  private func series(_ rollout: Int) -> EvidenceSeries {
    EvidenceSeries(
      stream: Facts.delivery, rollout: rollout, canary: Facts.deployment("b").id, control: nil,
      slowerThan: .seconds(0.6))
  }
  private func points(_ seconds: Range<Int>) -> [EvidencePoint] {
    seconds.map {
      EvidencePoint(
        at: Facts.start + .seconds(Double($0)), canary: RequestCounts(requests: $0), control: .zero, evidence: [])
    }
  }
  private func fill(_ book: EvidenceBook, _ seconds: Range<Int>) async {
    await book.begin(series(1))
    await book.append(points(seconds), to: Facts.delivery, rollout: 1, now: Facts.start)
  }
  private func kept(_ book: EvidenceBook) async -> [Int]? {
    await book.read(Facts.delivery, rollout: 1)?.points.map(\.canary.requests)
  }

  @Test("another book on the same folder reads it and goes on with it")
  func restart() async throws {
    await fill(try EvidenceBook(folder: folder.path), 0..<3)
    let after = try EvidenceBook(folder: folder.path)
    #expect(await kept(after) == [0, 1, 2])
    await fill(after, 1..<5)
    #expect(await kept(after) == [0, 1, 2, 3, 4], "a second that is known is not drawn twice")
    #expect(await after.end(Facts.delivery, rollout: 1, now: Facts.start)?.points == points(0..<5))
    #expect(await kept(try EvidenceBook(folder: folder.path)) == [0, 1, 2, 3, 4])
  }

  @Test("the oldest points go")
  func bounded() async throws {
    let book = try EvidenceBook(folder: folder.path)
    await fill(book, 0..<(EvidenceBook.pointLimit + 5))
    let kept = try #require(await kept(book))
    #expect(kept.count == EvidenceBook.pointLimit)
    #expect(kept.first == 5)
  }

  @Test("the file is written at intervals, and at the end")
  func intervals() async throws {
    let book = try EvidenceBook(folder: folder.path)
    await fill(book, 0..<1)
    func onDisk() async throws -> [Int]? { await kept(try EvidenceBook(folder: folder.path)) }
    let justBefore = Facts.start + EvidenceBook.flushInterval - Span(milliseconds: 1)
    await book.append(points(1..<2), to: Facts.delivery, rollout: 1, now: justBefore)
    #expect(try await onDisk() == [0])
    await book.append(points(2..<3), to: Facts.delivery, rollout: 1, now: Facts.start + EvidenceBook.flushInterval)
    #expect(try await onDisk() == [0, 1, 2])
    await book.append(points(3..<4), to: Facts.delivery, rollout: 1, now: Facts.start + EvidenceBook.flushInterval)
    _ = await book.end(Facts.delivery, rollout: 1, now: Facts.start + EvidenceBook.flushInterval)
    #expect(try await onDisk() == [0, 1, 2, 3])
  }

  @Test("rollouts and places do not share a page")
  func apart() async throws {
    let book = try EvidenceBook(folder: folder.path)
    await fill(book, 0..<3)
    #expect(await book.read(Facts.delivery, rollout: 2) == nil)
    let staging = StreamID.delivery(Facts.harbor, Facts.parsed(EnvironmentName(rawValue: "staging")))
    #expect(await book.read(staging, rollout: 1) == nil)
  }

  @Test("a file that cannot be read is no picture, and a new one takes its place")
  func unreadable() async throws {
    await fill(try EvidenceBook(folder: folder.path), 0..<3)
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let file = try #require(files.first)
    #expect(files.count == 1)
    try Data("{\"stream\":".utf8).write(to: URL(filePath: folder.path).appending(path: file))

    let book = try EvidenceBook(folder: folder.path)
    #expect(await kept(book) == nil)
    await fill(book, 5..<6)
    #expect(await kept(book) == [5])
  }

  @Test("a file grows by its new points, and a line that was broken off is left out")
  func grows() async throws {
    let book = try EvidenceBook(folder: folder.path)
    await fill(book, 0..<3)
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder.path).first)
    let file = URL(filePath: folder.path).appending(path: name)
    let before = try Data(contentsOf: file)
    let later = Facts.start + EvidenceBook.flushInterval
    await book.append(points(1..<5), to: Facts.delivery, rollout: 1, now: later)
    let after = try Data(contentsOf: file)
    #expect(after.starts(with: before) && after.count > before.count)
    #expect(await kept(try EvidenceBook(folder: folder.path)) == [0, 1, 2, 3, 4])
    try after.dropLast(10).write(to: file)
    #expect(await kept(try EvidenceBook(folder: folder.path)) == [0, 1, 2, 3])
  }

  @Test("a folder that cannot be made is an outage")
  func noFolder() throws {
    let file = FileManager.default.temporaryDirectory.appending(path: "plimsoll-runtime-\(UUID().uuidString)")
    try Data().write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    #expect(throws: Outage.self) { try EvidenceBook(folder: file.appending(path: "evidence").path) }
  }
}
