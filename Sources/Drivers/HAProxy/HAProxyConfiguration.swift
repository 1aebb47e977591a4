import Kernel

/// A server line of a backend.
struct RoutedServer: Equatable, Sendable {
  let name: String
  let port: Int
  let weight: Int
}

/// What HAProxy is to hold for one service.
struct ServiceRoutes: Equatable, Sendable {
  var servers: [RoutedServer] = []
  /// Empty, unless a preview is wanted and its version has endpoints.
  var previewServers: [RoutedServer] = []
  var rule: PreviewRule?
}

/// The text of one environment's `haproxy.cfg`. Written for HAProxy 2.6; names of options are of its configuration
/// manual.
enum HAProxyConfiguration {
  /// Loopback connects in microseconds or is refused; two seconds only pass when a listen queue is full.
  static let connectSeconds = 2
  /// A request without an answer for this long is ended as 504. Telemetry counts it long before.
  static let serverSeconds = 60
  static let clientSeconds = 60
  static let keepAliveSeconds = 60
  static let requestSeconds = 10
  static let retries = 3

  /// First word of a request's log line; anything else on the log socket is HAProxy talking about itself.
  static let logMark = "P1"
  /// Accept date in ms (seconds and padded milliseconds), total time, active time, time to receive the request, queue,
  /// status, backend, server, termination state, retries, client, what the service says of flags and of the unit
  /// (`FlagHeaders`), method, path without query (queries may hold secrets).
  static let logFormat =
    "\(logMark) %Ts%ms %Tt %Ta %TR %Tw %ST %b %s %ts %rc %ci %[capture.res.hdr(0),hex] %[capture.res.hdr(1),hex] %HM %HPO"

  /// - `retry-on conn-failure` only: a request that may have reached a service is never sent twice.
  /// - `redispatch 1`: a refused connection goes to another server at once, so an instance that died a moment ago
  ///   costs nobody a request.
  /// - `http-server-close`: client connections are kept, server connections are not. Each request is balanced anew, no
  ///   request meets a server that is just closing an idle connection, and no idle connection holds up `del server`.
  ///   On loopback a connect costs about 50 µs.
  /// - `idle-close-on-response`: a HAProxy that is being replaced ends kept client connections with a response that
  ///   says so, never while a request may be on its way.
  /// - `stopping` (configuration manual §7.3.2): a HAProxy that was replaced still gets one request from each client whose
  ///   connection was kept, up to `keepAliveSeconds` later, and takes no command for its servers any more ("Proxy is
  ///   disabled"). It hands such requests on to the port, where its successor listens: they follow the weights of now,
  ///   not of then, so no request reaches a version that was rolled back meanwhile. Its log tells of them under a
  ///   backend that is nobody's evidence; its successor's tells where they went.
  /// - `use_backend`: previews begin and end by the map's one line and the preview backend's weights, both set at run
  ///   time. `nbsrv` counts servers that may be given a request, so without one a preview request goes the ordinary way,
  ///   and without a preview no request is compared with anything.
  static func text(
    folder: HAProxyFolder, services: [(name: ServiceName, port: Int)], routes: [ServiceName: ServiceRoutes]
  ) -> String {
    let lanes = (0..<HAProxyFolder.logLanes).map { lane in
      "  log \(folder.log(lane)) len 4096 format raw sample \(lane + 1):\(HAProxyFolder.logLanes) local0 info"
    }
    var lines = ["# Written by Plimsoll; changes are lost.", "global"]
    lines.append("  stats socket \(folder.admin) mode 600 level admin expose-fd listeners")
    lines += lanes
    lines += [
      "defaults", "  mode http", "  log global", "  log-format \"\(logFormat)\"", "  balance roundrobin",
      "  option redispatch 1", "  retries \(retries)", "  retry-on conn-failure", "  option http-server-close",
      "  option idle-close-on-response", "  option dontlognull",
      "  timeout connect \(connectSeconds)s", "  timeout client \(clientSeconds)s",
      "  timeout server \(serverSeconds)s", "  timeout http-request \(requestSeconds)s",
      "  timeout http-keep-alive \(keepAliveSeconds)s", "  timeout queue \(connectSeconds)s",
    ]
    for (name, port) in services {
      let routes = routes[name] ?? ServiceRoutes()
      let previews = HAProxyFolder.previewBackend(name)
      let successor = HAProxyFolder.successorBackend(name)
      lines += [
        frontend(name, port: port) + flagHeaders + "  use_backend \(successor) if { stopping }\n"
          + "  use_backend \(previews) if { nbsrv(\(previews)) gt 0 }"
          + " { \"req.hdrs,map_reg('\(folder.previews(name))')\" -m found }",
        "  default_backend \(HAProxyFolder.backend(name))", "backend \(HAProxyFolder.backend(name))",
      ]
      lines += routes.servers.map(server)
      lines.append("backend \(previews)")
      lines += routes.previewServers.map(server)
      lines += ["backend \(successor)", server(RoutedServer(name: "successor", port: port, weight: 1))]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// What a service says of flags is the log's, by their places there, and nobody's outside.
  private static let flagHeaders = [
    (FlagHeaders.flags, FlagHeaders.longestFlags), (FlagHeaders.unit, FlagHeaders.longestUnit),
  ].map { "  capture response header \($0) len \($1)\n  http-response del-header \($0)\n" }.joined()

  private static func server(_ server: RoutedServer) -> String {
    "  server \(server.name) 127.0.0.1:\(server.port) weight \(server.weight)"
  }

  /// The lines that name a service's frontend and port; found again in a skeleton.
  static func frontend(_ name: ServiceName, port: Int) -> String {
    "frontend \(HAProxyFolder.frontend(name))\n" + bind(port)
  }

  static func bind(_ port: Int) -> String { "  bind 127.0.0.1:\(port)\n" }
}
