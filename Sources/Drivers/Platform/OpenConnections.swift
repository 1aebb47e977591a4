/// Established TCP connections to ports of this machine, as `/proc/net/tcp` lists them (proc(5)).
///
/// Either end counts: of a service that listens on IPv6 only HAProxy's end is in this list.
enum OpenConnections {
  /// `TCP_ESTABLISHED` in the kernel's `tcp_states.h`.
  private static let established = "01"

  /// Whether a connection from or to one of the ports is open; false when the list cannot be read. O(connections).
  static func exist(_ ports: Set<Int>) -> Bool {
    guard !ports.isEmpty, let bytes = ProcessTable.contents("/proc/net/tcp") else { return false }
    return exist(ports, in: String(decoding: bytes, as: UTF8.self))
  }

  static func exist(_ ports: Set<Int>, in table: String) -> Bool {
    table.split(separator: "\n").dropFirst().contains { line in
      // sl local_address rem_address st …, an address as `0100007F:1F90`
      let cells = line.split(separator: " ", maxSplits: 4)
      guard cells.count > 3, cells[3] == established else { return false }
      return cells[1...2].contains { address in
        address.split(separator: ":").last.flatMap { Int($0, radix: 16) }.map(ports.contains) == true
      }
    }
  }
}
