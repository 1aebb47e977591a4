import Kernel
import Testing

@testable import Ramps

/// What folders in git declare of a flag, and what becomes of what it may not be.
@Suite("Declarations of a flag") struct DeclarationTests {
  private static let first = StreamID(.flagFolder, "harbor/main")
  private static let second = StreamID(.flagFolder, "quay/main")

  private func declare(
    _ letter: String, by folder: StreamID = first, variants: [String] = ["on", "off"],
    expiry: Instant = at(30 * 86_400)
  ) -> FeatureFlag.Input {
    .declare(
      .init(
        key: checkout, definition: definition(letter, variants: variants, expiry: expiry), file: "flags/checkout.json",
        line: 3, commit: commit("c"), folder: folder, author: "Grace"))
  }

  private func undeclare(by folder: StreamID = first) -> FeatureFlag.Input {
    .undeclare(commit: commit("d"), folder: folder)
  }

  @Test("what a ramp stands against is recorded once, and taken when the ramp has ended")
  func laterTaken() throws {
    var flag = try FlagBench()
    try flag.ramp()
    #expect(try flag.take(declare("b", variants: ["new", "off"])) == ["declarationRefused"])
    #expect(try flag.take(declare("b", variants: ["new", "off"])) == [])
    #expect(flag.state.unmet.map(\.declaration.place) == ["flags/checkout.json:3"])
    #expect(flag.state.unmet.first?.why.contains("stop its ramp") == true)
    #expect(flag.state.revision == 1 && flag.state.declared == nil)
    try flag.settle()
    #expect(
      try flag.take(.stopRamp(production, ada)) == ["rampStopped", "revised", "declared", "declarationMet"])
    #expect(flag.state.definition?.variants == ["new", "off"] && flag.state.unmet.isEmpty)
  }

  @Test("a folder that takes its declaration back, or says what is so already, is refused no more")
  func cleared() throws {
    var flag = try FlagBench()
    try flag.ramp()
    try flag.take(declare("b", variants: ["new", "off"]))
    var settled = flag
    #expect(try flag.take(undeclare()) == ["declarationDropped"])
    #expect(flag.state.unmet.isEmpty)
    #expect(try settled.take(declare("a")) == ["declared", "declarationMet"])
    #expect(settled.state.unmet.isEmpty)
  }

  @Test("a flag that may not even be made says so, and is made by a better declaration")
  func neverMade() throws {
    var flag = try FlagBench(nil)
    #expect(try flag.take(declare("a", expiry: at(-1))) == ["declarationRefused"])
    #expect(flag.state.key == nil && flag.state.unmet.first?.why.contains("expired") == true)
    #expect(try flag.take(declare("b")) == ["created", "declarationMet"])
  }

  @Test("of two folders that declare one key the first keeps it; the second has it once the first lets go")
  func clash() throws {
    var flag = try FlagBench(nil)
    #expect(try flag.take(declare("a")) == ["created"])
    #expect(try flag.take(declare("b", by: Self.second)) == ["declarationRefused"])
    let why = try #require(flag.state.unmet.first?.why)
    #expect(why.contains("flags/checkout.json of harbor/main, which was first") && why.contains("of quay/main"))
    // Whatever the first says meanwhile, nothing goes to and fro.
    #expect(try flag.take(declare("c")) == ["revised", "declared"])
    #expect(try flag.take(declare("b", by: Self.second)) == [])
    #expect(try flag.take(undeclare(by: Self.second)) == ["declarationDropped"])
    #expect(flag.state.declared?.folder == Self.first)
    try flag.take(declare("b", by: Self.second))
    #expect(try flag.take(undeclare()) == ["declared", "revised", "declared", "declarationMet"])
    #expect(flag.state.declared?.folder == Self.second && flag.state.unmet.isEmpty)
  }

  @Test("an archived flag keeps what it refused, until the folder holds it no more")
  func archived() throws {
    var flag = try FlagBench()
    try flag.take(.archive(ada))
    #expect(try flag.take(declare("b")) == ["declarationRefused"])
    #expect(try flag.take(undeclare()) == ["declarationDropped"])
  }
}
