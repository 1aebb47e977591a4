import Foundation
import Kernel
import Rollouts
import Yams

/// What a place says of its service level; nil where it says nothing.
struct LevelDraft {
  var p99: Span?
  var availability: Double?
  /// What an OpenSLO file says, and where it is named.
  var imported: Placed<PlimsollFile.ImportedLevel>?

  /// What `self` leaves open is taken from `other`. What is imported stands for all that its file says.
  func over(_ other: LevelDraft) -> LevelDraft {
    LevelDraft(
      p99: p99 ?? other.p99, availability: availability ?? other.availability, imported: imported ?? other.imported)
  }

  var level: ServiceLevel {
    var level = ServiceLevel()
    if let p99 { level.p99 = p99 }
    level.availability = availability
    return level
  }
}

/// Reads `slo`, and the OpenSLO file that it may name.
struct LevelReader {
  let reading: Reading
  /// What relative paths are relative to.
  let folder: String
  init(_ reading: Reading, folder: String) {
    self.reading = reading
    self.folder = folder
  }

  static let keys = ["p99", "availability", "open-slo"]
  static let fileKeys = ["file", "service"]

  /// - Parameter service: whose objectives a file is searched for, unless it says otherwise.
  func read(_ node: Node?, _ subject: String, of service: ServiceName) -> LevelDraft {
    var draft = LevelDraft()
    guard let node, let fields = reading.fields(node, "\(subject).slo", Self.keys) else { return draft }
    draft.availability = fields["availability"].flatMap { availability($0, "\(subject).slo.availability") }
    draft.p99 = fields["p99"].flatMap { reading.limit($0, "\(subject).slo.p99") }
    guard let named = fields["open-slo"], let imported = imported(named, "\(subject).slo.open-slo", service) else {
      return draft
    }
    draft.imported = Placed(value: imported, node: named)
    // Two places that say different things leave nobody sure which one counts.
    if let stated = draft.availability, let found = imported.availability, stated != found.value {
      contradicts(
        fields["availability"] ?? node, "\(subject).slo.availability", percent(stated), found, percent, imported)
    }
    if let stated = draft.p99, let found = imported.p99, stated != found.value {
      contradicts(fields["p99"] ?? node, "\(subject).slo.p99", spanWords(stated), found, spanWords, imported)
    }
    draft.availability = draft.availability ?? imported.availability?.value
    draft.p99 = draft.p99 ?? imported.p99?.value
    return draft
  }

  private func contradicts<Value>(
    _ node: Node, _ subject: String, _ stated: String, _ found: PlimsollFile.ImportedLevel.Taken<Value>,
    _ words: (Value) -> String, _ imported: PlimsollFile.ImportedLevel
  ) {
    reading.fail(
      node,
      "\(subject): \(stated) contradicts the SLO '\(found.objective)' of \(imported.file), which says "
        + "\(words(found.value)); leave one of them out")
  }

  /// Above zero: who promises nothing leaves the key out.
  private func availability(_ node: Node, _ subject: String) -> Double? {
    guard let share = reading.share(node, subject) else { return nil }
    guard share > 0 else {
      reading.fail(node, "\(subject): expected a share above 0%, such as 99.9%; leave it out to promise nothing")
      return nil
    }
    return share
  }

  // MARK: An OpenSLO file

  /// `FILE`, or `{ file: FILE, service: NAME }`.
  private func imported(_ node: Node, _ subject: String, _ service: ServiceName) -> PlimsollFile.ImportedLevel? {
    var fileNode = node
    var name = service.rawValue
    if case .mapping = node {
      guard let fields = reading.fields(node, subject, Self.fileKeys) else { return nil }
      guard let file = fields["file"] else {
        reading.fail(node, "\(subject): expected a file's name, or { file: FILE, service: NAME }")
        return nil
      }
      fileNode = file
      if let named = fields["service"] {
        guard let text = reading.text(named, "\(subject).service") else { return nil }
        name = text
      }
    }
    guard let path = reading.text(fileNode, subject), let text = text(of: path, fileNode, subject) else { return nil }
    let file: OpenSLOFile
    do {
      file = try OpenSLOFile.parse(text, file: path)
    } catch {
      reading.adopt(error.all)
      return nil
    }
    reading.adopt(file.warnings)
    let own = file.objectives.filter { $0.service == name }
    guard !own.isEmpty else {
      var others: [String] = []
      for objective in file.objectives where !others.contains(objective.service) { others.append(objective.service) }
      reading.fail(
        node,
        "\(subject): \(path) has no SLO of service '\(name)', only of \(others.joined(separator: ", ")): write "
          + "{ file: \(path), service: NAME }\(Reading.hint(name, others))")
      return nil
    }
    return PlimsollFile.ImportedLevel(file: path, objectives: own)
  }

  private func text(of path: String, _ node: Node, _ subject: String) -> String? {
    let url = path.hasPrefix("/") ? URL(filePath: path) : URL(filePath: folder).appending(path: path)
    // One byte more than may be there tells that it is too long.
    guard let handle = try? FileHandle(forReadingFrom: url),
      let data = try? handle.read(upToCount: OpenSLOFile.sizeLimit + 1)
    else {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: url.deletingLastPathComponent().path)) ?? []
      reading.fail(
        node,
        "\(subject): \(path) cannot be read; name a file, relative to plimsoll.yaml"
          + Reading.hint(url.lastPathComponent, names.sorted()))
      return nil
    }
    guard let text = String(data: data, encoding: .utf8) else {
      reading.adopt([Problem(file: path, line: 0, column: 0, "is not UTF-8 text")])
      return nil
    }
    return text
  }
}
