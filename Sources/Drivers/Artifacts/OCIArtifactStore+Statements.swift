import Foundation
import Kernel

extension OCIArtifactStore {
  /// The in-toto statements about a digest as one JSON value each, newest tag last, envelopes verified by hash; for
  /// people to read, not for a gate. Empty when there is none.
  ///
  /// One digest has several statements when several commits built to the same bytes.
  package func statements(about digest: Digest) async throws(Outage) -> [[UInt8]] {
    var found: [[UInt8]] = []
    for entry in try layout.index().manifests where entry.annotations?[Self.tagAnnotation] != nil {
      guard let referrer = Digest(rawValue: entry.digest) else { continue }
      let manifest = try layout.manifest(referrer)
      guard manifest.subject?.digest == digest.rawValue, let layer = manifest.layers.first,
        let envelope = Digest(rawValue: layer.digest)
      else { continue }
      let bytes = try layout.document(envelope)
      guard let parsed = try? JSONDecoder().decode(Provenance.Envelope.self, from: Data(bytes)),
        let payload = Data(base64Encoded: parsed.payload)
      else { throw Outage("artifacts", "the provenance of \(digest.short) is no DSSE envelope; build it again") }
      found.append([UInt8](payload))
    }
    return found
  }
}
