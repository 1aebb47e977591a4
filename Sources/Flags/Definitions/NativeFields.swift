/// What a flag of ours has beyond flagd's: who answers for it, until when it may live, what it waits for, its ramp.
package final class NativeFields: Sendable {
  package enum FlagKind: String, Sendable, CaseIterable {
    case release, experiment, operational, killSwitch = "kill-switch", permission
  }

  /// Another flag that has to serve one of these variants first.
  package struct Prerequisite: Sendable, Equatable {
    package let flag: String
    package let variants: [String]
  }

  /// A limit that a ramp keeps to. Carried as data; the ramp's machine looks at it.
  package struct Guardrail: Sendable, Equatable {
    package let name: String
    package let metric: String
    package let limit: Double
  }

  package let owner: String?
  package let kind: FlagKind
  /// When the flag must be gone.
  package let expiry: Instant
  package let prerequisites: [Prerequisite]
  /// Targeting and ramp work from here on; before, the default variant is served. Nil: always.
  package let from: Instant?
  /// Targeting and ramp work until here, exclusively. Nil: always.
  package let until: Instant?
  package let ramp: Ramp?
  package let guardrails: [Guardrail]

  init(_ definition: UnsafePointer<JSONView>, variants: JSONView, _ refuse: FlagRefusals) throws(FlagRefusal) {
    let fields = NativeReader(definition, refuse)
    owner = try fields.text("owner")
    kind = try fields.word("type", FlagKind.self) ?? .release
    guard let expiry = try fields.instant("expiry") else {
      throw refuse(definition, "has no `expiry`", next: "Write the day on which it must be gone, as 2027-01-31")
    }
    self.expiry = expiry
    prerequisites = try fields.list("prerequisites") { (entry) throws(FlagRefusal) in
      let flag = try entry.required("flag")
      let names = try entry.texts("variants")
      guard !names.isEmpty else {
        throw refuse(entry.slot, "has a prerequisite without `variants`", next: "Name those that it has to serve")
      }
      return Prerequisite(flag: flag, variants: names)
    }
    if let schedule = try fields.object("schedule") {
      from = try schedule.instant("from")
      until = try schedule.instant("until")
      if let from, let until, from >= until {
        throw refuse(schedule.slot, "has a schedule that ends before it begins", next: "Swap `from` and `until`")
      }
    } else {
      (from, until) = (nil, nil)
    }
    ramp = try fields.object("ramp").map { (entry) throws(FlagRefusal) in
      try Ramp(entry, variants: variants, refuse)
    }
    guardrails = try fields.list("guardrails") { (entry) throws(FlagRefusal) in
      Guardrail(
        name: try entry.required("name"), metric: try entry.required("metric"),
        limit: try entry.number("limit"))
    }
  }

  /// Whether targeting and ramp work at a moment.
  func isWithinSchedule(_ now: Int64) -> Bool {
    if let from, now < from.seconds { return false }
    if let until, now >= until.seconds { return false }
    return true
  }
}

/// Reads the fields of one object, each with its refusal.
struct NativeReader {
  let slot: UnsafePointer<JSONView>
  private let refuse: FlagRefusals

  init(_ slot: UnsafePointer<JSONView>, _ refuse: FlagRefusals) {
    self.slot = slot
    self.refuse = refuse
  }

  private func value(_ name: StaticString) -> UnsafePointer<JSONView>? {
    guard let pair = slot.pointee.pair(named: name), !pair[1].isNull else { return nil }
    return pair + 1
  }

  func text(_ name: StaticString) throws(FlagRefusal) -> String? {
    guard let value = value(name) else { return nil }
    guard let text = value.pointee.string, !text.isEmpty else {
      throw refuse(value, "has `\(name)` that is no text", next: "Write a text")
    }
    return text
  }

  func required(_ name: StaticString) throws(FlagRefusal) -> String {
    if let text = try text(name) { return text }
    throw refuse(slot, "lacks `\(name)` here", next: "Write it")
  }

  func word<Word: RawRepresentable<String> & CaseIterable>(_ name: StaticString, _ type: Word.Type)
    throws(FlagRefusal) -> Word?
  {
    guard let text = try text(name) else { return nil }
    if let word = Word(rawValue: text) { return word }
    let known = Word.allCases.map(\.rawValue).sorted()
    throw refuse(
      value(name) ?? slot, "has `\(name)` `\(text)`, which is none of \(known.joined(separator: ", "))",
      next: "Write one of them", unknown: text, known: known)
  }

  func instant(_ name: StaticString) throws(FlagRefusal) -> Instant? {
    guard let value = value(name) else { return nil }
    if value.pointee.kind == .text, let instant = Instant(value.pointee.utf8) { return instant }
    throw refuse(value, "has `\(name)` that is no moment", next: "Write it as 2027-01-31 or 2027-01-31T12:00:00Z")
  }

  func number(_ name: StaticString) throws(FlagRefusal) -> Double {
    guard let value = value(name), let number = value.pointee.number else {
      throw refuse(value(name) ?? slot, "lacks a number as `\(name)` here", next: "Write it")
    }
    return number
  }

  /// A whole number within a range.
  func whole(_ name: StaticString, in range: ClosedRange<Int64>) throws(FlagRefusal) -> Int {
    guard let value = value(name), let number = value.pointee.integer, range.contains(number) else {
      throw refuse(
        value(name) ?? slot, "lacks a whole number from \(range.lowerBound) to \(range.upperBound) as `\(name)` here",
        next: "Write it")
    }
    return Int(number)
  }

  func texts(_ name: StaticString) throws(FlagRefusal) -> [String] {
    guard let value = value(name) else { return [] }
    var texts: [String] = []
    for element in value.pointee.elements {
      guard let text = element.string else { break }
      texts.append(text)
    }
    guard value.pointee.kind == .array, texts.count == Int(value.pointee.count) else {
      throw refuse(value, "has `\(name)` that is no list of texts", next: "Write a list of texts")
    }
    return texts
  }

  func object(_ name: StaticString) throws(FlagRefusal) -> NativeReader? {
    guard let value = value(name) else { return nil }
    guard value.pointee.kind == .object else {
      throw refuse(value, "has `\(name)` that is no object", next: "Write an object")
    }
    return NativeReader(value, refuse)
  }

  func list<Element>(
    _ name: StaticString, _ read: (NativeReader) throws(FlagRefusal) -> Element
  ) throws(FlagRefusal) -> [Element] {
    guard let value = value(name) else { return [] }
    guard value.pointee.kind == .array else {
      throw refuse(value, "has `\(name)` that is no list", next: "Write a list")
    }
    var elements: [Element] = []
    for position in 0..<Int(value.pointee.count) {
      let element = value.pointee.children + position
      guard element.pointee.kind == .object else {
        throw refuse(element, "has something in `\(name)` that is no object", next: "Write an object")
      }
      elements.append(try read(NativeReader(element, refuse)))
    }
    return elements
  }
}
