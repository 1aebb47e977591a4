import Kernel

/// What Plimsoll says on a change of a plain repository: a git note on its head, which `git log --notes=plimsoll` shows
/// to whoever fetched `refs/notes/plimsoll`.
///
/// A note's last line carries its fence. The reference is pushed with a lease, so that of two writers one tries again on
/// what the other wrote; notes of others' commits stay.
extension GitForge {
  package static let notesReference = "refs/notes/plimsoll"
  private static let fenceMark = "Plimsoll-Position: "
  /// Pushes against others who write notes at the same moment; we are one process, so there are hardly any.
  private static let attempts = 3

  package func comment(_ note: ChangeNote, in repository: RepositoryName) async throws(Outage) {
    let mirror = try mirror(of: repository)
    try await mirror.ensure(note.head)
    let body = "\(note.text)\n\n\(Self.fenceMark)\(note.fence.position)\n"
    try await mirror.notes.pass { () async throws(Outage) in
      var refusal = ""
      for _ in 0..<Self.attempts {
        let tip = try await bringNotes(of: mirror)
        if let present = try await self.note(on: note.head, in: mirror) {
          if present == body || Self.fence(of: present) > note.fence { return }
        }
        let pushed = try await push(body, for: note, onto: tip, in: mirror)
        if pushed.code == 0 { return }
        refusal = mirror.words(of: pushed)
      }
      // The reply of the last push may be lost.
      _ = try await bringNotes(of: mirror)
      if try await self.note(on: note.head, in: mirror) == body { return }
      throw Outage(
        "git",
        "the note on \(note.branch) could not be pushed to \(Self.notesReference) of \(repository); allow that push",
        sources: [refusal])
    }
  }

  /// Makes the mirror's notes those of the remote.
  /// - Returns: their commit; nil when there are none yet.
  private func bringNotes(of mirror: GitMirror) async throws(Outage) -> CommitID? {
    let name = Self.notesReference
    guard let tip = try await mirror.remoteReferences(matching: [name])[Array(name.utf8)] else {
      try await mirror.text(["update-ref", "-d", name])
      return nil
    }
    let held = try await mirror.run(["rev-parse", "--verify", "--quiet", name])
    if held.text != "\(tip)\n" {
      try await mirror.text([
        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force", "--", mirror.url,
        "+\(name):\(name)",
      ])
    }
    return tip
  }

  private func note(on head: CommitID, in mirror: GitMirror) async throws(Outage) -> String? {
    let shown = try await mirror.run(["notes", "--ref=\(Self.notesReference)", "show", head.rawValue])
    return shown.code == 0 ? shown.text : nil
  }

  private static func fence(of body: String) -> Fence {
    let line = body.split(separator: "\n").last { $0.hasPrefix(fenceMark) }
    return Fence(line.flatMap { Position($0.dropFirst(fenceMark.count)) } ?? 0)
  }

  private func push(
    _ body: String, for note: ChangeNote, onto tip: CommitID?, in mirror: GitMirror
  ) async throws(Outage) -> ProcessExecution.Finished {
    let name = Self.notesReference
    // By a blob, since `-F` strips white space and a body must come back as it was.
    let blob = try await mirror.line(["hash-object", "-w", "--stdin"], input: Array(body.utf8))
    try await mirror.text(
      ["notes", "--ref=\(name)", "add", "--force", "-C", blob, note.head.rawValue],
      environment: mirror.signing(.init(mirror.committer, at: note.at), at: note.at))
    return try await mirror.run([
      "push", "--quiet", "--porcelain", "--no-verify", "--force-with-lease=\(name):\(tip?.rawValue ?? "")", "--",
      mirror.url, "\(name):\(name)",
    ])
  }
}
