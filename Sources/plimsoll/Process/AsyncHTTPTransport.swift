import Kernel

/// `HTTPTransport` on async-http-client.
struct AsyncHTTPTransport: HTTPTransport {
  /// Only the beginning of an answer is of use in an error.
  static let answerLimit = 65_536

  func post(
    _ url: String, headers: [(name: String, value: String)], body: [UInt8], timeLimit: Span
  ) async throws(Outage) -> (status: Int, body: [UInt8]) {
    let request = HTTPFetch(
      .post, url, headers: headers.map { HTTPFetch.Header($0.name, $0.value) }, body: body, timeLimit: timeLimit,
      answerLimit: Self.answerLimit)
    do throws(Outage) {
      let answer = try await AsyncHTTPFetcher().fetch(request)
      return (answer.status, answer.body)
    } catch {
      // A webhook's address is a secret, so what names it stays out.
      throw Outage("webhook", "the receiver gave no whole answer within \(timeLimit.seconds) s", sources: error.sources)
    }
  }
}
