import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore

/// `HTTPFetcher` on async-http-client.
struct AsyncHTTPFetcher: HTTPFetcher {
  func fetch(_ request: HTTPFetch) async throws(Outage) -> HTTPAnswer {
    do {
      // The client's own deadline ends with the answer's head, and a body can be slow for ever.
      return try await withThrowingTaskGroup(of: HTTPAnswer?.self) { group in
        group.addTask { try await exchange(request) }
        group.addTask {
          try await Task.sleep(for: .milliseconds(request.timeLimit.milliseconds))
          return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let answer = first else {
          throw outage(request, "gave no whole answer within \(request.timeLimit.seconds) s")
        }
        return answer
      }
    } catch let outage as Outage {
      throw outage
    } catch is CancellationError {
      throw outage(request, "was not asked to the end: the asking was cancelled")
    } catch is NIOTooManyBytesError {
      throw outage(request, "answers more than \(request.answerLimit) bytes")
    } catch let error as HTTPClientError where error == .deadlineExceeded {
      throw outage(request, "gave no whole answer within \(request.timeLimit.seconds) s")
    } catch {
      throw Outage(
        "http", "\(request.url) gives no whole answer; see that it runs and can be reached", sources: ["\(error)"])
    }
  }

  private func exchange(_ request: HTTPFetch) async throws -> HTTPAnswer {
    var asked = HTTPClientRequest(url: request.url)
    asked.method = .init(rawValue: request.method.rawValue)
    for header in request.headers { asked.headers.add(name: header.name, value: header.value) }
    if request.method == .post { asked.body = .bytes(request.body) }
    let response = try await HTTPClient.shared.execute(
      asked, timeout: .milliseconds(request.timeLimit.milliseconds))
    let body = try await response.body.collect(upTo: request.answerLimit)
    return HTTPAnswer(
      status: Int(response.status.code), contentType: response.headers.first(name: "content-type"),
      body: Array(body.readableBytesView))
  }

  private func outage(_ request: HTTPFetch, _ words: String) -> Outage {
    Outage("http", "\(request.url) \(words); see that it runs and can be reached")
  }
}
