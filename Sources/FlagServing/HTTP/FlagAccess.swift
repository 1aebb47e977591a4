import Crypto
import NIOHTTP1

/// Who may ask: everybody, or those who show a token. A token is sent as `Authorization: Bearer T` (OFREP, flagd),
/// `Authorization: T` (Unleash) or `X-API-Key: T`.
package struct FlagAccess: Sendable {
  enum Judgement {
    case allowed
    case refused(status: Int, sentence: String)
  }

  /// Who looks whether the server lives has no token.
  private static let open: Set<Substring> = ["/healthz"]
  /// Bytes of a ticket: 128 bits, which nobody guesses.
  private static let ticketBytes = 16

  private let token: [UInt8]?
  private let key: SymmetricKey

  /// - Parameter token: nil lets everybody in.
  package init(token: String?) {
    let trimmed = token.map { Array($0.utf8.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()) }
    self.token = trimmed
    key = SymmetricKey(data: trimmed ?? [])
  }

  /// What an event stream's address carries instead of the token, since browsers send no headers there. It opens
  /// nothing but the notifications of that environment. Nil where no token is wanted.
  package func ticket(for environment: String) -> String? {
    guard token != nil else { return nil }
    let code = HMAC<SHA256>.authenticationCode(for: Array("events \(environment)".utf8), using: key)
    return ServedFlags.hexadecimal(Array(code).prefix(Self.ticketBytes))
  }

  /// - Parameter environment: by name; nil for one that does not exist, which no ticket opens.
  func judge(_ headers: HTTPHeaders, path: Substring, query: Substring, in environment: String?) -> Judgement {
    guard let token else { return .allowed }
    if environment != nil, Self.open.contains(path) { return .allowed }
    if path == OFREP.eventsPath, let environment, let ticket = ticket(for: environment),
      query.split(separator: "&").contains(where: { same(Array($0.utf8), Array("ticket=\(ticket)".utf8)) })
    {
      return .allowed
    }
    guard let shown = headers.first(name: "authorization") ?? headers.first(name: "x-api-key") else {
      return .refused(status: 401, sentence: "A token is wanted: send it as Authorization: Bearer TOKEN.")
    }
    let bearer = "bearer "
    let bare = shown.lowercased().hasPrefix(bearer) ? Substring(shown.dropFirst(bearer.count)) : Substring(shown)
    return same(Array(bare.utf8), token)
      ? .allowed : .refused(status: 401, sentence: "The token is not this server's: look into its token file.")
  }

  /// For protocols that have no headers of HTTP/1.1: what stands in their `authorization`, with or without `Bearer`.
  package func admits(authorization shown: String?) -> Bool {
    guard let token else { return true }
    guard let shown else { return false }
    let bearer = "bearer "
    let bare = shown.lowercased().hasPrefix(bearer) ? Substring(shown.dropFirst(bearer.count)) : Substring(shown)
    return same(Array(bare.utf8), token)
  }

  /// Takes as long for every guess, whatever it has in common with the token.
  private func same(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    let left = HMAC<SHA256>.authenticationCode(for: left, using: key)
    return HMAC<SHA256>.isValidAuthenticationCode(left, authenticating: right, using: key)
  }
}
