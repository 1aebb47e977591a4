import Kernel

// What clients are given: a pure function of the state, so that no message is needed to take anything back, and a
// restart serves what was decided.

extension FeatureFlag.State {
  /// The flag's object in native definitions (`docs/flags.md`) as an environment serves it; nil when it serves none. It
  /// changes with events alone, so the position of the last event that changed it is its version.
  ///
  /// A flag that is off comes without its rules: nobody evaluates them, and nothing that they name can keep it from
  /// being served off. Where the flag was never placed, or is archived while others still need it, it is `DISABLED`:
  /// definitions that name it as a prerequisite stay valid and get their default.
  package func served(in environment: EnvironmentName) -> String? {
    guard let revision = revisions.first, archived == nil || !dependents.isEmpty else { return nil }
    let definition = revision.definition
    let placement = archived == nil ? placements.first { $0.environment == environment } : nil
    let isOn = placement?.isOn == true
    var members: [FlagDefinition.Member] = [.init(name: "state", json: isOn ? "\"ENABLED\"" : "\"DISABLED\"")]
    let override = isOn ? placement?.override ?? [] : []
    members += definition.members.filter { isOn || !Self.rules.contains($0.name) }.map { member in
      override.first { $0.name == member.name } ?? member
    }
    members += override.filter { member in !definition.members.contains { $0.name == member.name } }
    if isOn, let placement, !placement.allocation.shares.isEmpty { members.append(ramp(placement, definition)) }
    members.append(.init(name: "owner", json: jsonText(definition.owner)))
    members.append(.init(name: "type", json: jsonText(definition.kind.rawValue)))
    members.append(.init(name: "expiry", json: jsonText(definition.expiry.iso8601)))
    return "{" + members.map { "\(jsonText($0.name)):\($0.json)" }.joined(separator: ",") + "}"
  }

  /// Members that say who gets what.
  private static let rules = ["prerequisites", "schedule", "targeting"]

  private func ramp(_ placement: FeatureFlag.Placement, _ definition: FlagDefinition) -> FlagDefinition.Member {
    let shares = placement.allocation.shares.map {
      "{\"variant\":\(jsonText($0.variant)),\"from\":\($0.from),\"to\":\($0.to)}"
    }
    let unit = jsonText(definition.unit ?? "targetingKey")
    return .init(
      name: "ramp",
      json:
        "{\"salt\":\(jsonText(salt)),\"attribute\":\(unit),\"allocation\":[\(shares.joined(separator: ","))]}")
  }
}

/// A text as JSON has it (RFC 8259, section 7).
func jsonText(_ text: String) -> String {
  var written = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": written += "\\\""
    case "\\": written += "\\\\"
    case "\n": written += "\\n"
    case "\r": written += "\\r"
    case "\t": written += "\\t"
    case let control where control.value < 0x20:
      let digits = String(control.value, radix: 16)
      written += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: written.unicodeScalars.append(scalar)
    }
  }
  return written + "\""
}

extension Instant {
  /// "2027-01-31T12:00:00Z"; milliseconds are dropped. The calendar is that of H. Hinnant's `civil_from_days`: years that
  /// begin in March, in eras of 400 years.
  var iso8601: String {
    let seconds = wholeSeconds
    let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
    let rest = seconds - days * 86_400
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func padded(_ number: Int64, _ width: Int = 2) -> String {
      let digits = "\(number)"
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(padded(year, 4))-\(padded(month))-\(padded(day))T\(padded(rest / 3600)):\(padded(rest / 60 % 60))"
      + ":\(padded(rest % 60))Z"
  }
}
