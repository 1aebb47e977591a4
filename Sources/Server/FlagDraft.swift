import Crypto
import Flags
import Foundation
import Kernel
import Ramps

/// A definition as somebody sent it: linted among the flags that there are, completed, ready for the machine.
package struct FlagDraft: Sendable {
  package let definition: FlagDefinition
  /// What was filled in or left out, a sentence each.
  let notes: [String]
  /// False where the expiry is the usual time from now.
  package let isExpiryNamed: Bool

  /// Members that a definition may have, for the nearest match; `unit` and `service` are the control plane's own.
  static let members = [
    "defaultVariant", "expiry", "guardrails", "metadata", "owner", "prerequisites", "schedule", "service", "state",
    "targeting", "type", "unit", "variants",
  ]
  /// Of the same object where a body is the definition itself.
  static let envelope = ["definition", "environments", "key", "over", "reason"]
  /// 100 years: every date that is meant is nearer.
  static let longestLife = Span.minutes(100 * 365.25 * 24 * 60)
  /// Findings in one answer: who mends three sends it again.
  static let findingLimit = 3

  /// - Parameters:
  ///   - text: a JSON object: the definition, or a body with the definition's members in it.
  ///   - others: every flag that there is, this one included.
  ///   - segments: that rules may name.
  ///   - owner: where none is named.
  /// - Throws: `Refusal.malformed` with line, column and nearest match.
  package init(
    _ text: String, of key: FlagKey, among others: [FlagKey: FeatureFlag.State],
    segments: [FlagDefinition.Member] = [], owner: String, now: Kernel.Instant
  ) throws(Refusal) {
    guard text.utf8.count <= FlagDefinition.sizeLimit else {
      throw Refusal(
        .malformed,
        "Flag \(key) has \(text.utf8.count) bytes, more than \(FlagDefinition.sizeLimit): keep data where data is kept."
      )
    }
    let sent = try Self.reading { () throws(FlagRefusal) in
      try MemberTexts(text, subject: "flag `\(key)`", limit: FlagDefinition.sizeLimit)
    }
    for member in sent.members where !Self.members.contains(member.name) && !Self.envelope.contains(member.name) {
      throw Self.unknown(member, of: key)
    }
    var notes: [String] = []
    let added = Self.completion(of: sent, owner: owner, now: now, notes: &notes)
    let prerequisites = try Self.prerequisites(sent, of: key, among: others)
    let document = Self.document(text, added, key, prerequisites, others, segments)
    // The definition begins on the second line, so its places are its own, one line further down.
    let findings = FlagLint.findings(in: document).map { Self.words($0, below: 1) }
    guard findings.isEmpty else {
      let rest = findings.count - Self.findingLimit
      throw Refusal(
        .malformed,
        findings.prefix(Self.findingLimit).joined(separator: " ") + (rest > 0 ? " And \(rest) more." : ""))
    }
    let compiled = try Self.reading(below: 1) { () throws(FlagRefusal) in try FlagSet(json: document) }
    guard let position = compiled.position(of: key.rawValue) else {
      throw Refusal(.malformed, "Flag \(key) cannot be read: send its definition again.")
    }
    let flag = compiled.flag(at: position)
    let expiry = Kernel.Instant(milliseconds: (flag.native?.expiry.seconds ?? 0) * 1000)
    guard expiry <= now + Self.longestLife else {
      let place = sent.member("expiry").map { "Line \($0.line), column \($0.column): " } ?? ""
      throw Refusal(
        .malformed,
        "\(place)flag \(key) expires on \(Self.timestamp(expiry).prefix(10)), more than 100 years ahead: name a nearer "
          + "day.")
    }
    let members = (sent.members.map { ($0.name, $0.json) } + added).filter { !Self.isOutside($0.0) }
      .map { FlagDefinition.Member(name: $0.0, json: $0.1) }
    if sent.member("state") != nil {
      notes.append("`state` is not kept: each environment has a switch of its own.")
    }
    let unit = try Self.text("unit", in: sent, of: key)
    let service = try Self.service(in: sent, of: key)
    func definition(hash: Kernel.Digest) -> FlagDefinition {
      FlagDefinition(
        members: members, hash: hash, variants: flag.variantMembers.compactMap(\.name.string),
        prerequisites: prerequisites, owner: flag.native?.owner ?? owner,
        kind: FlagDefinition.Kind(rawValue: flag.native?.kind.rawValue ?? "") ?? .release,
        expiry: expiry, unit: unit, service: service)
    }
    // Of what it says, so it is known only once all is.
    let blank = try Self.hash(of: "")
    self.definition = definition(hash: try Self.hash(definition(hash: blank).named(own: true)))
    self.notes = notes
    isExpiryNamed = sent.member("expiry") != nil
  }

  // MARK: Parts

  private static func isOutside(_ name: String) -> Bool {
    envelope.contains(name) || FlagDefinition.ownMembers.contains(name) || name == "unit" || name == "service"
  }

  /// Members that were not sent and have to be there.
  private static func completion(
    of sent: MemberTexts, owner: String, now: Kernel.Instant, notes: inout [String]
  ) -> [(String, String)] {
    var added: [(String, String)] = []
    if sent.member("state") == nil { added.append(("state", "\"ENABLED\"")) }
    if sent.member("variants") == nil {
      added.append(("variants", "{\"on\":true,\"off\":false}"))
      if sent.member("defaultVariant") == nil { added.append(("defaultVariant", "\"off\"")) }
      notes.append("It has the variants on (true) and off (false), because none were named; off is the default.")
    }
    if sent.member("owner") == nil {
      added.append(("owner", quoted(owner)))
      notes.append("Its owner is \(owner), because none was named.")
    }
    if sent.member("expiry") == nil {
      let expiry = now + FlagDefinition.defaultLife
      added.append(("expiry", quoted(timestamp(expiry))))
      notes.append(
        "It expires on \(timestamp(expiry).prefix(10)), in 30 days, because no expiry was named.")
    }
    return added
  }

  /// The definition on a line of its own, with what it lacks behind its last member, and the flags that it rests on.
  private static func document(
    _ text: String, _ added: [(String, String)], _ key: FlagKey, _ prerequisites: [FlagKey],
    _ others: [FlagKey: FeatureFlag.State], _ segments: [FlagDefinition.Member]
  ) -> String {
    var body = text
    if let brace = body.lastIndex(of: "}") { body = String(body[..<brace]) }
    let isEmpty = body.drop { $0.isWhitespace || $0 == "{" }.isEmpty
    let more = added.map { "\(quoted($0.0)):\($0.1)" }.joined(separator: ",")
    var document = "{\"plimsoll\":1,\"flags\":{\(quoted(key.rawValue)):\n" + body
    document += (isEmpty || more.isEmpty ? "" : ",") + more + "}"
    for other in closure(of: prerequisites, without: key, others) {
      guard let definition = others[other]?.definition else { continue }
      document += ",\n\(quoted(other.rawValue)):\(definition.native(state: "ENABLED"))"
    }
    return document + "},\"segments\":{\(named(segments, in: document))}}"
  }

  /// What prerequisites rest on in turn, each once, nearest first.
  static func closure(
    of prerequisites: [FlagKey], without key: FlagKey, _ others: [FlagKey: FeatureFlag.State]
  ) -> [FlagKey] {
    var found: [FlagKey] = []
    var seen: Set<FlagKey> = [key]
    var layer = prerequisites
    while !layer.isEmpty {
      let fresh = layer.filter { seen.insert($0).inserted }
      found += fresh
      layer = fresh.flatMap { others[$0]?.definition?.prerequisites ?? [] }
    }
    return found
  }

  private struct Prerequisite: Decodable {
    let flag: String
  }

  private static func prerequisites(
    _ sent: MemberTexts, of key: FlagKey, among others: [FlagKey: FeatureFlag.State]
  ) throws(Refusal) -> [FlagKey] {
    guard let member = sent.member("prerequisites"),
      let named = try? JSONDecoder().decode([Prerequisite].self, from: Data(member.json.utf8))
    else { return [] }
    var found: [FlagKey] = []
    for flag in named.map(\.flag) {
      guard let other = FlagKey(rawValue: flag), other == key || others[other]?.isLive == true else {
        let living = others.filter { $0.value.isLive && $0.key != key }.keys.map(\.rawValue).sorted()
        let next =
          if let key = FlagKey(rawValue: flag), others[key]?.archived != nil {
            "it is archived."
          } else if let near = nearestMatch(to: flag, among: living) {
            "did you mean \(near)?"
          } else {
            "create it first."
          }
        throw Refusal(
          .malformed,
          "Line \(member.line), column \(member.column): flag \(key) has the prerequisite '\(Lookup.shown(flag))', "
            + "which does not exist: \(next)")
      }
      if !found.contains(other) { found.append(other) }
    }
    return found
  }

  private static func text(_ name: String, in sent: MemberTexts, of key: FlagKey) throws(Refusal) -> String? {
    guard let member = sent.member(name), member.json != "null" else { return nil }
    guard let text = try? JSONDecoder().decode(String.self, from: Data(member.json.utf8)), !text.isEmpty else {
      throw Refusal(
        .malformed,
        "Line \(member.line), column \(member.column): `\(name)` of flag \(key) is no text: write one, or leave it out."
      )
    }
    return text
  }

  private static func service(in sent: MemberTexts, of key: FlagKey) throws(Refusal) -> ServiceName? {
    guard let text = try text("service", in: sent, of: key) else { return nil }
    guard let service = ServiceName(rawValue: text) else {
      throw Refusal(
        .malformed, "'\(Lookup.shown(text))' is no service of flag \(key): name one of plimsoll.yaml, or leave it out.")
    }
    return service
  }

  private static func unknown(_ member: MemberTexts.Member, of key: FlagKey) -> Refusal {
    let next =
      if member.name == "ramp" {
        "shares come from ramps: start one with 'plimsoll flag ramp', and name its attribute as `unit`."
      } else if let near = nearestMatch(to: member.name, among: members) {
        "did you mean \(near)?"
      } else {
        "it may have \(members.joined(separator: ", "))."
      }
    return Refusal(
      .malformed,
      "Line \(member.line), column \(member.column): flag \(key) has `\(Lookup.shown(member.name))`, which means nothing "
        + "here: \(next)")
  }

  /// Whatever its blanks, the order of its members and what was filled in.
  private static func hash(_ members: [FlagDefinition.Member]) throws(Refusal) -> Kernel.Digest {
    var lines: [String] = []
    for member in members {
      let tape = try reading { () throws(FlagRefusal) in
        try JSONReader.tape(of: member.json, subject: "`\(member.name)`", limit: FlagDefinition.sizeLimit)
      }
      lines.append("\(quoted(member.name)):\(JSONWriter.text(of: tape.root))")
    }
    return try hash(of: lines.sorted().joined(separator: ","))
  }

  private static func hash(of text: String) throws(Refusal) -> Kernel.Digest {
    let hex = SHA256.hash(data: Data(text.utf8)).map { String(format: "%02x", $0) }.joined()
    guard let digest = Kernel.Digest(rawValue: "sha256:\(hex)") else {
      throw Refusal(.malformed, "The definition cannot be hashed: send it again.")
    }
    return digest
  }

  // MARK: Words

  /// - Parameter below: lines that stand before the text that was sent.
  static func words(_ refusal: FlagRefusal, below lines: Int = 0) -> String {
    let next =
      refusal.unknown.flatMap { nearestMatch(to: $0, among: refusal.known) }.map { "did you mean \($0)?" }
      ?? "\(refusal.nextStep.prefix(1).lowercased())\(refusal.nextStep.dropFirst())."
    let clause = "\(refusal.subject) \(refusal.cause): \(next)"
    guard let line = refusal.line, let column = refusal.column, line > lines else { return Words.sentence(clause) }
    return "Line \(line - lines), column \(column): \(clause)"
  }

  static func reading<Value>(below lines: Int = 0, _ body: () throws(FlagRefusal) -> Value) throws(Refusal) -> Value {
    do throws(FlagRefusal) {
      return try body()
    } catch {
      throw Refusal(.malformed, words(error, below: lines))
    }
  }

  static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    var copy = text
    copy.withUTF8 { JSONWriter.write(UnsafeRawBufferPointer($0), to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// `2027-01-31T12:00:00Z`
  static func timestamp(_ instant: Kernel.Instant) -> String {
    Date(timeIntervalSince1970: Double(instant.milliseconds) / 1000).formatted(Date.ISO8601FormatStyle())
  }
}

extension FlagDefinition {
  /// The flag's object in native definitions, and `unit` and `service` beside it.
  func native(state: String? = nil, own: Bool = false) -> String {
    let fields = named(own: own).map { "\(FlagDraft.quoted($0.name)):\($0.json)" }
    return "{" + ((state.map { ["\"state\":\"\($0)\""] } ?? []) + fields).joined(separator: ",") + "}"
  }

  /// The same for people, a member a line.
  var written: String {
    "{\n" + named(own: true).map { "  \(FlagDraft.quoted($0.name)): \($0.json)" }.joined(separator: ",\n") + "\n}"
  }

  /// - Parameter own: with what only the control plane knows.
  func named(own: Bool) -> [Member] {
    var all = members
    all.append(Member(name: "owner", json: FlagDraft.quoted(owner)))
    all.append(Member(name: "type", json: FlagDraft.quoted(kind.rawValue)))
    all.append(Member(name: "expiry", json: FlagDraft.quoted(FlagDraft.timestamp(expiry))))
    if own, let unit { all.append(Member(name: "unit", json: FlagDraft.quoted(unit))) }
    if own, let service { all.append(Member(name: "service", json: FlagDraft.quoted(service.rawValue))) }
    return all
  }
}
