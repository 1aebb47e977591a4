import Flags
import Testing

@testable import FlagServing

@Suite("Flag store")
struct FlagStoreTests {
  private static let flag = #"{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on"}"#
  private static let off = #"{"state":"DISABLED","variants":{"on":true},"defaultVariant":"on"}"#

  private func value(_ key: String, of served: ServedFlags) -> String? {
    served.flags.variant(of: served.flags.evaluate(key, for: EvaluationContext(), at: 0))
  }

  @Test("Versions rise by one; the same text again is none; a feeder's own version counts when it is newer")
  func versions() throws {
    let store = FlagStore(environment: "e")
    #expect(store.current.version == 0)
    #expect(try store.publish(definitions: #"{"flags":{"a":\#(Self.flag)}}"#, at: 1).version == 1)
    #expect(try store.publish(definitions: #"{"flags":{"a":\#(Self.flag)}}"#, at: 2).version == 1)
    #expect(store.current.changedAt == 1)
    #expect(try store.publish(definitions: #"{"flags":{"a":\#(Self.off)}}"#, version: 40, at: 3).version == 40)
    #expect(try store.publish(definitions: #"{"flags":{}}"#, version: 40, at: 4).flags.count == 1)
    #expect(try store.publish(changing: "b", to: Self.flag, at: 5).version == 41)
  }

  @Test("What is refused leaves the version before, and says where")
  func refused() throws {
    let store = FlagStore(environment: "e")
    let good = try store.publish(definitions: #"{"flags":{"a":\#(Self.flag)}}"#, at: 1)
    let refusal = #expect(throws: FlagRefusal.self) {
      try store.publish(definitions: "{\n \"flags\": {\"a\": {}}}", at: 2)
    }
    #expect(refusal?.line == 2)
    #expect(throws: FlagRefusal.self) { try store.publish(changing: "a", to: "{}", at: 2) }
    #expect(store.current === good)
  }

  @Test("One flag is replaced, added and removed; the document says the same as the flags")
  func changing() throws {
    for text in [
      #"{"x": 1, "flags": {"a":\#(Self.flag),"b":\#(Self.flag)}, "metadata": {"m": 1}}"#,
      #"{"flags": [{"key":"a",\#(Self.flag.dropFirst()), {"key":"b",\#(Self.flag.dropFirst())]}"#,
      #"{"flags": {"a":\#(Self.off),"b":\#(Self.flag),"a":\#(Self.flag)}}"#,
    ] {
      let store = FlagStore(environment: "e")
      try store.publish(definitions: text, at: 1)
      try store.publish(changing: "a", to: Self.off, at: 2)
      try store.publish(changing: "c \"quoted\"", to: Self.flag, at: 3)
      let served = try store.publish(changing: "b", to: nil, at: 4)
      #expect(served.flags.flagKeys == ["a", "c \"quoted\""])
      #expect(value("a", of: served) == nil)
      #expect(value("c \"quoted\"", of: served) == "on")
      let again = try FlagSet(json: served.definitions)
      #expect(again.flagKeys == served.flags.flagKeys, "\(served.definitions)")
      #expect(again.evaluate("a", for: EvaluationContext(), at: 0).reason == .disabled)
    }
  }

  @Test("A set without flags takes some")
  func empty() throws {
    for text in ["{}", #"{"metadata": {"a": 1}}"#, #"{"flags": {}}"#, #"{"flags": []}"#] {
      let store = FlagStore(environment: "e")
      try store.publish(definitions: text, at: 1)
      let served = try store.publish(changing: "a", to: Self.flag, at: 2)
      #expect(try FlagSet(json: served.definitions).flagKeys == ["a"], "\(served.definitions)")
    }
  }

  @Test("The tag tells definitions apart, and is the same for the same ones")
  func tags() throws {
    let (one, two) = (FlagStore(environment: "e"), FlagStore(environment: "e"))
    let text = #"{"flags":{"a":\#(Self.flag)}}"#
    #expect(try one.publish(definitions: text, at: 1).entityTag == two.publish(definitions: text, at: 9).entityTag)
    let before = one.current.entityTag
    #expect(try one.publish(changing: "a", to: Self.off, at: 2).entityTag != before)
    #expect(try one.publish(changing: "a", to: nil, at: 2).entityTag != before)
  }

  @Test("A subscriber that is slow finds the newest version only; listeners hear of each, in order")
  func watching() async throws {
    let store = FlagStore(environment: "e")
    let (id, versions) = store.subscribe()
    let heard = Heard()
    let listener = store.listen { heard.versions.append($0.version) }
    for number in 1...5 { try store.publish(changing: "a\(number)", to: Self.flag, at: 1) }
    store.unsubscribe(id)
    store.unsubscribe(listener)
    try store.publish(changing: "last", to: Self.flag, at: 1)
    var seen: [Int] = []
    for await served in versions { seen.append(served.version) }
    #expect(seen == [5])
    #expect(heard.versions == [1, 2, 3, 4, 5])
  }
}

private final class Heard: @unchecked Sendable {
  // Listeners are called one after the other.
  var versions: [Int] = []
}
