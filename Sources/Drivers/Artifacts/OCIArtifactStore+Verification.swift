import Kernel

/// Verification: every byte by hash, then who built it from what.
///
/// What is absent or damaged is a rejection, not an outage, so that a gate fails closed.
extension OCIArtifactStore {
  func verifyNow(_ digest: Digest, service: ServiceName, commit: CommitID) throws -> ProvenanceFinding {
    let index = try layout.index()
    func rejected(_ reason: String) -> ProvenanceFinding {
      .rejected(reason: "Artifact \(digest.short) of \(service) at \(commit.short): \(reason).")
    }
    let tag = tag(service, commit)
    guard
      index.manifests.contains(where: {
        $0.annotations?[OCILayout.nameAnnotation] == tag && $0.digest == digest.rawValue
      })
    else { return rejected("no artifact of this digest was built from the commit") }
    do throws(Outage) {
      let manifest = try layout.manifest(digest)
      for part in [manifest.config] + manifest.layers {
        guard let digest = Digest(rawValue: part.digest) else {
          return rejected("its manifest names an illegal digest")
        }
        try layout.check(digest)
      }
    } catch {
      return rejected("it is not whole: \(error.sentence)")
    }
    let (_, fault) = judge(digest, service, commit, in: index)
    return fault.map(rejected) ?? .verified(builder: provenance.builder)
  }

  /// The referrer of a tag and what is wrong with it; (nil, why) when there is none.
  func judge(_ digest: Digest, _ service: ServiceName, _ commit: CommitID, in index: OCILayout.Index)
    -> (Digest?, String?)
  {
    let attached = index.manifests.first { $0.annotations?[Self.tagAnnotation] == tag(service, commit) }
    guard let referrer = attached.flatMap({ Digest(rawValue: $0.digest) }) else { return (nil, "it has no provenance") }
    do throws(Outage) {
      let manifest = try layout.manifest(referrer)
      guard manifest.subject?.digest == digest.rawValue else {
        return (referrer, "its provenance is attached to another digest")
      }
      guard manifest.layers.count == 1, manifest.layers[0].mediaType == Provenance.envelopeType,
        let envelope = Digest(rawValue: manifest.layers[0].digest)
      else { return (referrer, "its provenance is no DSSE envelope") }
      let bytes = try layout.document(envelope)
      return (referrer, provenance.fault(in: bytes, digest: digest, service: service, commit: commit))
    } catch {
      return (referrer, "its provenance is not whole: \(error.sentence)")
    }
  }
}
