import Flags

/// Our answers beside those of the reference.
struct UnleashComparison {
  /// Answers that agreed, that chance decided (and that chance could have decided so), and that both sides refused.
  var agreed = 0
  var byChance = 0
  var refused = 0
  /// Differences in words, at most ``mostWords``.
  var differences: [String] = []
  var differenceCount = 0

  private static let mostWords = 40
  /// 2026-11-23; dates of the cases lie far from it on both sides.
  static let now: Int64 = 1_795_370_000
  /// Enough draws that a variant of one in 2,000 is missed once in 10⁴⁰.
  private static let patience: UInt64 = 200_000

  private struct Shown: Hashable {
    var name: String
    var payloadType: String?
    var payload: String?
    var isEnabled: Bool
  }

  /// - Parameter answer: a line of `unleash_peer.py`.
  mutating func add(_ test: UnleashCase, answer: String, label: String) {
    guard let tape = try? JSONReader.tape(of: answer, subject: "the answer", limit: 1 << 24) else {
      return differ("\(label): no answer: \(answer.prefix(200))")
    }
    let parts = tape.root.elements
    guard parts.count == 2 else { return differ("\(label): no answer: \(answer.prefix(200))") }
    var features = UnleashFeatureSet()
    for (index, message) in test.messages.enumerated() {
      let taken = (try? features.apply(json: message.text)) != nil
      if taken != parts[0].elements[index].isTrue {
        return differ("\(label): message \(index) taken by us: \(taken): \(message.text)")
      }
      if !taken { refused += 1 }
    }
    var position = 0
    for context in test.contexts {
      // Without a host: the reference's Python build does not know where it runs.
      guard let built = try? UnleashContext(json: context.text) else {
        return differ("\(label): context refused: \(context.text)")
      }
      for feature in test.features {
        compare(parts[1].elements[position], feature, built, features) {
          "\(label): \(feature) for \(context.text) in \(test.messages.map(\.text).joined(separator: "\n   "))"
        }
        position += 1
      }
    }
    withExtendedLifetime(tape) {}
  }

  private mutating func compare(
    _ answer: JSONView, _ feature: String, _ context: UnleashContext, _ features: UnleashFeatureSet,
    _ words: () -> String
  ) {
    func ours(_ chance: UInt64) -> (isOn: Bool, shown: Shown, featureIsOn: Bool)? {
      guard let isOn = features.isEnabled(feature, for: context, at: Self.now, chance: chance),
        let variant = features.variant(of: feature, for: context, at: Self.now, chance: chance)
      else { return nil }
      let payload = variant.payload
      return (
        isOn,
        Shown(name: variant.name, payloadType: payload?.type, payload: payload?.value, isEnabled: variant.isEnabled),
        variant.isFeatureEnabled
      )
    }
    guard let first = ours(0) else {
      if answer.isNull { agreed += 1 } else { differ("we do not know it: \(words())") }
      return
    }
    let values = answer.elements
    guard values.count == 6 else { return differ("reference says \(JSONWriter.text(of: answer)): \(words())") }
    let isOn = values[0].isTrue
    let shown = Shown(
      name: values[1].string ?? "", payloadType: values[2].string, payload: values[3].string,
      isEnabled: values[4].isTrue)
    let featureIsOn = values[5].isTrue
    if first.isOn == isOn, first.shown == shown, first.featureIsOn == featureIsOn {
      agreed += 1
      return
    }
    // The reference draws anew for each of its three answers, so each alone must be possible.
    var missing = (on: true, shown: true, feature: true)
    for chance in 0..<Self.patience {
      guard let other = ours(chance &* 0x2545_F491_4F6C_DD1D) else { break }
      if other.isOn == isOn { missing.on = false }
      if other.shown == shown { missing.shown = false }
      if other.featureIsOn == featureIsOn { missing.feature = false }
      if !missing.on, !missing.shown, !missing.feature {
        byChance += 1
        return
      }
      // Without chance all draws are alike; no need to go on.
      if chance == 2_000, missing.on || missing.feature { break }
    }
    differ("ours \(first), reference \(JSONWriter.text(of: answer)): \(words())")
  }

  private mutating func differ(_ words: String) {
    differenceCount += 1
    if differences.count < Self.mostWords { differences.append(words) }
  }
}
