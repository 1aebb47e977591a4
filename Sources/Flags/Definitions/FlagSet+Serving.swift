/// What a server of flags needs beyond evaluating them.
extension Flag {
  /// Whether it gives every context the same answer at every moment.
  package var isConstant: Bool {
    guard isEnabled else { return true }
    guard targeting == .none else { return false }
    guard let native else { return true }
    return native.prerequisites.isEmpty && native.from == nil && native.until == nil && native.ramp == nil
  }

  /// Variants' names and values, in their order.
  package var variantMembers: JSONMembers { variants.members }

  /// Whether one of its numbers was written with a fraction, so that its clients expect a fraction in each.
  package var hasFractions: Bool { variants.members.contains { $0.value.kind == .double } }
}

extension FlagSet {
  /// Metadata of the set with a flag's own over it, by name.
  package func metadata(ofFlagAt position: Int) -> [(name: String, value: JSONView)] {
    metadata(of: Evaluation(.static, of: Int32(truncatingIfNeeded: position)))
  }
}
