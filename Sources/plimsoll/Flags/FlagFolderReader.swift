import ControlPlane
import Flags
import Foundation
import Kernel
import MigrationOracle
import Ramps
import Runtime
import Server

/// Reads flags that a repository defines.
struct FlagFolderReader: FlagFolders {
  let forge: any Forge
  /// Flags that there are, those that people edit among them: prerequisites may name them.
  let flags: @Sendable () async -> [FlagKey: FeatureFlag.State]
  /// Every folder, this one and closed ones included.
  let folders: @Sendable () async -> [StreamID: FlagFolder.State]

  /// Bytes of all files of one folder: ten thousand flags and their segments have some two million.
  static let sizeLimit = 16 << 20
  static let fileLimit = 2000
  /// Of a file.
  static let members = ["$schema", "flags", "metadata", "plimsoll", "segments"]

  func definitions(at commit: CommitID, of policy: FlagFolder.Policy) async throws(Outage) -> FlagFolderReading {
    let author = try await forge.commits(from: nil, to: commit, in: policy.repository, limit: 1).last?.author
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-flags-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await forge.checkOut(commit, of: policy.repository, into: folder)
    let known = await flags()
    let others = await folders().filter { $0.key != StreamID.flagFolder(policy.repository, policy.trunk) }
    let work: @Sendable () throws -> FlagFolderReading = {
      Self.read(
        try Self.files(in: folder, below: policy.path), commit, author: author ?? "unknown", among: known,
        beside: others, environments: policy.environments)
    }
    do {
      return try await BlockingThread.run(work)
    } catch let refusal as Refusal {
      return .faulty([refusal.sentence])
    } catch let outage as Outage {
      throw outage
    } catch {
      throw Outage("flags", "\(policy.path)/ of \(policy.repository) cannot be read", sources: ["\(error)"])
    }
  }

  /// Texts by path below the repository's root, sorted. A folder that is not there holds none.
  private static func files(in checkout: String, below path: String) throws -> [(path: String, text: String)] {
    let root = "\(checkout)/\(path)"
    var names = (FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? [])
    names = names.filter { $0.hasSuffix(".json") }.sorted()
    guard names.count <= fileLimit else {
      throw Refusal(
        .malformed, "\(path)/ has \(names.count) files of flags, more than \(fileLimit): put more into one.")
    }
    var size = 0
    return try names.map { name in
      // A link could lead out of the checkout.
      let kind = try FileManager.default.attributesOfItem(atPath: "\(root)/\(name)")[.type] as? FileAttributeType
      guard kind == .typeRegular else {
        throw Refusal(.malformed, "\(path)/\(name) is no regular file: put the definitions themselves there.")
      }
      let data = try Data(contentsOf: URL(filePath: "\(root)/\(name)"))
      size += data.count
      guard size <= sizeLimit else {
        throw Refusal(
          .malformed, "\(path)/ has more than \(sizeLimit >> 20) MiB of flags: keep data where data is kept.")
      }
      guard let text = String(validating: data, as: UTF8.self) else {
        throw Refusal(.malformed, "\(path)/\(name) is not UTF-8: save it as UTF-8.")
      }
      return ("\(path)/\(name)", text)
    }
  }

  private struct Draft {
    let file: String
    let line: Int
    let key: FlagKey
    let text: String
    var place: String { "\(file):\(line)" }
  }

  /// - Parameters:
  ///   - known: every flag that there is.
  ///   - elsewhere: other folders, which keep the names of their segments.
  static func read(
    _ files: [(path: String, text: String)], _ commit: CommitID, author: String,
    among known: [FlagKey: FeatureFlag.State], beside elsewhere: [StreamID: FlagFolder.State] = [:],
    environments: [EnvironmentName]
  ) -> FlagFolderReading {
    var faults: [String] = []
    var drafts: [FlagKey: Draft] = [:]
    var segments: [String: (file: String, json: String)] = [:]
    for (path, text) in files {
      do throws(FlagRefusal) {
        let document = try MemberTexts(text, subject: "the file", limit: sizeLimit)
        if let other = document.members.first(where: { !members.contains($0.name) }) {
          let hint = nearestMatch(to: other.name, among: members).map { "; did you mean '\($0)'?" } ?? ""
          faults.append(
            "\(path):\(other.line):\(other.column): '\(other.name)' means nothing here\(hint); a file of flags has "
              + members.joined(separator: ", "))
        }
        if let flags = document.member("flags") {
          for text in try MemberTexts(flags.json, subject: "`flags`", limit: sizeLimit).members {
            let line = flags.line + text.line - 1
            guard let key = FlagKey(rawValue: text.name) else {
              faults.append(
                "\(path):\(line): '\(text.name)' is no key of a flag; expected at most \(FlagKey.longest) letters, "
                  + "digits, hyphens, dots, underscores")
              continue
            }
            if let other = drafts[key] {
              faults.append("\(path):\(line): \(key) stands at \(other.place) too; drop one")
            }
            drafts[key] = Draft(file: path, line: line, key: key, text: text.json)
          }
        }
        if let named = document.member("segments") {
          for text in try MemberTexts(named.json, subject: "`segments`", limit: sizeLimit).members {
            if let other = segments[text.name] {
              faults.append(
                "\(path):\(named.line + text.line - 1): the segment '\(text.name)' stands in \(other.file) too; drop one"
              )
            }
            if let other = elsewhere.first(where: { $0.value.segments.contains { $0.name == text.name } })?.key {
              faults.append(
                "\(path):\(named.line + text.line - 1): the segment '\(text.name)' is that of the folder on "
                  + "\(other.name), which was first and keeps it; take another name, or drop it there")
            }
            segments[text.name] = (path, text.json)
          }
        }
      } catch {
        faults.append("\(path):\(error.line ?? 1):\(error.column ?? 1): \(error.sentence)")
      }
    }
    guard faults.isEmpty else { return .faulty(faults) }
    let named = segments.sorted { $0.key < $1.key }.map { FlagDefinition.Member(name: $0.key, json: $0.value.json) }
    return define(
      drafts, commit, author: author, segments: named, beside: elsewhere, among: known, environments: environments)
  }

  /// Definitions are read after those that they rest on, so that each is judged among flags as they will be.
  private static func define(
    _ drafts: [FlagKey: Draft], _ commit: CommitID, author: String, segments: [FlagDefinition.Member],
    beside elsewhere: [StreamID: FlagFolder.State], among known: [FlagKey: FeatureFlag.State],
    environments: [EnvironmentName]
  ) -> FlagFolderReading {
    let all = FlagFolder.segments(of: elsewhere.merging([StreamID(.flagFolder, "here"): Self.holding(segments)]) { $1 })
    var others = known
    for key in drafts.keys { others[key] = nil }
    var waiting = drafts.values.sorted { $0.key < $1.key }
    var found: [FlagFolder.Definition] = []
    var faults: [String] = []
    while !waiting.isEmpty {
      var left: [Draft] = []
      faults = []
      for draft in waiting {
        do {
          let read = try FlagDraft(
            draft.text, of: draft.key, among: others, segments: all, owner: author, now: Kernel.Instant.now)
          if read.isExpiryNamed {
            var state = FeatureFlag.State()
            state.key = draft.key
            state.revisions = [
              FeatureFlag.Revision(
                number: 1, definition: read.definition,
                by: FeatureFlag.Signed(actor: author, reason: commit.short, at: Kernel.Instant.now))
            ]
            others[draft.key] = state
            found.append(
              FlagFolder.Definition(
                key: draft.key, file: draft.file, line: draft.line, definition: read.definition))
          } else {
            // A default would move with every commit that is read.
            faults.append("\(draft.place): flag \(draft.key) has no `expiry`; write the day when it must be gone")
            left.append(draft)
          }
        } catch {
          faults.append("\(draft.place): \(error.sentence)")
          left.append(draft)
        }
      }
      // Nothing more can be read: what is left is at fault, or rests on what is, or on itself in a circle.
      if left.count == waiting.count { return .faulty(faults) }
      waiting = left
    }
    if let fault = unnamed(all, in: others.filter { drafts[$0.key] == nil }) {
      return .faulty(["\(commit.short): with flags that are not in the folder: \(fault)"])
    }
    // What people edit may rest on a flag that changed.
    do throws(FlagRefusal) {
      let whole = ServedDocument(flags: others, segments: all)
      for environment in environments { _ = try FlagSet(json: whole.text(in: environment)) }
    } catch {
      return .faulty(["\(commit.short): with flags that are not in the folder: \(error.sentence)"])
    }
    return .found(
      FlagFolder.Found(
        commit: commit, author: author, definitions: found, segments: segments))
  }

  private static func holding(_ segments: [FlagDefinition.Member]) -> FlagFolder.State {
    var state = FlagFolder.State()
    state.segments = segments
    return state
  }

  /// A segment that is gone and that a flag still names, on or off: switched on later, it could not be served.
  private static func unnamed(
    _ segments: [FlagDefinition.Member], in flags: [FlagKey: FeatureFlag.State]
  ) -> String? {
    for (key, state) in flags.sorted(by: { $0.key < $1.key }) where state.isLive {
      guard let definition = state.definition else { continue }
      for override in [[]] + state.placements.map(\.override) {
        guard (definition.members + override).contains(where: { $0.json.contains("\"segment\"") }) else { continue }
        if let fault = FlagDraft.missingSegment(override, over: definition, of: key, among: segments) { return fault }
      }
    }
    return nil
  }
}
