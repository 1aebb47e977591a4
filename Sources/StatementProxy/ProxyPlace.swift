import Kernel

/// Where a server listens: a host and a port, or a folder that holds its socket.
package enum ProxyPlace: Equatable, Sendable, CustomStringConvertible {
  case address(host: String, port: Int)
  case socket(path: String)

  package static let defaultPort = 5432

  /// The socket that a server with `port` makes in `folder`.
  package static func socket(in folder: String, port: Int) -> ProxyPlace { .socket(path: "\(folder)/.s.PGSQL.\(port)") }

  /// Reads `HOST:PORT`, `HOST`, `[IPV6]:PORT` or, for a server's socket, `/FOLDER` and `/FOLDER:PORT`.
  package init(_ text: String) throws(Refusal) {
    var host = text[...]
    var port = Self.defaultPort
    if let colon = text.lastIndex(of: ":"), text[..<colon].allSatisfy({ $0 != ":" }) || text[..<colon].hasSuffix("]") {
      guard let number = Int(text[text.index(after: colon)...]), (0...65_535).contains(number) else {
        throw Refusal(.malformed, "'\(text)' has no port after its colon; write HOST:PORT such as 127.0.0.1:5432.")
      }
      host = text[..<colon]
      port = number
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard !host.isEmpty else {
      throw Refusal(.malformed, "'\(text)' names no host; write HOST:PORT such as 127.0.0.1:5432.")
    }
    self = host.hasPrefix("/") ? .socket(in: String(host), port: port) : .address(host: String(host), port: port)
  }

  package var description: String {
    switch self {
    case .address(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .socket(let path): path
    }
  }
}
