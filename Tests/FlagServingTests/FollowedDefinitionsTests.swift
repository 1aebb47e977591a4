import Foundation
import Kernel
import Testing

@testable import FlagServing

@Suite("Definitions followed in a file")
struct FollowedDefinitionsTests {
  private func within(_ body: (String, FlagStore, FollowedDefinitions) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "plimsoll-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let store = FlagStore(environment: "e")
    let path = folder.appending(path: "flags.json").path
    try body(path, store, FollowedDefinitions(path, store: store, clock: { 5 }))
  }

  private static func text(_ value: Int) -> String {
    #"{"flags":{"a":{"state":"ENABLED","variants":{"on":\#(value)},"defaultVariant":"on"}}}"#
  }

  private func write(_ text: String, _ path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }

  @Test("A changed file is served; a faulty one leaves the version before and is told of once, with its place")
  func follows() throws {
    try within { path, store, followed in
      try write(Self.text(1), path)
      try followed.begin(version: 12)
      #expect(store.current.version == 12)
      #expect(followed.look() == nil)
      try write(Self.text(2), path)
      #expect(followed.look() == .served(version: 13, flags: 1))
      try write("{\n  \"flags\": {\"a\": {\"state\"", path)
      let looks = (0..<6).map { _ in followed.look() }
      #expect(looks[0] == nil)
      let told = looks.compactMap { $0 }
      #expect(told.count == 1)
      guard case .faulty(let fault)? = told.first else {
        Issue.record("no fault was told")
        return
      }
      #expect(fault.hasPrefix("\(path):2:"))
      #expect(followed.report.fault == fault)
      #expect(store.current.version == 13)
      try write(Self.text(2), path)
      #expect(followed.look() == .mended)
      #expect(followed.report.fault == nil)
      try write(Self.text(3), path)
      #expect(followed.look() == .served(version: 14, flags: 1))
    }
  }

  @Test("A file that is half written for a moment is no fault")
  func halfWritten() throws {
    try within { path, store, followed in
      try write(Self.text(1), path)
      try followed.begin()
      try write(String(Self.text(2).prefix(20)), path)
      #expect(followed.look() == nil)
      try write(Self.text(2), path)
      #expect(followed.look() == .served(version: 2, flags: 1))
      #expect(followed.report.faults == 0)
    }
  }

  @Test("A file that goes away is a fault; one that is no definitions does not begin")
  func gone() throws {
    try within { path, store, followed in
      #expect(throws: Outage.self) { try followed.begin() }
      try write("[]", path)
      #expect(throws: Refusal.self) { try followed.begin() }
      try write(Self.text(1), path)
      try followed.begin()
      try FileManager.default.removeItem(atPath: path)
      for _ in 0..<4 { _ = followed.look() }
      #expect(followed.report.fault?.contains("cannot read") ?? false)
      #expect(store.current.version == 1)
    }
  }
}
