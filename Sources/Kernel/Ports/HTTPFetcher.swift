/// One HTTP request to a peer that answers evidence: an instance's metrics page, a Prometheus server.
package struct HTTPFetch: Equatable, Sendable {
  package enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
  }
  package let method: Method
  package let url: String
  package let headers: [Header]
  package let body: [UInt8]
  /// From the call to the last byte of the answer.
  package let timeLimit: Span
  /// Bytes of the answer's body.
  package let answerLimit: Int

  package struct Header: Equatable, Sendable {
    package let name: String
    package let value: String
    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  package init(
    _ method: Method, _ url: String, headers: [Header] = [], body: [UInt8] = [], timeLimit: Span, answerLimit: Int
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeLimit = timeLimit
    self.answerLimit = answerLimit
  }
}

/// A whole answer, whatever its status.
package struct HTTPAnswer: Equatable, Sendable {
  package let status: Int
  package let contentType: String?
  package let body: [UInt8]
  package init(status: Int, contentType: String?, body: [UInt8]) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }
}

/// Asks over HTTP and reads the whole answer; implemented with a real client in the executable. Kind: *by lookup*:
/// nothing changes in the peer, so a second call is harmless.
package protocol HTTPFetcher: Sendable {
  /// - Throws: `Outage` when there was no whole answer within the limits: refused, too slow, cut short, too large. An
  ///   answer with an error's status is an answer.
  func fetch(_ request: HTTPFetch) async throws(Outage) -> HTTPAnswer
}
