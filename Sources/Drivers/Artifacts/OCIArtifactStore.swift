import Foundation
import Kernel

import struct Crypto.SHA256

/// Artifacts as an OCI image layout: a manifest with one uncompressed layer, and beside it, as referrer, who built it.
///
/// The manifest says nothing of service, commit or time: equal trees have the equal digest, and a release folder's
/// digest can be computed from its files alone. `<service>-<commit>` is its tag in `index.json`.
///
/// - `OCIArtifactStore.swift`: the port, packing
/// - `OCIArtifactStore+Verification.swift`: is it whole, and who built it; `OCIArtifactStore+Releases.swift`: folders
/// - `OCILayout.swift`: blobs and index; `ReleaseTree`, `LayerWriter`, `LayerReader`: the layer; `Provenance.swift`
package final class OCIArtifactStore: ArtifactStore {
  let layout: OCILayout
  let provenance: Provenance
  /// Packing and unpacking, one at a time: it is what makes read-and-replace of the index safe.
  private let writing = DispatchQueue(label: "plimsoll.artifacts.writing")
  /// Hashing, side by side with it: a rollback's check never waits behind a build being packed.
  private let reading = DispatchQueue(label: "plimsoll.artifacts.reading", attributes: .concurrent)

  /// The annotation that ties a provenance referrer to the tag it is about.
  static let tagAnnotation = "plimsoll.provenance.of"

  /// - Parameters:
  ///   - folder: the image layout; made when absent. One process at a time may write it.
  ///   - keys: the folder of the signing key, made at the first start with mode 0600.
  ///   - builder: the builder's id in provenance, a URI; other builders are not believed.
  /// - Throws: `Outage` when a folder cannot be made or the key cannot be used.
  package init(folder: String, keys: String, builder: String = "plimsoll:builder/local") throws(Outage) {
    layout = try OCILayout(folder: folder)
    provenance = Provenance(key: try SigningKey(folder: keys), builder: builder)
  }

  package func pack(folder: String, facts: BuildFacts) async throws -> StoredArtifact {
    try await on(writing) { try self.packNow(folder: folder, facts: facts) }
  }

  package func verify(_ digest: Digest, service: ServiceName, commit: CommitID) async throws(Outage)
    -> ProvenanceFinding
  {
    do {
      return try await on(reading) { try self.verifyNow(digest, service: service, commit: commit) }
    } catch { throw outage(error) }
  }

  package func unpack(_ digest: Digest, into folder: String) async throws(Outage) {
    do { try await on(writing) { try self.unpackNow(digest, into: folder) } } catch { throw outage(error) }
  }

  package func digest(ofReleaseFolder folder: String) async throws(Outage) -> Digest {
    do { return try await on(reading) { try self.digestNow(of: folder) } } catch { throw outage(error) }
  }

  /// Disk work off the threads that run tasks.
  private func on<Value: Sendable>(_ queue: DispatchQueue, _ body: @escaping @Sendable () throws -> Value) async throws
    -> Value
  {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result(catching: body)) }
    }
  }

  private func outage(_ error: any Error) -> Outage {
    switch error {
    case let outage as Outage: outage
    case let refusal as Refusal: Outage("artifacts", refusal.sentence)
    default: Outage("artifacts", "an artifact could not be handled", sources: ["\(error)"])
    }
  }

  // MARK: Packing

  private func packNow(folder: String, facts: BuildFacts) throws -> StoredArtifact {
    var kind = stat()
    guard stat(folder, &kind) == 0, kind.st_mode & S_IFMT == S_IFDIR else {
      throw Refusal(
        .malformed,
        "The build of \(facts.service) at \(facts.commit.short) made no folder \(folder); make its command "
          + "write there, or correct the output folder in plimsoll.yaml.")
    }
    let tree = try ReleaseTree(of: folder)
    guard tree.files > 0 else {
      throw Refusal(
        .malformed,
        "The build of \(facts.service) at \(facts.commit.short) wrote nothing into \(folder); make its "
          + "command write there, or correct the output folder in plimsoll.yaml.")
    }
    let layer = try writeLayer(tree)
    do {
      let stored = try store(tree, layer, facts)
      layout.discard(layer.partial)
      return stored
    } catch {
      layout.discard(layer.partial)
      throw error
    }
  }

  private struct Layer {
    let partial: String
    let digest: Digest
    let bytes: Int64
  }

  private func writeLayer(_ tree: ReleaseTree) throws -> Layer {
    let partial = layout.partial()
    var hasher = SHA256()
    var bytes: Int64 = 0
    do {
      let file = try DurableFile(partial, mode: 0o644)
      try LayerWriter.write(tree) { piece in
        hasher.update(bufferPointer: piece)
        bytes += Int64(piece.count)
        try file.write(piece)
      }
      try file.finish()
    } catch {
      layout.discard(partial)
      throw error
    }
    return Layer(partial: partial, digest: Drivers.digest(hasher.finalize()), bytes: bytes)
  }

  private func store(_ tree: ReleaseTree, _ layer: Layer, _ facts: BuildFacts) throws -> StoredArtifact {
    let documents = ArtifactDocuments(layer: layer.digest, bytes: layer.bytes)
    let digest = sha256(documents.manifest)
    var index = try layout.index()
    let tag = tag(facts.service, facts.commit)
    let known = index.manifests.first { $0.annotations?[OCILayout.nameAnnotation] == tag }.flatMap {
      Digest(rawValue: $0.digest)
    }
    if let known, known != digest {
      let difference = (try? firstDifference(known, layer.partial)) ?? "a file that can no longer be read"
      throw Refusal(
        .notNow,
        "The build of \(facts.service) at \(facts.commit.short) is not reproducible: it gave \(known.rawValue) "
          + "before and \(digest.rawValue) now, first differing in "
          + "\(difference); make the build's output depend on the commit only.")
    }
    // Blobs first, the index last: a crash between leaves blobs that nothing names, never a name without its blob.
    try layout.put(documents.config)
    try layout.adopt(layer.partial, as: layer.digest)
    try layout.put(documents.manifest)
    let subject = OCILayout.Descriptor(
      mediaType: OCILayout.manifestType, digest: digest.rawValue, size: Int64(documents.manifest.count))

    var proven: Digest?
    if known != nil, case (let existing?, nil) = judge(digest, facts.service, facts.commit, in: index) {
      proven = existing
    }
    if proven == nil {
      let referrer = try sign(subject, digest, facts)
      proven = Digest(rawValue: referrer.digest)
      index.manifests.removeAll {
        $0.annotations?[OCILayout.nameAnnotation] == tag || $0.annotations?[Self.tagAnnotation] == tag
      }
      var tagged = subject
      tagged.annotations = [OCILayout.nameAnnotation: tag]
      var attached = referrer
      attached.annotations = [Self.tagAnnotation: tag]
      index.manifests += [tagged, attached]
      try layout.save(index)
    }
    guard let proven else { throw Outage("artifacts", "the provenance of \(tag) has no digest") }
    return StoredArtifact(digest: digest, provenance: proven, files: tree.files, bytes: tree.bytes)
  }

  /// Signs provenance and stores it as a referrer manifest (image-spec v1.1, "Guidelines for Artifact Usage").
  private func sign(_ subject: OCILayout.Descriptor, _ digest: Digest, _ facts: BuildFacts) throws
    -> OCILayout.Descriptor
  {
    let statement = Provenance.Statement(of: digest, facts, builder: provenance.builder)
    let envelope = try layout.encoded(try provenance.envelope(for: try layout.encoded(statement)))
    let empty = Array("{}".utf8)
    let manifest = OCILayout.Manifest(
      schemaVersion: 2, mediaType: OCILayout.manifestType, artifactType: Provenance.payloadType,
      config: .init(
        mediaType: "application/vnd.oci.empty.v1+json", digest: try layout.put(empty).rawValue, size: 2, data: "e30="),
      layers: [
        .init(
          mediaType: Provenance.envelopeType, digest: try layout.put(envelope).rawValue, size: Int64(envelope.count),
          annotations: ["in-toto.io/predicate-type": Provenance.predicateType])
      ],
      subject: subject)
    let bytes = try layout.encoded(manifest)
    return .init(
      mediaType: OCILayout.manifestType, digest: try layout.put(bytes).rawValue, size: Int64(bytes.count),
      artifactType: Provenance.payloadType)
  }

  private func firstDifference(_ known: Digest, _ partial: String) throws -> String {
    guard let first = try layout.manifest(known).layers.first.flatMap({ Digest(rawValue: $0.digest) }) else {
      return "a manifest without a layer"
    }
    let (before, now) = (try LayerReader.contents(layout.path(of: first)), try LayerReader.contents(partial))
    for (old, new) in zip(before, now) where old != new {
      if old.entry.path == new.entry.path { return "'\(old.entry.path)'" }
      let isMissing = old.entry.path.utf8.lexicographicallyPrecedes(new.entry.path.utf8)
      return isMissing ? "'\(old.entry.path)', which is gone" : "'\(new.entry.path)', which is new"
    }
    if let gone = before.dropFirst(now.count).first { return "'\(gone.entry.path)', which is gone" }
    if let new = now.dropFirst(before.count).first { return "'\(new.entry.path)', which is new" }
    return "nothing but the layer's form"
  }

  func tag(_ service: ServiceName, _ commit: CommitID) -> String { "\(service)-\(commit)" }
}
