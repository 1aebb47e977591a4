import Drivers
import Foundation
import Kernel
import Testing

@Suite("OCI artifact store")
struct OCIArtifactStoreTests {
  @Test("one tree, built twice in another order and at other times, has one digest")
  func sameTreeSameDigest() async throws {
    try await withStore { store, place in
      let forward = try build(place + "/one", Self.tree)
      let backward = try build(place + "/two", Self.tree.reversed(), at: 1_000_000_000, umask: 0o007)
      let first = try await store.pack(folder: forward, facts: facts("a"))
      let second = try await store.pack(folder: backward, facts: facts("b"))
      #expect(first.digest == second.digest)
      #expect(first.files == 5)
      #expect(first.bytes == 17)
      #expect(try await store.digest(ofReleaseFolder: forward) == first.digest)
      // The digest is for ever: a change of these bytes' form makes every known artifact irreproducible.
      #if arch(x86_64)
        #expect(first.digest.rawValue == Self.knownDigest)
      #endif
    }
  }

  @Test("packing again gives the same digest and keeps the provenance, also after a restart")
  func packTwice() async throws {
    try await withStore { store, place in
      let folder = try build(place + "/one", Self.tree)
      let first = try await store.pack(folder: folder, facts: facts("a"))
      let index = try Data(contentsOf: URL(fileURLWithPath: place + "/store/index.json"))
      #expect(try await store.pack(folder: folder, facts: facts("a", at: 99)) == first)
      #expect(try await open(place).pack(folder: folder, facts: facts("a", at: 100)) == first)
      #expect(try Data(contentsOf: URL(fileURLWithPath: place + "/store/index.json")) == index)
      #expect(
        try await store.verify(first.digest, service: Self.harbor, commit: commit("a"))
          == .verified(builder: "plimsoll:builder/local"))
    }
  }

  @Test("another digest for a commit is refused as not reproducible, naming the first differing file")
  func notReproducible() async throws {
    try await withStore { store, place in
      let first = try await store.pack(folder: build(place + "/one", Self.tree), facts: facts("a"))
      let changes: [(String, [Item], String)] = [
        ("content", Self.tree.map { $0.path == "lib/z" ? .file("lib/z", "zet") : $0 }, "'lib/z'"),
        ("mode", Self.tree.map { $0.path == "lib/z" ? .program("lib/z", "zed") : $0 }, "'lib/z'"),
        ("new", Self.tree + [.file("lib/new", "n")], "'lib/new', which is new"),
        ("gone", Self.tree.filter { $0.path != "lib/z" }, "'lib/z', which is gone"),
      ]
      for (name, tree, expected) in changes {
        let folder = try build("\(place)/\(name)", tree)
        let refusal = await #expect(throws: Refusal.self) { try await store.pack(folder: folder, facts: facts("a")) }
        #expect(refusal?.kind == .notNow)
        #expect(refusal?.sentence.contains("not reproducible") == true)
        #expect(refusal?.sentence.contains(first.digest.rawValue) == true)
        #expect(
          refusal?.sentence.contains("first differing in \(expected);") == true, "\(name): \(refusal?.sentence ?? "")")
      }
      #expect(
        try await store.verify(first.digest, service: Self.harbor, commit: commit("a"))
          == .verified(builder: "plimsoll:builder/local"))
      #expect(try FileManager.default.contentsOfDirectory(atPath: place + "/store/.partial").isEmpty)
    }
  }

  @Test("a build that wrote nothing is refused")
  func nothing() async throws {
    try await withStore { store, place in
      try FileManager.default.createDirectory(atPath: place + "/empty/inner", withIntermediateDirectories: true)
      for folder in ["/absent", "/empty"] {
        let refusal = await #expect(throws: Refusal.self) {
          try await store.pack(folder: place + folder, facts: facts("a"))
        }
        #expect(refusal?.kind == .malformed)
        #expect(refusal?.sentence.contains(folder) == true)
      }
    }
  }

  @Test(
    "links that lead out are refused", arguments: ["/etc/passwd", "../x", "sub/../../x", "sub/..", "../../etc"])
  func leadingOut(_ target: String) async throws {
    try await withStore { store, place in
      let folder = try build(place + "/one", [.file("f", "f"), .link("link", target)])
      let refusal = await #expect(throws: Refusal.self) { try await store.pack(folder: folder, facts: facts("a")) }
      #expect(refusal?.sentence.contains("'\(target)'") == true)
    }
  }

  @Test("a pipe is refused")
  func pipeInside() async throws {
    try await withStore { store, place in
      let folder = try build(place + "/one", [.file("f", "f")])
      #expect(mkfifo(folder + "/pipe", 0o644) == 0)
      await #expect(throws: Refusal.self) { try await store.pack(folder: folder, facts: facts("a")) }
    }
  }

  @Test("unpacking gives the tree back, read-only; again verifies it")
  func unpack() async throws {
    try await withStore { store, place in
      let long = String(repeating: "deep/", count: 30) + "fïle"
      let folder = try build(
        place + "/one", Self.tree + [.file(long, "x"), .link("long-link", String(repeating: "n", count: 150))])
      let stored = try await store.pack(folder: folder, facts: facts("a"))
      let release = place + "/release"
      // Half-written by a process that was killed.
      try FileManager.default.createDirectory(atPath: release + ".partial/junk", withIntermediateDirectories: true)
      for _ in 1...2 { try await store.unpack(stored.digest, into: release) }
      #expect(try await store.digest(ofReleaseFolder: release) == stored.digest)
      #expect(try String(contentsOfFile: "\(release)/\(long)", encoding: .utf8) == "x")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: release + "/link") == "bin/serve")
      #expect(mode(release + "/bin/serve") == 0o555)
      #expect(mode(release + "/lib/z") == 0o444)
      #expect(mode(release + "/lib") == 0o555)
      #expect(mode(release) == 0o555)
      #expect(!FileManager.default.fileExists(atPath: release + ".partial"))
    }
  }

  @Test(
    "a release folder that was tampered with has another digest and is not unpacked over",
    arguments: ["content", "new", "gone", "executable", "link"])
  func tampered(_ how: String) async throws {
    try await withStore { store, place in
      let stored = try await store.pack(folder: build(place + "/one", Self.tree), facts: facts("a"))
      let release = place + "/release"
      try await store.unpack(stored.digest, into: release)
      for path in ["", "/lib", "/bin"] { chmod(release + path, 0o755) }
      switch how {
      case "content":
        chmod(release + "/lib/z", 0o644)
        try "zet".write(toFile: release + "/lib/z", atomically: false, encoding: .utf8)
        chmod(release + "/lib/z", 0o444)
      case "new": try "n".write(toFile: release + "/lib/new", atomically: false, encoding: .utf8)
      case "gone": unlink(release + "/lib/z")
      case "executable": chmod(release + "/lib/z", 0o555)
      default:
        unlink(release + "/link")
        symlink("lib/z", release + "/link")
      }
      #expect(try await store.digest(ofReleaseFolder: release) != stored.digest)
      let outage = await #expect(throws: Outage.self) { try await store.unpack(stored.digest, into: release) }
      #expect(outage?.sentence.contains(release) == true)
    }
  }

  @Test(
    "a flipped byte anywhere is found, and the next build heals it",
    arguments: ["layer", "config", "manifest", "envelope", "referrer"])
  func flippedByte(_ part: String) async throws {
    try await withStore { store, place in
      let folder = try build(place + "/one", Self.tree)
      let stored = try await store.pack(folder: folder, facts: facts("a"))
      let manifest = try document(stored.digest, place)
      let referrer = try document(stored.provenance, place)
      let victim: String =
        switch part {
        case "layer": layerDigest(manifest)
        case "config": (manifest["config"] as? [String: Any])?["digest"] as? String ?? ""
        case "manifest": stored.digest.rawValue
        case "envelope": layerDigest(referrer)
        default: stored.provenance.rawValue
        }
      try flip("\(place)/store/blobs/sha256/\(victim.dropFirst(7))")
      guard
        case .rejected(let reason) = try await store.verify(stored.digest, service: Self.harbor, commit: commit("a"))
      else { return #expect(Bool(false), "not found") }
      #expect(reason.contains(String(victim.dropFirst(7))))
      if ["layer", "manifest"].contains(part) {
        await #expect(throws: Outage.self) { try await store.unpack(stored.digest, into: place + "/release") }
        #expect(!FileManager.default.fileExists(atPath: place + "/release"))
      }
      #expect(try await store.pack(folder: folder, facts: facts("a")).digest == stored.digest)
      #expect(
        try await store.verify(stored.digest, service: Self.harbor, commit: commit("a"))
          == .verified(builder: "plimsoll:builder/local"))
    }
  }

  @Test("provenance of another commit, service, builder or key is rejected")
  func foreignProvenance() async throws {
    try await withStore { store, place in
      let stored = try await store.pack(folder: build(place + "/one", Self.tree), facts: facts("a"))
      func check(_ store: OCIArtifactStore, service: String = "harbor", _ letter: String, _ expected: String)
        async throws
      {
        let finding = try await store.verify(
          stored.digest, service: ServiceName(rawValue: service)!, commit: commit(letter))
        guard case .rejected(let reason) = finding else { return #expect(Bool(false), "verified, not '\(expected)'") }
        #expect(reason.contains(expected), "\(reason)")
      }
      try await check(store, "b", "no artifact of this digest")
      try await check(store, service: "ferry", "a", "no artifact of this digest")
      let otherBuilder = try OCIArtifactStore(
        folder: place + "/store", keys: place + "/keys", builder: "plimsoll:builder/other")
      try await check(otherBuilder, "a", "unknown builder 'plimsoll:builder/local'")
      let otherKey = try OCIArtifactStore(folder: place + "/store", keys: place + "/other-keys")
      try await check(otherKey, "a", "unknown key")

      // A tag moved to another commit by hand: the statement still names the first.
      let index = place + "/store/index.json"
      let text = try String(contentsOfFile: index, encoding: .utf8)
      try text.replacingOccurrences(of: commit("a").rawValue, with: commit("b").rawValue)
        .write(toFile: index, atomically: true, encoding: .utf8)
      try await check(store, "b", "about another commit")
    }
  }

  @Test("the layout keeps the OCI rules")
  func ociRules() async throws {
    try await withStore { store, place in
      let stored = try await store.pack(folder: build(place + "/one", Self.tree), facts: facts("a"))
      let root = place + "/store"
      #expect(try json(root + "/oci-layout")["imageLayoutVersion"] as? String == "1.0.0")
      let index = try json(root + "/index.json")
      #expect(index["schemaVersion"] as? Int == 2)
      let listed = try #require(index["manifests"] as? [[String: Any]])
      #expect(listed.count == 2)
      for descriptor in listed {
        #expect(descriptor["mediaType"] as? String == "application/vnd.oci.image.manifest.v1+json")
        try expectBlob(descriptor, root)
      }
      let names = listed.compactMap { ($0["annotations"] as? [String: String])?["org.opencontainers.image.ref.name"] }
      #expect(names == ["harbor-\(commit("a"))"])
      #expect(listed[0]["digest"] as? String == stored.digest.rawValue)

      let manifest = try document(stored.digest, place)
      #expect(manifest["schemaVersion"] as? Int == 2)
      let config = try #require(manifest["config"] as? [String: Any])
      try expectBlob(config, root)
      let layers = try #require(manifest["layers"] as? [[String: Any]])
      #expect(layers.count == 1)
      #expect(layers[0]["mediaType"] as? String == "application/vnd.oci.image.layer.v1.tar")
      try expectBlob(layers[0], root)
      let configText = try json("\(root)/blobs/sha256/\((config["digest"] as? String ?? "").dropFirst(7))")
      #expect((configText["rootfs"] as? [String: Any])?["diff_ids"] as? [String] == [layerDigest(manifest)])
      #expect(configText["os"] as? String == "linux")

      let referrer = try document(stored.provenance, place)
      #expect((referrer["subject"] as? [String: Any])?["digest"] as? String == stored.digest.rawValue)
      #expect(referrer["artifactType"] as? String == "application/vnd.in-toto+json")
      let empty = try #require(referrer["config"] as? [String: Any])
      #expect(empty["mediaType"] as? String == "application/vnd.oci.empty.v1+json")
      #expect(empty["digest"] as? String == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
      try expectBlob(empty, root)
    }
  }

  @Test("the provenance is an in-toto statement with SLSA's predicate in a DSSE envelope")
  func statement() async throws {
    try await withStore { store, place in
      let stored = try await store.pack(
        folder: build(place + "/one", Self.tree), facts: facts("a", at: 1_700_000_000_500))
      let envelope = try json(
        "\(place)/store/blobs/sha256/\(layerDigest(try document(stored.provenance, place)).dropFirst(7))")
      #expect(envelope["payloadType"] as? String == "application/vnd.in-toto+json")
      let payload = try #require(Data(base64Encoded: envelope["payload"] as? String ?? ""))
      let statement = try #require(try JSONSerialization.jsonObject(with: payload) as? [String: Any])
      #expect(statement["_type"] as? String == "https://in-toto.io/Statement/v1")
      #expect(statement["predicateType"] as? String == "https://slsa.dev/provenance/v1")
      let predicate = try #require(statement["predicate"] as? [String: Any])
      let definition = try #require(predicate["buildDefinition"] as? [String: Any])
      #expect(
        definition["externalParameters"] as? [String: String] == [
          "repository": "harbor-git", "commit": commit("a").rawValue, "command": "make",
        ])
      let metadata = (predicate["runDetails"] as? [String: Any])?["metadata"] as? [String: String]
      #expect(metadata?["startedOn"] == "2023-11-14T22:13:20.500Z")
    }
  }

  @Test("the system's tar reads the layer, with modes, links and long names")
  func systemTar() async throws {
    try await withStore { store, place in
      let long = String(repeating: "deep/", count: 30) + "fïle"
      let stored = try await store.pack(
        folder: build(place + "/one", Self.tree + [.file(long, "x")]), facts: facts("a"))
      let layer = "\(place)/store/blobs/sha256/\(layerDigest(try document(stored.digest, place)).dropFirst(7))"
      let done = try await ProcessExecution(
        "tar", environment: [.init(name: "PATH", value: standardSearchPath), .init(name: "LC_ALL", value: "C.UTF-8")]
      )
      .run(["--list", "--verbose", "--numeric-owner", "--utc", "--file", layer], timeLimit: .seconds(30))
      #expect(done.code == 0)
      #expect(done.errorOutput.isEmpty)
      #expect(done.text.contains("-rwxr-xr-x 0/0"))
      #expect(done.text.contains("1970-01-01 00:00 bin/serve"))
      #expect(done.text.contains("link -> bin/serve"))
      #expect(done.text.contains("deep/deep/deep/"))
    }
  }

  @Test("the signing key is its owner's alone, and another mode is refused")
  func key() async throws {
    try await withStore { _, place in
      #expect(mode(place + "/keys/provenance.ed25519") == 0o600)
      chmod(place + "/keys/provenance.ed25519", 0o644)
      let outage = #expect(throws: Outage.self) { try open(place) }
      #expect(outage?.sentence.contains("chmod 600") == true)
    }
  }

  // MARK: Scenery

  private enum Item {
    case file(String, String), program(String, String), link(String, String), folder(String)
    var path: String {
      switch self {
      case .file(let path, _), .program(let path, _), .link(let path, _), .folder(let path): path
      }
    }
  }
  private static let tree: [Item] = [
    .program("bin/serve", "#!/bin/sh\n"), .file("lib/z", "zed"), .file("lib-a", "a"), .file("lib/ä", "uml"),
    .link("link", "bin/serve"), .folder("empty"),
  ]
  private static let knownDigest = "sha256:1b165a1c894e0f1703249d05695eaba0c24ae08e09c32d6144870bb9a21adfb8"
  private static let harbor = ServiceName(rawValue: "harbor")!

  private func build(_ folder: String, _ items: [Item], at seconds: Double = 1_600_000_000, umask: mode_t = 0) throws
    -> String
  {
    let files = FileManager.default
    for item in items {
      let full = "\(folder)/\(item.path)"
      try files.createDirectory(atPath: (full as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      switch item {
      case .file(_, let text):
        try text.write(toFile: full, atomically: false, encoding: .utf8)
        chmod(full, 0o666 & ~umask)
      case .program(_, let text):
        try text.write(toFile: full, atomically: false, encoding: .utf8)
        chmod(full, 0o777 & ~umask)
      case .link(_, let target): try files.createSymbolicLink(atPath: full, withDestinationPath: target)
      case .folder: try files.createDirectory(atPath: full, withIntermediateDirectories: true)
      }
      if case .link = item { continue }
      try files.setAttributes([.modificationDate: Date(timeIntervalSince1970: seconds)], ofItemAtPath: full)
    }
    return folder
  }

  private func withStore(_ body: (OCIArtifactStore, String) async throws -> Void) async throws {
    let place = NSTemporaryDirectory() + "plimsoll-oci-\(UUID().uuidString)"
    defer {
      _ = try? Process.run(
        URL(fileURLWithPath: "/bin/sh"), arguments: ["-c", "chmod -R u+w '\(place)'; rm -rf '\(place)'"]
      ).waitUntilExit()
    }
    try await body(try open(place), place)
  }
  private func open(_ place: String) throws -> OCIArtifactStore {
    try OCIArtifactStore(folder: place + "/store", keys: place + "/keys")
  }
  private func commit(_ letter: String) -> CommitID { CommitID(rawValue: String(repeating: letter, count: 40))! }
  private func facts(_ letter: String, at milliseconds: Int64 = 1_700_000_000_000) -> BuildFacts {
    BuildFacts(
      service: Self.harbor, repository: RepositoryName(rawValue: "harbor-git")!, commit: commit(letter),
      command: "make",
      startedAt: Instant(milliseconds: milliseconds), endedAt: Instant(milliseconds: milliseconds + 5000))
  }
  private func mode(_ path: String) -> mode_t {
    var facts = stat()
    return lstat(path, &facts) == 0 ? facts.st_mode & 0o7777 : 0
  }
  private func json(_ path: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any])
  }
  private func document(_ digest: Digest, _ place: String) throws -> [String: Any] {
    try json("\(place)/store/blobs/sha256/\(digest.hex)")
  }
  private func layerDigest(_ manifest: [String: Any]) -> String {
    ((manifest["layers"] as? [[String: Any]])?.first?["digest"] as? String) ?? ""
  }
  private func expectBlob(_ descriptor: [String: Any], _ root: String) throws {
    let digest = try #require(Digest(rawValue: descriptor["digest"] as? String ?? ""))
    let data = try Data(contentsOf: URL(fileURLWithPath: "\(root)/blobs/sha256/\(digest.hex)"))
    #expect(descriptor["size"] as? Int == data.count)
  }
  private func flip(_ path: String) throws {
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }
}
