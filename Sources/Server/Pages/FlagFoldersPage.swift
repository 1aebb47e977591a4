import API
import Kernel

/// `/flag-folders`: what folders in git declare, and what could not be taken of it.
struct FlagFoldersPage: Sendable {
  let folders: [Folder]
  let isEmpty: Bool

  struct Folder: Sendable {
    let name: String
    let path: String?
    let badge: Badge?
    let sentence: String
    let segments: String?
    let faults: [Line]
    let hasFaults: Bool
    let refused: [Refused]
    let hasRefused: Bool
    let contested: [Refused]
    let hasContested: Bool
    let ledger: String
  }

  struct Line: Sendable {
    let words: String
  }

  struct Refused: Sendable {
    let flag: Link
    let sentence: String
    let at: Moment
  }

  init(_ view: FlagFoldersView, now: Instant) {
    folders = view.folders.map { Folder($0, now: now) }
    isEmpty = view.folders.isEmpty
  }
}

extension FlagFoldersPage.Folder {
  init(_ view: FlagFolderView, now: Instant) {
    name = view.folder
    path = view.path.map { "\($0)/" }
    badge =
      view.phase == "faulty"
      ? Badge(words: "cannot be used", tone: "bad")
      : !view.refused.isEmpty
        ? Badge(words: "not all of it", tone: "waiting")
        : view.phase == "closed" ? Badge(words: "closed", tone: "calm") : nil
    sentence = view.sentence
    segments =
      view.segments.isEmpty
      ? nil : "\(Words.count(view.segments.count, "segment")): \(view.segments.joined(separator: ", "))"
    faults = view.faults.map { FlagFoldersPage.Line(words: $0) }
    hasFaults = !faults.isEmpty
    refused = view.refused.map { FlagFoldersPage.Refused($0, now: now) }
    hasRefused = !refused.isEmpty
    contested = view.contested.map { FlagFoldersPage.Refused($0, now: now) }
    hasContested = !contested.isEmpty
    ledger = "/ledger?stream=flagFolder:\(view.folder)"
  }
}

extension FlagFoldersPage.Refused {
  init(_ view: FlagRefusedView, now: Instant) {
    flag = Link(address: FlagPage.address(view.key), words: view.key)
    sentence = view.sentence
    at = Moment(view.atMs, now: now)
  }
}
