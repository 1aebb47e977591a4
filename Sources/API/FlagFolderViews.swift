/// `GET /v1/flag-folders`
public struct FlagFoldersView: Codable, Equatable, Sendable {
  /// Sorted by folder.
  public var folders: [FlagFolderView]
  public init(folders: [FlagFolderView]) { self.folders = folders }
}

/// A folder in git that defines flags: what was read of it, and what could not be taken.
public struct FlagFolderView: Codable, Equatable, Sendable {
  /// Repository and trunk: "harbor/main".
  public var folder: String
  /// Below the repository's root; nil once plimsoll.yaml names it no more.
  public var path: String?
  /// `closed`, `waiting`, `reading`, `settled`, `faulty`.
  public var phase: String
  /// What is so now, in one sentence.
  public var sentence: String
  /// The last commit that was read without a fault.
  public var commit: String?
  /// How many flags that commit defines.
  public var flags: Int
  /// Beside them, sorted by name; of a closed folder, those that stay because flags may name them.
  public var segments: [String]
  /// Why the newest commit cannot be used, with file, line and column.
  public var faults: [String]
  /// What flags have refused of this folder, sorted by key.
  public var refused: [FlagRefusedView]
  /// Declarations of other folders for keys that this one had first.
  public var contested: [FlagRefusedView]
  public init(
    folder: String, path: String?, phase: String, sentence: String, commit: String?, flags: Int, segments: [String],
    faults: [String], refused: [FlagRefusedView], contested: [FlagRefusedView]
  ) {
    self.folder = folder
    self.path = path
    self.phase = phase
    self.sentence = sentence
    self.commit = commit
    self.flags = flags
    self.segments = segments
    self.faults = faults
    self.refused = refused
    self.contested = contested
  }
}

/// A declaration that a flag may not become now; it is taken as soon as it may be.
public struct FlagRefusedView: Codable, Equatable, Sendable {
  public var key: String
  /// Whose declaration it is.
  public var folder: String?
  /// "flags/checkout.json:12".
  public var place: String
  public var commit: String
  /// What stands against it, and what to do.
  public var why: String
  public var atMs: Int64
  public init(key: String, folder: String?, place: String, commit: String, why: String, atMs: Int64) {
    self.key = key
    self.folder = folder
    self.place = place
    self.commit = commit
    self.why = why
    self.atMs = atMs
  }

  /// For people.
  public var sentence: String {
    "\(place)\(folder.map { " of \($0)" } ?? "") at \(commit.prefix(10)) declares \(key), which it may not become now: \(why)"
  }
}
