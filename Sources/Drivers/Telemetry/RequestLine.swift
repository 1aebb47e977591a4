import Kernel

/// One request as HAProxy logged it when it ended (`HAProxyConfiguration.logFormat`).
struct RequestLine: Equatable {
  let service: ServiceName
  /// The server's name; `<NOSRV>` for a request that got none.
  let server: String
  /// Nil when no server of ours had it: such a request is nobody's evidence.
  let deployment: DeploymentID?
  /// Wall clock, ms since 1970: when the request went to its server, and when its last byte was sent.
  let startedMs: Int64
  let endedMs: Int64
  /// What the server's side took, ms: from the request received whole to the response sent. The client's sending is
  /// left out, so that a slow client is no slow release.
  let durationMs: Int64
  let isError: Bool
  /// The client's address.
  let client: String
  /// What the service says of the request's flags; nil where it says nothing.
  let flags: FlagHeaders?

  /// Nil for lines that are not about a request.
  init?(_ bytes: some Collection<UInt8>) {
    let text = String(decoding: bytes, as: UTF8.self)
    let words = text.split(maxSplits: 15, whereSeparator: { $0 == " " || $0 == "\n" })
    guard words.count >= 13, words[0] == HAProxyConfiguration.logMark, let accepted = Int64(words[1]),
      let total = Int64(words[2]), let active = Int64(words[3]), let receiving = Int64(words[4]),
      let queued = Int64(words[5]), let status = Int(words[6]),
      let service = HAProxyFolder.service(ofBackend: words[7]), let cause = words[9].first
    else { return nil }
    self.service = service
    server = String(words[8])
    deployment = HAProxyFolder.deployment(ofServer: words[8])
    endedMs = accepted + total
    client = String(words[11])
    flags = FlagHeaders(flags: words[12], unit: words.count > 13 ? words[13] : "-")
    // -1 stands for a part that was never reached.
    let received = max(0, receiving)
    startedMs = endedMs - active + received + max(0, queued)
    durationMs = max(0, active - received)
    isError = Self.isServerError(status: status, cause: cause)
  }

  /// What it tells of flags.
  var flagged: FlaggedRequest? {
    flags.map {
      FlaggedRequest(
        service: service, variants: $0.variants, unit: $0.unit, isError: isError,
        duration: Span(milliseconds: durationMs), endedAt: Instant(milliseconds: endedMs))
    }
  }

  /// 5xx, or a session that the server's side broke off. Termination codes of the configuration manual §8.5: `S` and
  /// `s` are the server's abort and time-out; `D` and `K` are kills of a server by HAProxy. `C` and `c` are the
  /// client's and no error; `P`, `R`, `I`, `L` count by their status, because HAProxy answers a server's broken
  /// response with 502.
  static func isServerError(status: Int, cause: Character) -> Bool {
    if (500...599).contains(status) { return cause != "C" && cause != "c" }
    return "SsDK".contains(cause)
  }
}
