import API
import ArgumentParser
import AsyncHTTPClient
import Foundation
import Kernel
import NIOCore
import NIOHTTP1
import NIOPosix

/// Where a command finds the server, and whether it answers in JSON.
struct ServerOptions: ParsableArguments {
  @Option(name: .long, help: "The server's data folder (or PLIMSOLL_DATA).", completion: .directory)
  var data: String?

  @Option(name: .long, help: "The server's address, for example http://127.0.0.1:7878 (or PLIMSOLL_SERVER).")
  var server: String?

  @Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  func client() throws -> Client { try Client(server: server, data: data) }

  /// What a request brought about: a sentence per decision, or JSON.
  func show(_ receipt: Receipt) throws {
    if json { return try printJSON(receipt) }
    for sentence in receipt.decided { Terminal.standard.line(sentence) }
  }
}

/// What `serve` leaves in its data folder so that commands find it.
struct ServerAddress: Codable {
  var url: String
  var pid: Int32

  static func read(_ folder: String) -> ServerAddress? {
    guard let data = try? Data(contentsOf: URL(filePath: "\(folder)/server.json")) else { return nil }
    return try? JSONDecoder().decode(ServerAddress.self, from: data)
  }

  func write(_ folder: String) throws {
    try JSONEncoder().encode(self).write(to: URL(filePath: "\(folder)/server.json"), options: .atomic)
  }
}

/// No connection came about, so the server heard nothing and decided nothing.
struct Unreached: Error {
  let outage: Outage
}

/// Speaks `/v1`.
struct Client: Sendable {
  let base: String
  private let source: TokenSource

  private enum TokenSource: Sendable {
    case known(String?)
    /// Read at each call: the server makes it when it first starts.
    case file(String)
  }

  init(base: String, token: String?) {
    self.base = base
    source = .known(token)
  }

  init(base: String, tokenFile: String) {
    self.base = base
    source = .file(tokenFile)
  }

  /// - Parameters:
  ///   - server: its address; nil for what the environment or the data folder says.
  ///   - data: the server's data folder.
  init(server: String?, data: String?) throws(Outage) {
    let environment = ProcessInfo.processInfo.environment
    let folder = data ?? environment["PLIMSOLL_DATA"] ?? ServeCommand.defaultData
    let file = ServerAddress.read(folder)
    guard let base = server ?? environment["PLIMSOLL_SERVER"] ?? file?.url else {
      throw Outage(
        "plimsoll",
        "no server is known in \(folder); start one with 'plimsoll serve', or name it with --server or --data")
    }
    if let token = environment["PLIMSOLL_TOKEN"] {
      self.init(base: base, token: token)
    } else if base == file?.url {
      // The folder's token is for the folder's server: an address from elsewhere needs a token given with it.
      self.init(base: base, tokenFile: "\(folder)/token")
    } else {
      self.init(base: base, token: nil)
    }
  }

  /// The shared client would try for the whole of `timeLimit` to reach a server that refuses connections.
  private static let http: HTTPClient = {
    var configuration = HTTPClient.Configuration.singletonConfiguration
    configuration.connectionPool.retryConnectionEstablishment = false
    return HTTPClient(configuration: configuration)
  }()

  private var token: String? {
    switch source {
    case .known(let token): token
    case .file(let path):
      (try? String(contentsOfFile: path, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }
  }

  /// Generous: a submission fetches from the repository before it answers.
  static let timeLimit: TimeAmount = .seconds(60)
  static let answerLimit = 16 * 1_048_576

  func get<Answer: Decodable>(_ path: String, as: Answer.Type = Answer.self) async throws -> Answer {
    try await call(.GET, path, body: nil)
  }

  func post<Answer: Decodable>(_ path: String, _ body: some Encodable, as: Answer.Type = Answer.self) async throws
    -> Answer
  {
    try await call(.POST, path, body: try JSONEncoder().encode(body))
  }

  /// - Parameter type: of the body, as `Content-Type` names it.
  func send<Answer: Decodable>(_ path: String, _ body: Data, type: String, as: Answer.Type = Answer.self) async throws
    -> Answer
  {
    try await call(.POST, path, body: body, type: type)
  }

  func delete<Answer: Decodable>(_ path: String, _ body: some Encodable, as: Answer.Type = Answer.self) async throws
    -> Answer
  {
    try await call(.DELETE, path, body: try JSONEncoder().encode(body))
  }

  func text(_ path: String) async throws -> String {
    String(decoding: try await exchange(.GET, path, body: nil), as: UTF8.self)
  }

  private func call<Answer: Decodable>(
    _ method: HTTPMethod, _ path: String, body: Data?, type: String = "application/json"
  ) async throws -> Answer {
    let data = try await exchange(method, path, body: body, type: type)
    do {
      return try JSONDecoder().decode(Answer.self, from: data)
    } catch {
      throw Outage(
        "plimsoll", "\(base) answered \(path) with something else than expected; are both of one version?",
        sources: ["\(error)"])
    }
  }

  private func exchange(
    _ method: HTTPMethod, _ path: String, body: Data?, type: String = "application/json"
  ) async throws -> Data {
    var request = HTTPClientRequest(url: base + path)
    request.method = method
    request.headers.add(name: "accept", value: "application/json")
    if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
    if method != .GET, let actor = Self.actor { request.headers.add(name: "plimsoll-actor", value: actor) }
    if let body {
      request.headers.add(name: "content-type", value: type)
      request.body = .bytes(body)
    }
    let response: HTTPClientResponse
    let data: Data
    do {
      response = try await Self.http.execute(request, timeout: Self.timeLimit)
      data = Data(buffer: try await response.body.collect(upTo: Self.answerLimit))
    } catch let failed where Self.isUnreached(failed) {
      let decided = method == .GET ? "" : ", so nothing was decided"
      throw Unreached(
        outage: Outage(
          "plimsoll", "the server at \(base) cannot be reached\(decided); is 'plimsoll serve' running?",
          sources: ["\(failed)"]))
    } catch {
      throw Outage(
        "plimsoll", "the server at \(base) does not answer; is 'plimsoll serve' running?", sources: ["\(error)"])
    }
    guard (200..<300).contains(response.status.code) else {
      if let failure = try? JSONDecoder().decode(Failure.self, from: data) { throw failure }
      throw Outage("plimsoll", "\(base)\(path) answered \(response.status.code)")
    }
    return data
  }

  /// Who asks, for the ledger; nil when the system does not say, or not in printable ASCII.
  private static var actor: String? {
    let environment = ProcessInfo.processInfo.environment
    guard let name = environment["PLIMSOLL_ACTOR"] ?? environment["USER"], (1...120).contains(name.count),
      name.utf8.allSatisfy({ (0x20..<0x7f).contains($0) })
    else { return nil }
    return name
  }

  /// A request is written only once there is a connection.
  private static func isUnreached(_ error: any Error) -> Bool {
    if let failed = error as? IOError { return failed.errnoCode == ECONNREFUSED }
    return error is NIOConnectionError || (error as? HTTPClientError) == .connectTimeout
  }
}

/// A path component of the API, percent-encoded.
func component(_ text: String) -> String {
  text.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed.subtracting(CharacterSet(charactersIn: "/")))
    ?? text
}
