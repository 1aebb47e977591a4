import Kernel

/// Identifiers made of numbers, the same for the same number.
enum SimulatedNames {
  static func commit(_ number: UInt64) -> CommitID {
    guard let id = CommitID(rawValue: hex(number, digits: 40)) else { preconditionFailure("not a commit id") }
    return id
  }
  static func tree(_ number: UInt64) -> TreeID {
    guard let id = TreeID(rawValue: hex(number, digits: 40)) else { preconditionFailure("not a tree id") }
    return id
  }
  static func digest(_ number: UInt64) -> Digest {
    guard let digest = Digest(rawValue: "sha256:" + hex(number, digits: 64)) else { preconditionFailure("no digest") }
    return digest
  }
  static func name<Name: Identifier>(_ text: String, as kind: Name.Type = Name.self) -> Name {
    guard let name = Name(rawValue: text) else { preconditionFailure("'\(text)' is no name") }
    return name
  }

  private static let digitBytes = Array("0123456789abcdef".utf8)

  private static func hex(_ number: UInt64, digits: Int) -> String {
    var bytes: [UInt8] = []
    var word = number
    while bytes.count < digits {
      word = Chance.mix(word &+ 0x9e37_79b9_7f4a_7c15)
      for shift in stride(from: 60, through: 0, by: -4) where bytes.count < digits {
        bytes.append(digitBytes[Int((word >> UInt64(shift)) & 15)])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  static let service: ServiceName = name("harbor")
  static let repository: RepositoryName = name("harbor")
  static let trunk: BranchName = name("main")
  static let staging: EnvironmentName = name("staging")
  static let production: EnvironmentName = name("production")
  static let check: CheckName = name("smoke")
  static let queue = StreamID.queue(repository, trunk)
  static let productionDelivery = StreamID.delivery(service, production)
  static let deliveries = [StreamID.delivery(service, staging), productionDelivery]
}
