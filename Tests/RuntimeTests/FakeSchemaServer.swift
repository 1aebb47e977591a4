import Foundation
import Kernel
import Synchronization

@testable import Runtime

/// Files of commits and artifacts, written out as they are asked for.
final class PaperTrees: Sendable {
  private let commits = Mutex<[CommitID: [String: String]]>([:])
  private let artifacts = Mutex<[Digest: [String: String]]>([:])
  private let written = Mutex<[String]>([])
  /// Folders that were written to.
  var folders: [String] { written.withLock { $0 } }

  func set(_ files: [String: String], of commit: CommitID) { commits.withLock { $0[commit] = files } }
  func set(_ files: [String: String], of artifact: Digest) { artifacts.withLock { $0[artifact] = files } }

  func write(_ commit: CommitID, into folder: String) throws(Outage) {
    guard let files = commits.withLock({ $0[commit] }) else { throw Outage("script", "nobody wrote \(commit.short)") }
    try write(files, into: folder, folderMode: 0o755)
  }

  /// Read-only, as the store unpacks.
  func write(_ artifact: Digest, into folder: String) throws(Outage) {
    try write(artifacts.withLock { $0[artifact] ?? [:] }, into: folder, folderMode: 0o555)
  }

  private func write(_ files: [String: String], into folder: String, folderMode: Int) throws(Outage) {
    written.withLock { $0.append(folder) }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for (path, text) in files {
        let file = URL(filePath: "\(folder)/\(path)")
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: false, encoding: .utf8)
      }
      for path in [""] + (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []) {
        var isFolder: ObjCBool = false
        let whole = "\(folder)/\(path)"
        if FileManager.default.fileExists(atPath: whole, isDirectory: &isFolder), isFolder.boolValue {
          try FileManager.default.setAttributes([.posixPermissions: folderMode], ofItemAtPath: whole)
        }
      }
    } catch { throw Outage("script", "\(error)") }
  }
}

/// Knows migrations as files of a folder and statements as texts; what databases say is scripted.
final class FakeSchemaServer: SchemaServer {
  let survey = Script<SchemaPlace, SchemaSurvey>()
  let examine = Script<SchemaQuestion, SchemaExamination>()
  let apply = Script<MigrationOrder, MigrationOutcome>()
  let adopt = Script<[MigrationMark], SchemaSurvey>()
  private let fences = Mutex<[Fence]>([])
  private let texts = Mutex<[String]>([])
  private let folders = Mutex<[Digest: [MigrationMark]]>([:])
  var fencesSeen: [Fence] { fences.withLock { $0 } }

  /// The same for the same text.
  func digest(of text: String) -> Digest {
    let number = texts.withLock { texts in
      if let known = texts.firstIndex(of: text) { return known }
      texts.append(text)
      return texts.count - 1
    }
    return Facts.parsed(Digest(rawValue: "sha256:" + String(format: "%064x", number + 16)))
  }

  func migrations(in folder: String, layout: String?) async throws -> Digest {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    var marks: [MigrationMark] = []
    for name in names {
      let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      if text.contains("!") { throw Refusal(.malformed, "\(folder)/\(name):1: this is no SQL") }
      marks.append(MigrationMark(name: name, content: digest(of: text)))
    }
    let blob = digest(of: "\(marks.map { "\($0.name) \($0.content)" })")
    folders.withLock { $0[blob] = marks }
    return blob
  }
  func marks(of migrations: Digest) async throws(Outage) -> [MigrationMark] {
    folders.withLock { $0[migrations] ?? [] }
  }
  func statements(at path: String, version: Digest) async throws -> Digest {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    if text.contains("!") { throw Refusal(.malformed, "\(path):1: this is no SQL") }
    return digest(of: text)
  }
  func survey(_ place: SchemaPlace) async throws(Outage) -> SchemaSurvey { try await survey.answer(place) }
  func examine(_ question: SchemaQuestion) async throws -> SchemaExamination { try await examine.ask(question) }
  func apply(_ order: MigrationOrder, fence: Fence) async throws(Outage) -> MigrationOutcome {
    fences.withLock { $0.append(fence) }
    return try await apply.answer(order)
  }
  func adopt(_ migrations: [MigrationMark], in place: SchemaPlace, fence: Fence) async throws(Outage) -> SchemaSurvey {
    fences.withLock { $0.append(fence) }
    return try await adopt.answer(migrations)
  }
}
