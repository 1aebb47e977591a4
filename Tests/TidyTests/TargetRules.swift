import Foundation

/// Who may import whom: design table of ARCHITECTURE.md and docs/decisions/0002, as data.
enum TargetRules {
  static let domains: Set = ["MergeQueues", "Promotions", "Rollouts", "Migrations", "Ramps"]
  /// No Foundation, clock, chance, task, I/O, global or log.
  static let pure: Set = [
    "Kernel", "Statistics", "MergeQueues", "Promotions", "Rollouts", "Measures", "ControlPlane", "Simulator",
    "JudgeTrials", "QueueTrials", "Migrations", "Flags", "Ramps", "RampTrials",
  ]
  private static let kernel: Set = ["Kernel", "Statistics"]
  private static let collections: Set = ["OrderedCollections"]
  /// The toolchain's own modules that touch the world; never in a pure target.
  private static let world: Set = ["Foundation", "Synchronization", "Dispatch"]
  private static let system: Set = ["Glibc", "System"]
  private static let http: Set = ["Hummingbird", "NIOCore", "HTTPTypes", "Mustache", "Logging"]

  /// The executable: the only place that constructs anything.
  static let importsEverything: Set = ["plimsoll"]
  /// Target to the modules that it may import.
  static let imports: [String: Set<String>] = [
    "Kernel": [],
    "Statistics": ["Kernel", "RealModule"],
    "MergeQueues": kernel.union(collections).union(["RealModule"]),
    "Promotions": kernel.union(collections),
    "Rollouts": kernel.union(collections),
    "Measures": kernel.union(domains).union(collections),
    "ControlPlane": kernel.union(domains).union(collections).union(["Measures"]),
    "Simulator": kernel.union(domains).union(collections).union(["Measures", "ControlPlane"]),
    "JudgeTrials": kernel.union(["Rollouts", "RealModule"]),
    "QueueTrials": kernel.union(["MergeQueues", "RealModule"]),
    "Migrations": ["Kernel"],
    "Flags": [],
    "FlagTrials": ["Flags", "Foundation", "Synchronization"],
    "FlagServing": world.union(system).union([
      "Kernel", "Flags", "NIOCore", "NIOPosix", "NIOHTTP1", "Logging", "Crypto",
    ]),
    "FlagdProtocol": ["Foundation", "SwiftProtobuf", "GRPCCore", "GRPCProtobuf"],
    "FlagdServing": [
      "Kernel", "Flags", "FlagServing", "FlagdProtocol", "Synchronization", "SwiftProtobuf", "GRPCCore",
      "GRPCNIOTransportHTTP2",
    ],
    "FlagEvidence": world.union(http).union(["Kernel", "Flags", "Ramps", "FlagServing", "CZlib"]),
    "Ramps": kernel.union(["RealModule"]),
    "RampTrials": kernel.union(["Ramps", "RealModule"]),
    "MigrationOracle": world.union(system).union(["Kernel", "Migrations", "CPgQuery", "CLibPQ", "Subprocess", "Crypto"]
    ),
    "SchemaTrials": world.union(["Kernel", "Migrations", "Simulator", "MigrationOracle"]),
    "StatementProxy": world.union(["Kernel", "Migrations", "NIOCore", "NIOPosix", "NIOSSL"]),
    "Replay": kernel.union(["Rollouts", "Foundation"]),
    "Runtime": kernel.union(domains).union(world).union(["ControlPlane"]),
    "Ledger": world.union(system).union(["Kernel", "GRDB", "Crypto"]),
    "Drivers": world.union(system).union(["Kernel", "Subprocess", "Crypto"]),
    "PlimsollFile": kernel.union(domains).union(["ControlPlane", "Yams", "Foundation"]),
    "API": ["Foundation"],
    "Server": kernel.union(domains).union(world).union(http).union([
      "API", "ControlPlane", "Measures", "Flags", "Crypto",
    ]),
  ]

  /// The module of an import line, with or without attributes, access and kind: `@testable import struct A.B` is `A`.
  static func module(importedBy line: Substring) -> String? {
    let words = code(line).split(separator: " ")
    guard let at = words.firstIndex(of: "import"), at + 1 < words.count else { return nil }
    let access: Set<Substring> = ["public", "package", "internal", "private", "fileprivate"]
    guard words[..<at].allSatisfy({ $0.hasPrefix("@") || access.contains($0) }) else { return nil }
    let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"]
    let name = kinds.contains(words[at + 1]) && at + 2 < words.count ? words[at + 2] : words[at + 1]
    return name.split(separator: ".").first.map(String.init)
  }

  static func importsInTable(_ tree: SourceTree) -> [Finding] {
    tree.texts(in: "Sources/", ending: ".swift").flatMap { path, text -> [Finding] in
      let target = String(path.split(separator: "/")[1])
      if importsEverything.contains(target) { return [] }
      guard let allowed = imports[target] else {
        return [
          Finding(path: path, line: 1, sentence: "target \(target) is not in the import table; add it by a decision")
        ]
      }
      return lines(of: text).compactMap { number, line in
        guard let module = module(importedBy: line), !allowed.contains(module) else { return nil }
        return Finding(
          path: path, line: number, sentence: "\(target) may not import \(module); see the table in ARCHITECTURE.md")
      }
    }
  }

  /// What reads a clock, chance or the environment, does I/O or starts concurrent work.
  static let impure = [
    "Date", "ContinuousClock", "SuspendingClock", "DispatchTime", ".random", ".randomElement", ".shuffled()",
    "SystemRandomNumberGenerator", "FileManager", "FileHandle", "ProcessInfo", "getenv", "UUID", "Task", "async",
    "await", "Mutex", "print", "debugPrint", "readLine", "nonisolated(unsafe)",
  ]

  /// It speaks of cohorts and guardrails, which `Kernel` does not know (docs/decisions/0016).
  private static let portOfRamps = "Sources/Ramps/RampEvidence.swift"

  /// Ports are the promises of the world, which is asynchronous; a pure target declares them and calls none.
  static func isAllowed(_ finding: Finding) -> Bool {
    (finding.path.hasPrefix("Sources/Kernel/Ports/") || finding.path == portOfRamps)
      && finding.sentence.hasPrefix("`async`")
  }

  static func pureStaysPure(_ tree: SourceTree) -> [Finding] {
    findings(of: impure, in: tree.sources(of: pure.sorted())) {
      "`\($0)` in a pure target: take it as an input or an effect instead"
    }.filter { !isAllowed($0) }
  }

  /// What other packages may use: the API's requests and views, and the flag evaluator, which services embed.
  static let offered = ["API", "Flags"]

  static func publicOnlyWhereOffered(_ tree: SourceTree) -> [Finding] {
    let inside = tree.texts(in: "Sources/", ending: ".swift").filter { path, _ in
      !offered.contains { path.hasPrefix("Sources/\($0)/") }
    }
    return findings(of: ["public"], in: inside) {
      "`\($0)` outside of \(offered.joined(separator: ", ")): use `package`"
    }
  }
}
