import Foundation
import Kernel

/// A signed statement of which source and command made a digest: an in-toto Statement v1 with the SLSA provenance v1
/// predicate, in a DSSE envelope signed with Ed25519.
///
/// Sources: in-toto/attestation `spec/v1`, slsa-framework `build-provenance`, secure-systems-lab/dsse `protocol.md`.
struct Provenance: Sendable {
  static let payloadType = "application/vnd.in-toto+json"
  static let statementType = "https://in-toto.io/Statement/v1"
  static let predicateType = "https://slsa.dev/provenance/v1"
  static let envelopeType = "application/vnd.dsse.envelope.v1+json"
  /// A command run by `/bin/sh -c` in a clean checkout of the commit; its parameters are exactly `Parameters`.
  static let buildType = "plimsoll:build/command/v1"

  struct Statement: Codable, Equatable {
    struct Subject: Codable, Equatable {
      var name: String
      var digest: [String: String]
    }
    struct Predicate: Codable, Equatable {
      var buildDefinition: BuildDefinition
      var runDetails: RunDetails
    }
    struct BuildDefinition: Codable, Equatable {
      var buildType: String
      var externalParameters: [String: String]
      var internalParameters: [String: String]
      var resolvedDependencies: [Dependency]
    }
    struct Dependency: Codable, Equatable {
      var name: String
      var digest: [String: String]
    }
    struct RunDetails: Codable, Equatable {
      struct Builder: Codable, Equatable { var id: String }
      struct Metadata: Codable, Equatable {
        var invocationId: String
        var startedOn: String
        var finishedOn: String
      }
      var builder: Builder
      var metadata: Metadata
    }
    var _type: String
    var subject: [Subject]
    var predicateType: String
    var predicate: Predicate

    init(of digest: Digest, _ facts: BuildFacts, builder: String) {
      _type = Provenance.statementType
      subject = [.init(name: facts.service.rawValue, digest: ["sha256": digest.hex])]
      predicateType = Provenance.predicateType
      predicate = Predicate(
        buildDefinition: .init(
          buildType: Provenance.buildType,
          externalParameters: [
            "repository": facts.repository.rawValue, "commit": facts.commit.rawValue, "command": facts.command,
          ],
          internalParameters: [:],
          resolvedDependencies: [
            .init(name: facts.repository.rawValue, digest: ["gitCommit": facts.commit.rawValue])
          ]),
        runDetails: .init(
          builder: .init(id: builder),
          metadata: .init(
            invocationId: "\(facts.service)/\(facts.commit)", startedOn: timestamp(facts.startedAt),
            finishedOn: timestamp(facts.endedAt))))
    }
  }

  struct Envelope: Codable, Equatable {
    struct Signature: Codable, Equatable {
      var keyid: String
      var sig: String
    }
    var payload: String
    var payloadType: String
    var signatures: [Signature]
  }

  let key: SigningKey
  let builder: String

  func envelope(for payload: [UInt8]) throws(Outage) -> Envelope {
    let signature = try key.sign(Self.preAuthentication(of: payload))
    return Envelope(
      payload: Data(payload).base64EncodedString(), payloadType: Self.payloadType,
      signatures: [.init(keyid: key.id, sig: Data(signature).base64EncodedString())])
  }

  /// Why the envelope does not prove that `builder` built `commit` of `service` into `digest`; nil when it does.
  ///
  /// The signature is checked over the payload's bytes before they are parsed (DSSE, "Protocol"). Unknown external
  /// parameters are refused (SLSA, "Verifying artifacts").
  func fault(in envelope: [UInt8], digest: Digest, service: ServiceName, commit: CommitID) -> String? {
    guard let parsed = try? JSONDecoder().decode(Envelope.self, from: Data(envelope)),
      parsed.payloadType == Self.payloadType, let payload = Data(base64Encoded: parsed.payload)
    else { return "its provenance is no DSSE envelope of an in-toto statement" }
    let signatures = parsed.signatures.filter { $0.keyid == key.id }
    guard !parsed.signatures.isEmpty else { return "its provenance is not signed" }
    guard !signatures.isEmpty else { return "its provenance is signed by an unknown key" }
    let signed = Self.preAuthentication(of: [UInt8](payload))
    let isGenuine = signatures.contains { signature in
      Data(base64Encoded: signature.sig).map { key.isValid([UInt8]($0), for: signed) } ?? false
    }
    guard isGenuine else { return "the signature of its provenance is wrong" }
    guard let statement = try? JSONDecoder().decode(Statement.self, from: payload),
      statement._type == Self.statementType, statement.predicateType == Self.predicateType
    else { return "its provenance is no SLSA provenance v1 statement" }
    guard statement.subject == [.init(name: service.rawValue, digest: ["sha256": digest.hex])] else {
      return "its provenance is about another digest or service"
    }
    let definition = statement.predicate.buildDefinition
    guard definition.buildType == Self.buildType else {
      return "its provenance names the unknown build type '\(definition.buildType)'"
    }
    guard Set(definition.externalParameters.keys) == ["repository", "commit", "command"],
      definition.internalParameters.isEmpty
    else { return "its provenance has build parameters that are not known" }
    guard definition.externalParameters["commit"] == commit.rawValue,
      definition.resolvedDependencies.map(\.digest) == [["gitCommit": commit.rawValue]]
    else { return "its provenance is about another commit" }
    guard statement.predicate.runDetails.builder.id == builder else {
      return "its provenance names the unknown builder '\(statement.predicate.runDetails.builder.id)'"
    }
    return nil
  }

  /// What is signed (DSSE, "Signature Definition"): `DSSEv1 <length> <type> <length> <payload>`.
  static func preAuthentication(of payload: [UInt8]) -> [UInt8] {
    Array("DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) ".utf8) + payload
  }
}

/// RFC 3339 in UTC with milliseconds.
private func timestamp(_ instant: Instant) -> String {
  Date(timeIntervalSince1970: instant.milliseconds.seconds)
    .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

extension Int64 {
  fileprivate var seconds: Double { Double(self) / 1000 }
}
