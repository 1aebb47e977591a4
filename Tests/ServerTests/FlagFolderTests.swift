import API
import ControlPlane
import Foundation
import Kernel
import Ramps
import Testing

@testable import Server

/// What folders in git declare and may not have is told wherever people look.
@Suite("Folders of flags, as they are shown") struct FlagFolderViewTests {
  private let folder = StreamID.flagFolder(Harbor.repository, Harbor.trunk)

  private func declare(_ backend: ScriptedBackend, _ key: String, _ definition: String) async throws {
    let commit = Harbor.commit("declared")
    let policy = FlagFolder.Policy(
      repository: Harbor.repository, trunk: Harbor.trunk, path: "flags", environments: [Harbor.production])
    let draft = try FlagDraft(
      definition, of: HarborFlags.key(key), among: [:], owner: "ann", now: await backend.harbor.now)
    let found = FlagFolder.Definition(
      key: HarborFlags.key(key), file: "flags/\(key).json", line: 7, definition: draft.definition)
    try await backend.tell(folder, .flagFolder(.configure(policy)))
    try await backend.tell(folder, .flagFolder(.trunkAt(commit)))
    try await backend.tell(
      folder, .flagFolder(.found(.init(commit: commit, author: "ann", definitions: [found]))))
  }

  @Test("a declaration that a ramp stands against is named with its place, and is so once the ramp has ended")
  func refused() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.create("new-checkout")
      try await flags.ramp("new-checkout")
      try await declare(
        backend, "new-checkout", #"{"variants": {"new": true, "off": false}, "defaultVariant": "off"}"#)
      let places = ["flags/new-checkout.json:7", "stop its ramp before it is removed"]
      for path in ["/v1/flag-folders", "/v1/flags/new-checkout", "/flag-folders", "/flags/new-checkout"] {
        let answer = try await wire.send("GET", path)
        #expect(answer.status == 200)
        let text = answer.body.replacing("\\/", with: "/")
        for word in places { #expect(text.contains(word), "\(path) \(word)\n\(text)") }
      }
      try await flags.tell("new-checkout", .stopRamp(Harbor.production, HarborFlags.ann))
      let view = try JSONDecoder().decode(
        FlagFoldersView.self, from: Data(try await wire.send("GET", "/v1/flag-folders").body.utf8))
      #expect(view.folders.map(\.phase) == ["settled"] && view.folders.flatMap(\.refused).isEmpty)
      #expect(await flags.state("new-checkout")?.definition?.variants == ["new", "off"])
    }
  }

  @Test("of two folders that declare one key both name the other")
  func clash() async throws {
    try await withServer { wire, backend in
      try await declare(backend, "basket", "{}")
      let other = StreamID(.flagFolder, "quay/main")
      let known = try #require(await HarborFlags(backend: backend).state("basket")?.definition)
      let changed = try FlagDraft(
        #"{"owner": "quay"}"#, of: HarborFlags.key("basket"), among: [:], owner: "quay", now: await backend.harbor.now)
      #expect(changed.definition != known)
      try await HarborFlags(backend: backend).tell(
        "basket",
        .declare(
          .init(
            key: HarborFlags.key("basket"), definition: changed.definition, file: "toggles.json",
            commit: Harbor.commit("other"), folder: other, author: "bob")))
      let view = try JSONDecoder().decode(
        FlagFoldersView.self, from: Data(try await wire.send("GET", "/v1/flag-folders").body.utf8))
      #expect(view.folders.first { $0.folder == folder.name }?.contested.first?.place == "toggles.json")
      let flag = try await wire.send("GET", "/v1/flags/basket")
      #expect(flag.body.contains("which was first and keeps it"))
    }
  }

  @Test("a flag that was declared and never made says why it is not there")
  func neverMade() async throws {
    try await withServer { wire, backend in
      let now = await backend.harbor.now
      let draft = try FlagDraft(
        "{}", of: HarborFlags.key("late"), among: [:], owner: "ann", now: now - .minutes(60 * 24 * 40))
      try await HarborFlags(backend: backend).tell(
        "late",
        .declare(
          .init(
            key: HarborFlags.key("late"), definition: draft.definition, file: "flags/late.json", line: 2,
            commit: Harbor.commit("late"), author: "ann")))
      let answer = try await wire.send("GET", "/v1/flags/late")
      #expect(answer.status == 404 && answer.body.contains("would have expired"), "\(answer.body)")
    }
  }
}
