import API
import HTTPTypes
import Hummingbird
import Logging

/// Answers every error, sets the headers that keep a browser safe, and counts what is under way.
struct Manners<Context: RequestContext>: RouterMiddleware {
  let traffic: Traffic
  let pages: Pages
  let logger: Logger

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    guard traffic.enter() else {
      return dressed(
        try Answer.json(
          Failure(kind: "unavailable", sentence: "Plimsoll is stopping: ask again in a moment."), .serviceUnavailable))
    }
    var response: Response
    do {
      response = try await next(request, context)
    } catch {
      let (status, failure) = Answer.failure(for: error)
      if status == .internalServerError {
        logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
      }
      response =
        request.uri.path.hasPrefix("/v1")
        ? try Answer.json(failure, status) : pages.failure(failure, status: status)
      if status == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
    }
    let body = response.body
    let traffic = traffic
    response.body = ResponseBody(contentLength: body.contentLength) { writer in
      defer { traffic.leave() }
      try await body.write(writer)
    }
    return dressed(response)
  }

  private func dressed(_ response: Response) -> Response {
    var response = response
    let policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    if response.headers[.contentSecurityPolicy] == nil { response.headers[.contentSecurityPolicy] = policy }
    response.headers[.xContentTypeOptions] = "nosniff"
    if let name = HTTPField.Name("Referrer-Policy") { response.headers[name] = "same-origin" }
    if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
    return response
  }
}

/// A page of another site can point its own name at loopback and read what is served there (DNS rebinding). A server
/// on loopback therefore answers only to loopback's own names; one that listens to the world is the operator's to guard.
struct HostGuard<Context: RequestContext>: RouterMiddleware {
  let isOnLoopback: Bool

  static var loopbackNames: [String] { ["127.0.0.1", "localhost", "[::1]"] }

  init(host: String) { isOnLoopback = ["127.0.0.1", "localhost", "::1"].contains(host) }

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    if isOnLoopback, let asked = request.head.authority, !Self.isLoopback(asked) {
      throw Refused(
        status: .forbidden, kind: "forbidden",
        sentence: "This server is for this machine: ask for 127.0.0.1 or localhost, not for '\(Lookup.shown(asked))'.")
    }
    return try await next(request, context)
  }

  static func isLoopback(_ authority: String) -> Bool {
    loopbackNames.contains { name in
      authority == name
        || authority.hasPrefix("\(name):") && authority.dropFirst(name.count + 1).allSatisfy(\.isNumber)
    }
  }
}

/// Nothing changes without the token.
struct TokenGuard<Context: RequestContext>: RouterMiddleware {
  let token: String

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    guard request.method != .get, request.method != .head else { return try await next(request, context) }
    let prefix = "bearer "
    guard let header = request.headers[.authorization], header.lowercased().hasPrefix(prefix),
      Self.areEqual(Array(header.utf8.dropFirst(prefix.utf8.count)), Array(token.utf8))
    else {
      throw Refused(
        status: .unauthorized, kind: "unauthorized",
        sentence: "This call needs the server's token: send Authorization: Bearer TOKEN, from the token file in the "
          + "data folder.")
    }
    return try await next(request, context)
  }

  /// Takes as long whichever byte differs, so that the token cannot be guessed byte by byte. An empty token matches
  /// nothing.
  static func areEqual(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
    guard !expected.isEmpty else { return false }
    var difference = UInt8(given.count == expected.count ? 0 : 1)
    for index in expected.indices { difference |= expected[index] ^ (index < given.count ? given[index] : 0xff) }
    return difference == 0
  }
}
