import Kernel

/// Where one environment's HAProxy keeps its files and sockets, and how it names things: the contract between
/// `HAProxyRouter`, which drives it, and `HAProxyTelemetry`, which listens to it.
package struct HAProxyFolder: Sendable {
  /// `net.unix.max_dgram_qlen` is 10 on a plain Linux and read at bind, and HAProxy drops a line rather than wait. So
  /// the lines are dealt out over this many sockets (`log … sample`), which holds 176 lines until a reader wakes.
  static let logLanes = 16
  /// Linux's `sun_path` holds 107 bytes; HAProxy binds under a name that is up to 20 longer and renames.
  static let longestSocketPath = 87

  package let path: String
  package init(root: String, environment: EnvironmentName) { path = "\(root)/\(environment)" }

  var configuration: String { "\(path)/haproxy.cfg" }
  /// What the running HAProxy was started with: services and ports, without servers, below a line that names the
  /// process. Any other process makes it worthless, so a kill between a start and this file misleads nobody.
  var skeleton: String { "\(path)/skeleton.cfg" }
  var admin: String { "\(path)/admin.sock" }
  var output: String { "\(path)/haproxy.out" }
  var process: String { "\(path)/haproxy.pid" }
  var ports: String { "\(path)/ports.json" }
  func log(_ lane: Int) -> String { "\(path)/log\(lane).sock" }
  /// The map with a service's preview rule, as HAProxy reads it at its start; what is true later is in its memory.
  func previews(_ service: ServiceName) -> String { "\(path)/preview-\(service).map" }

  /// The skeleton file's text for a process.
  func skeleton(_ text: String, of process: HAProxyProcess) -> String {
    "# Process \(process.pid) \(process.startTime)\n\(text)"
  }

  /// The skeleton of that very process; nil when the file is of another, or missing.
  func skeleton(of process: HAProxyProcess) -> String? {
    guard let bytes = ProcessTable.contents(skeleton) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    let name = skeleton("", of: process)
    return text.hasPrefix(name) ? String(text.dropFirst(name.count)) : nil
  }

  func checkLength() throws(Outage) {
    guard log(Self.logLanes - 1).utf8.count <= Self.longestSocketPath else {
      throw Outage(
        "haproxy",
        "socket path \(log(0)) is longer than the \(Self.longestSocketPath) bytes it may have; shorten the data folder's"
      )
    }
  }

  static func backend(_ service: ServiceName) -> String { "b-\(service)" }
  /// Where preview requests go. A backend of its own, so that its requests are told apart: they are nobody's evidence.
  static func previewBackend(_ service: ServiceName) -> String { "p-\(service)" }
  /// Where a HAProxy that was replaced sends what it still gets.
  static func successorBackend(_ service: ServiceName) -> String { "n-\(service)" }
  static func frontend(_ service: ServiceName) -> String { "f-\(service)" }
  /// The service whose shares a backend spreads; nil for one that serves previews or hands on.
  static func service(ofBackend name: Substring) -> ServiceName? {
    name.hasPrefix("b-") ? ServiceName(rawValue: String(name.dropFirst(2))) : nil
  }
  static func server(_ deployment: DeploymentID, _ endpoint: Endpoint) -> String {
    "\(deployment)-\(endpoint.instance)-\(endpoint.port)"
  }
  /// The deployment that a server name belongs to; nil for `<NOSRV>` and names that are not ours.
  static func deployment(ofServer name: Substring) -> DeploymentID? {
    guard let port = name.lastIndex(of: "-"), let instance = name[..<port].lastIndex(of: "-") else { return nil }
    return DeploymentID(rawValue: String(name[..<instance]))
  }
}
