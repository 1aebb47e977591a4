import Foundation
import Kernel
import StatementProxy

/// The server that is recorded, from `--upstream` or from what an application's environment says, and how the same
/// environment leads to the proxy instead.
struct DatabaseTarget: Sendable {
  let place: ProxyPlace
  let encryption: ProxyEncryption.Upstream
  /// A URL to rewrite for the command: the one given, the environment's, or one made from its parts.
  private let url: URLComponents

  private static let urlName = "DATABASE_URL"
  private static let usualFolder = "/var/run/postgresql"

  init(given: String?, environment: [String: String], tls: String?, roots: String?) throws(Refusal) {
    let text = given.map { $0.contains("://") ? $0 : "" } ?? environment[Self.urlName] ?? ""
    if text.isEmpty {
      place = try given.map { text throws(Refusal) in try ProxyPlace(text) } ?? Self.place(environment)
      url = Self.url(environment)
    } else {
      guard let parsed = URLComponents(string: text), ["postgres", "postgresql"].contains(Self.plainScheme(parsed))
      else {
        throw Refusal(
          .malformed,
          "The database's URL cannot be read; write postgresql://USER@HOST:PORT/DATABASE in --upstream or "
            + "\(Self.urlName).")
      }
      url = parsed
      place = Self.place(parsed, environment)
    }
    encryption = try Self.encryption(
      tls ?? Self.parameter("sslmode", url) ?? environment["PGSSLMODE"] ?? "disable",
      roots: roots ?? Self.parameter("sslrootcert", url) ?? environment["PGSSLROOTCERT"], place)
  }

  /// The environment in which a command meets the proxy: without TLS and without channel binding, because the proxy on
  /// loopback offers neither, unless it has a key pair.
  func environment(
    _ own: [String: String], host: String, port: Int, encrypted: Bool, urlVariables: [String]
  ) throws(Refusal) -> [String: String] {
    var changed = own
    changed["PGHOST"] = host
    changed["PGPORT"] = "\(port)"
    changed["PGHOSTADDR"] = nil
    changed["PGSERVICE"] = nil
    if !encrypted {
      changed["PGSSLMODE"] = "disable"
      changed["PGCHANNELBINDING"] = nil
    }
    changed[Self.urlName] = leading(url, to: host, port, encrypted: encrypted)
    for name in urlVariables {
      guard let text = own[name], let parsed = URLComponents(string: text), parsed.scheme != nil else {
        throw Refusal(.malformed, "\(name) holds no URL; set it, or leave out --url-variable \(name).")
      }
      changed[name] = leading(parsed, to: host, port, encrypted: encrypted)
    }
    return changed
  }

  private func leading(_ url: URLComponents, to host: String, _ port: Int, encrypted: Bool) -> String? {
    var url = url
    url.host = host.contains(":") ? "[\(host)]" : host
    url.port = port
    let dropped: Set =
      encrypted ? ["host", "port", "hostaddr"] : ["host", "port", "hostaddr", "sslmode", "channel_binding"]
    var items = (url.queryItems ?? []).filter { !dropped.contains($0.name) }
    if !encrypted, url.queryItems?.contains(where: { $0.name == "sslmode" }) == true {
      items.append(URLQueryItem(name: "sslmode", value: "disable"))
    }
    url.queryItems = items.isEmpty ? nil : items
    return url.string
  }

  /// `postgresql+asyncpg` and its like name a driver behind the plus.
  private static func plainScheme(_ url: URLComponents) -> String {
    String((url.scheme ?? "").prefix { $0 != "+" })
  }

  private static func parameter(_ name: String, _ url: URLComponents) -> String? {
    url.queryItems?.first { $0.name == name }?.value
  }

  private static func place(_ url: URLComponents, _ environment: [String: String]) -> ProxyPlace {
    let port = url.port ?? parameter("port", url).flatMap(Int.init) ?? environment["PGPORT"].flatMap(Int.init)
    let named = (url.host?.isEmpty == false ? url.host : nil) ?? parameter("host", url)
    return place(named ?? environment["PGHOST"], port ?? ProxyPlace.defaultPort)
  }

  private static func place(_ environment: [String: String]) -> ProxyPlace {
    place(environment["PGHOST"], environment["PGPORT"].flatMap(Int.init) ?? ProxyPlace.defaultPort)
  }

  /// libpq's own default is the socket where there is one.
  private static func place(_ host: String?, _ port: Int) -> ProxyPlace {
    guard let host, !host.isEmpty else {
      let usual = ProxyPlace.socket(in: usualFolder, port: port)
      return FileManager.default.fileExists(atPath: usual.description) ? usual : .address(host: "127.0.0.1", port: port)
    }
    if host.hasPrefix("/") { return .socket(in: host, port: port) }
    return .address(host: host.trimmingCharacters(in: ["[", "]"]), port: port)
  }

  private static func url(_ environment: [String: String]) -> URLComponents {
    var url = URLComponents()
    url.scheme = "postgresql"
    url.host = "127.0.0.1"
    url.user = environment["PGUSER"] ?? NSUserName()
    url.password = environment["PGPASSWORD"]
    url.path = "/" + (environment["PGDATABASE"] ?? environment["PGUSER"] ?? NSUserName())
    return url
  }

  private static func encryption(
    _ mode: String, roots: String?, _ place: ProxyPlace
  ) throws(Refusal) -> ProxyEncryption.Upstream {
    guard case .address(let host, _) = place else { return .disable }
    switch mode {
    // What a client leaves to chance is left out: the proxy asks for TLS or does not.
    case "disable", "allow", "prefer": return .disable
    case "require": return .require
    case "verify-ca": return .verifyCA(roots: roots)
    case "verify-full": return .verifyFull(roots: roots, host: host)
    default:
      throw Refusal(.malformed, "'\(mode)' is no way of TLS; write disable, require, verify-ca or verify-full.")
    }
  }
}
