import Kernel

/// Configuration and manifest of an artifact. Written by hand, since their hash is the identity: it must not depend on
/// how a version of a JSON library spaces or orders.
struct ArtifactDocuments {
  let config: [UInt8]
  let manifest: [UInt8]

  init(layer: Digest, bytes: Int64) {
    let text =
      #"{"architecture":"\#(architecture)","os":"linux","config":{},"#
      + #""rootfs":{"type":"layers","diff_ids":["\#(layer)"]}}"#
    config = Array(text.utf8)
    let whole =
      #"{"schemaVersion":2,"mediaType":"\#(OCILayout.manifestType)","#
      + #""config":{"mediaType":"\#(OCILayout.configType)","digest":"\#(sha256(config))","size":\#(config.count)},"#
      + #""layers":[{"mediaType":"\#(OCILayout.layerType)","digest":"\#(layer)","size":\#(bytes)}]}"#
    manifest = Array(whole.utf8)
  }
}

/// The machine's architecture in the words of OCI (Go's GOARCH).
#if arch(x86_64)
  private let architecture = "amd64"
#elseif arch(arm64)
  private let architecture = "arm64"
#else
  private let architecture = "unknown"
#endif
