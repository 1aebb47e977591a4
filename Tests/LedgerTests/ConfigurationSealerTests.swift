import Foundation
import Kernel
import Testing

@testable import Ledger

@Suite struct ConfigurationSealerTests {
  private let password = EnvironmentVariable(name: "PASSWORD", value: "hunter2")
  private let port = EnvironmentVariable(name: "PORT", value: "8080")

  @Test func equalVariablesGiveTheSameHashAndBlobAndComeBackSorted() throws {
    let folder = try TemporaryFolder()
    let one = try sealer(folder).seal([port, password])
    let two = try sealer(folder).seal([password, port])
    #expect(one == two)
    #expect(try sealer(folder).open(one.sealed) == [password, port])
    let none = try sealer(folder).seal([])
    #expect(try sealer(folder).open(none.sealed) == [])
  }

  @Test(arguments: [
    [EnvironmentVariable(name: "PASSWORD", value: "hunter3")],
    [EnvironmentVariable(name: "PASSWOR", value: "Dhunter2")],
    [EnvironmentVariable(name: "PASSWORD", value: "hunter2"), EnvironmentVariable(name: "", value: "")],
    [],
  ])
  func otherVariablesGiveAnotherHash(_ variables: [EnvironmentVariable]) throws {
    let folder = try TemporaryFolder()
    let one = try sealer(folder).seal([password])
    let other = try sealer(folder).seal(variables)
    #expect(one.hash != other.hash && one.sealed != other.sealed)
  }

  @Test func theSecretIsNotOnTheDiskAndTheHashIsKeyed() throws {
    let folder = try TemporaryFolder()
    let sealed = try sealer(folder).seal([password])
    let blob = try FileBlobStore(folder: folder.data.blobs).get(sealed.sealed)
    #expect(Data(blob).range(of: Data("hunter2".utf8)) == nil)
    let elsewhere = try TemporaryFolder()
    #expect(try sealer(elsewhere).seal([password]).hash != sealed.hash)
  }

  @Test func anotherKeyOrAChangedBlobDoesNotOpen() throws {
    let folder = try TemporaryFolder()
    let sealed = try sealer(folder).seal([password]).sealed
    let blobs = try FileBlobStore(folder: folder.data.blobs)
    let other = try ConfigurationSealer(keyFile: "\(folder.data.keys)/other.key", blobs: blobs)
    let failure = #expect(throws: Outage.self) { try other.open(sealed) }
    #expect(failure?.sentence.contains("not sealed with the key in") == true)
    var bytes = try blobs.get(sealed)
    bytes[bytes.count - 1] ^= 1
    let changed = try blobs.put(bytes)
    #expect(throws: Outage.self) { try sealer(folder).open(changed) }
    let plain = try blobs.put(Array("PASSWORD=hunter2".utf8))
    #expect(throws: Outage.self) { try sealer(folder).open(plain) }
  }

  private func sealer(_ folder: TemporaryFolder) throws -> ConfigurationSealer {
    try ConfigurationSealer(
      keyFile: folder.data.configurationKey, blobs: FileBlobStore(folder: folder.data.blobs))
  }
}
