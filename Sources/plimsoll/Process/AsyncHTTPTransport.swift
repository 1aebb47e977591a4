import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore

/// `HTTPTransport` on async-http-client.
struct AsyncHTTPTransport: HTTPTransport {
  /// Only the beginning of an answer is of use in an error.
  static let answerLimit = 65_536

  func post(
    _ url: String, headers: [(name: String, value: String)], body: [UInt8], timeLimit: Span
  ) async throws(Outage) -> (status: Int, body: [UInt8]) {
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    for header in headers { request.headers.add(name: header.name, value: header.value) }
    request.body = .bytes(body)
    do {
      let response = try await HTTPClient.shared.execute(request, timeout: .milliseconds(timeLimit.milliseconds))
      let answer = try await response.body.collect(upTo: Self.answerLimit)
      return (Int(response.status.code), Array(answer.readableBytesView))
    } catch {
      throw Outage("webhook", "the receiver does not answer", sources: ["\(error)"])
    }
  }
}
