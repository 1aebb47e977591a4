// swift-tools-version: 6.2
import PackageDescription

// Who may import whom is design §4 and ARCHITECTURE.md; TidyTests holds the rules that a machine can hold.

let pure: [Target.Dependency] = [
  .product(name: "OrderedCollections", package: "swift-collections")
]
let numerics: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"),
  .product(name: "NIOPosix", package: "swift-nio"),
  .product(name: "NIOSSL", package: "swift-nio-ssl"),
]
let domains: [Target.Dependency] = [
  "Kernel", "Statistics", "MergeQueues", "Promotions", "Rollouts", "Migrations", "Ramps",
]

let package = Package(
  name: "plimsoll",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "plimsoll", targets: ["plimsoll"]),
    // The flag evaluator, which Swift services embed (docs/decisions/0013).
    .library(name: "Flags", targets: ["Flags"]),
  ],
  dependencies: [
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
    .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-numerics", exact: "1.1.1"),
    .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
    .package(url: "https://github.com/grpc/grpc-swift-2", exact: "2.4.3"),
    .package(url: "https://github.com/grpc/grpc-swift-nio-transport", exact: "2.9.2"),
    .package(url: "https://github.com/grpc/grpc-swift-protobuf", exact: "2.4.1"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2"),
  ],
  targets: [
    // Pure: no Foundation, no clock, no chance, no task, no I/O.
    .target(name: "Kernel"),
    .target(name: "Statistics", dependencies: ["Kernel", numerics]),
    .target(name: "MergeQueues", dependencies: ["Kernel", "Statistics", numerics] + pure),
    .target(name: "Promotions", dependencies: ["Kernel"] + pure),
    .target(name: "Rollouts", dependencies: ["Kernel", "Statistics"] + pure),
    .target(name: "Migrations", dependencies: ["Kernel"]),
    .target(name: "Flags"),
    // Random definitions and contexts, to compare with peers (docs/decisions/0013).
    .target(name: "FlagTrials", dependencies: ["Flags"]),
    // The judge of guarded ramps (docs/decisions/0015), and simulated ramps for it and its rivals.
    .target(name: "Ramps", dependencies: ["Kernel", "Statistics", numerics]),
    .target(name: "RampTrials", dependencies: ["Kernel", "Statistics", "Ramps", numerics]),
    // Simulated deploys, rivals, and what came of them (docs/decisions/0005).
    .target(name: "JudgeTrials", dependencies: ["Kernel", "Statistics", "Rollouts", numerics]),
    // Simulated queues, rivals, and what came of them.
    .target(name: "QueueTrials", dependencies: ["Kernel", "Statistics", "MergeQueues", numerics]),
    .target(name: "Measures", dependencies: domains + pure),
    .target(name: "ControlPlane", dependencies: domains + ["Measures"] + pure),
    .target(name: "Simulator", dependencies: domains + ["Measures", "ControlPlane"] + pure),

    // Simulated stories on a real PostgreSQL (docs/decisions/0014).
    .target(name: "SchemaTrials", dependencies: ["Kernel", "Migrations", "Simulator", "MigrationOracle"]),

    // The asynchronous shell (docs/decisions/0002): drives the engine, carries out effects through ports.
    .target(name: "Runtime", dependencies: domains + ["ControlPlane"]),

    // Recorded deploys through the judge (docs/decisions/0006).
    .target(name: "Replay", dependencies: ["Kernel", "Rollouts"]),

    // The world.
    .target(
      name: "Ledger",
      dependencies: ["Kernel", crypto, .product(name: "GRDB", package: "GRDB.swift")]),
    .target(
      name: "Drivers",
      dependencies: ["Kernel", crypto, .product(name: "Subprocess", package: "swift-subprocess")]),
    // PostgreSQL (docs/decisions/0011): its parser, its client, a server to ask, the wire to look at.
    .systemLibrary(name: "CPgQuery"),
    .systemLibrary(name: "CLibPQ", pkgConfig: "libpq"),
    .target(
      name: "MigrationOracle",
      dependencies: [
        "Kernel", "Migrations", "CPgQuery", "CLibPQ", crypto,
        .product(name: "Subprocess", package: "swift-subprocess"),
      ]),
    .target(name: "StatementProxy", dependencies: ["Kernel", "Migrations"] + nio),
    // Flags to clients over their protocols (docs/decisions/0017).
    // Exposures and outcomes, as sources send them, into the seconds of ramps (docs/decisions/0020).
    .systemLibrary(name: "CZlib"),
    .target(
      name: "FlagEvidence",
      dependencies: [
        "Kernel", "Flags", "Ramps", "FlagServing", "CZlib",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
      ]),
    .target(
      name: "FlagServing",
      dependencies: [
        "Kernel", "Flags", crypto,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    // flagd's gRPC services (docs/decisions/0018); the first is generated by scripts/generate-flagd.
    .target(
      name: "FlagdProtocol",
      dependencies: [
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
      ]),
    .target(
      name: "FlagdServing",
      dependencies: [
        "Kernel", "Flags", "FlagServing", "FlagdProtocol",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
        .product(name: "GRPCCore", package: "grpc-swift-2"),
        .product(name: "GRPCNIOTransportHTTP2", package: "grpc-swift-nio-transport"),
      ]),
    .target(
      name: "PlimsollFile",
      dependencies: domains + ["ControlPlane", .product(name: "Yams", package: "Yams")],
      resources: [.embedInCode("Resources/plimsoll.schema.json")]),
    .target(name: "API", resources: [.embedInCode("openapi.yaml")]),
    .target(
      name: "Server",
      dependencies: domains + [
        "API", "ControlPlane", "Measures", "Flags", crypto,
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Mustache", package: "swift-mustache"),
        .product(name: "Logging", package: "swift-log"),
      ],
      resources: [.embedInCode("Templates"), .embedInCode("Assets")]),

    .executableTarget(
      name: "plimsoll",
      dependencies: domains + [
        "Measures", "ControlPlane", "Simulator", "Runtime", "Ledger", "Drivers", "PlimsollFile", "API", "Server",
        "Replay", "JudgeTrials", "QueueTrials", "RampTrials", "SchemaTrials", "MigrationOracle",
        "StatementProxy", "Flags", "FlagTrials", "FlagServing", "FlagdServing", "FlagEvidence",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "AsyncHTTPClient", package: "async-http-client"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "Logging", package: "swift-log"),
      ]),

    .testTarget(name: "KernelTests", dependencies: ["Kernel"]),
    .testTarget(name: "StatisticsTests", dependencies: ["Statistics", numerics]),
    .testTarget(
      name: "MergeQueuesTests", dependencies: ["Kernel", "Statistics", "MergeQueues", numerics], exclude: ["Goldens"]),
    .testTarget(name: "PromotionsTests", dependencies: ["Kernel", "Promotions"], exclude: ["Goldens"]),
    .testTarget(
      name: "RolloutsTests", dependencies: ["Kernel", "Statistics", "Rollouts", numerics], exclude: ["Goldens"]),
    .testTarget(name: "JudgeTrialsTests", dependencies: ["Statistics", "Rollouts", "JudgeTrials", "Replay"]),
    .testTarget(name: "QueueTrialsTests", dependencies: ["Kernel", "Statistics", "MergeQueues", "QueueTrials"]),
    .testTarget(name: "ReplayTests", dependencies: ["Kernel", "Rollouts", "Replay"]),
    .testTarget(name: "MeasuresTests", dependencies: domains + ["Measures"]),
    .testTarget(name: "ControlPlaneTests", dependencies: domains + ["ControlPlane", "Simulator"]),
    .testTarget(name: "SimulationTests", dependencies: domains + ["ControlPlane", "Measures", "Simulator"]),
    .testTarget(name: "RuntimeTests", dependencies: domains + ["ControlPlane", "Runtime", "Simulator"]),
    .testTarget(name: "PlimsollFileTests", dependencies: domains + ["ControlPlane", "PlimsollFile"]),
    .testTarget(
      name: "LedgerTests", dependencies: ["Kernel", "Ledger", .product(name: "GRDB", package: "GRDB.swift")]),
    .testTarget(
      name: "DriverTests", dependencies: ["Kernel", "Drivers", "Simulator", crypto], exclude: ["Prometheus/Goldens"]),
    .testTarget(
      name: "ServerTests",
      dependencies: domains + [
        "API", "ControlPlane", "Measures", "Flags", "Server", .product(name: "Logging", package: "swift-log"),
      ]),
    .testTarget(name: "EndToEndTests", dependencies: ["plimsoll", "API"], exclude: ["Snapshots"]),
    .testTarget(
      name: "RampsTests", dependencies: ["Kernel", "Statistics", "Ramps", "RampTrials"], exclude: ["Goldens"]),
    .testTarget(name: "FlagsTests", dependencies: ["Flags", "FlagTrials"], exclude: ["Peers"]),
    .testTarget(name: "MigrationsTests", dependencies: ["Kernel", "Migrations"]),
    .testTarget(name: "MigrationOracleTests", dependencies: domains + ["ControlPlane", "MigrationOracle"]),
    .testTarget(name: "SchemaTrialsTests", dependencies: ["Kernel", "Simulator", "SchemaTrials"]),
    .testTarget(name: "StatementProxyTests", dependencies: ["Kernel", "Migrations", "StatementProxy"] + nio),
    .testTarget(
      name: "FlagEvidenceTests",
      dependencies: [
        "Kernel", "Ramps", "Flags", "FlagTrials", "FlagServing", "FlagEvidence",
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Peers"]),
    .testTarget(
      name: "FlagServingTests",
      dependencies: [
        "Kernel", "Flags", "FlagTrials", "FlagServing",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
      ],
      exclude: ["Peers"]),
    .testTarget(
      name: "FlagdServingTests", dependencies: ["Flags", "FlagTrials", "FlagServing", "FlagdServing"],
      exclude: ["Peers"]),
    .testTarget(name: "TidyTests"),
  ]
)
