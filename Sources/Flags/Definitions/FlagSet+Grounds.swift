/// What decided an evaluation, for people who ask why; made anew when somebody asks, never while evaluating.
package struct EvaluationGrounds: Sendable {
  /// Where a ramp puts the subject.
  package struct Place: Sendable, Equatable {
    /// The attribute that tells subjects apart.
    package let attribute: String
    package let subject: String
    /// From 0 to ``Allocation/buckets`` - 1.
    package let bucket: Int
    package let shares: [Share]
  }

  /// What a ramp gives a variant.
  package struct Share: Sendable, Equatable {
    package let variant: String
    package let buckets: Range<Int>
  }

  /// A prerequisite, and what it serves instead.
  package struct Unmet: Sendable, Equatable {
    package let flag: String
    package let variants: [String]
    /// Nil for the caller's default.
    package let served: String?
  }

  /// Nil unless the flag's ramp was asked.
  package let place: Place?
  /// Nil unless a prerequisite held the flag back.
  package let unmet: Unmet?
}

/// One branch of a flag's targeting, as it is written.
package struct TargetingBranch: Sendable, Equatable {
  /// Line of the condition, or of the result without one; from 1.
  package let line: Int
  /// JSON; nil for what stands behind all conditions, and for a rule that is no `if`.
  package let condition: String?
  /// JSON.
  package let result: String
}

extension FlagSet {
  /// What decided an evaluation of this set for a context; nothing but nils where rules alone did.
  package func grounds(
    of evaluation: Evaluation, for context: EvaluationContext, at seconds: Int64
  ) -> EvaluationGrounds {
    guard evaluation.flag >= 0, let native = flags[Int(evaluation.flag)].native else {
      return EvaluationGrounds(place: nil, unmet: nil)
    }
    let flag = flags[Int(evaluation.flag)]
    return EvaluationGrounds(
      place: evaluation.reason == .split ? native.ramp.flatMap { place(in: $0, of: flag, context) } : nil,
      unmet: evaluation.cause == .prerequisiteUnmet ? unmet(native.prerequisites, context, seconds) : nil)
  }

  private func place(in ramp: Ramp, of flag: Flag, _ context: EvaluationContext) -> EvaluationGrounds.Place? {
    let value = ramp.attribute.withUnsafeBytes { context.attributes.member($0) } ?? .null
    guard let subject = value.string else { return nil }
    let bucket = ramp.saltBytes.withUnsafeBytes {
      Allocation.bucket(salt: $0, subject: value.utf8, hashesText: hashesText)
    }
    return EvaluationGrounds.Place(
      attribute: String(decoding: ramp.attribute, as: UTF8.self), subject: subject, bucket: bucket,
      shares: ramp.allocation.shares.map {
        .init(variant: flag.variants.children[2 * Int($0.variant)].string ?? "", buckets: $0.buckets)
      })
  }

  private func unmet(
    _ prerequisites: [NativeFields.Prerequisite], _ context: EvaluationContext, _ seconds: Int64
  ) -> EvaluationGrounds.Unmet? {
    for prerequisite in prerequisites {
      let served = variant(of: evaluate(prerequisite.flag, for: context, at: seconds))
      if let served, prerequisite.variants.contains(served) { continue }
      return .init(flag: prerequisite.flag, variants: prerequisite.variants, served: served)
    }
    return nil
  }

  /// Branches of a flag's targeting in the text of definitions: those of an outermost `if`, else the rule as a whole;
  /// empty without targeting or flag.
  ///
  /// - Throws: `FlagRefusal` when the text is no JSON.
  package static func branches(ofTargetingOf key: String, in json: String) throws(FlagRefusal) -> [TargetingBranch] {
    var copy = json
    let result: Result<[TargetingBranch], FlagRefusal> = copy.withUTF8 { bytes in
      do throws(FlagRefusal) {
        let tape = try JSONReader.tape(
          of: bytes, subject: "the text of the definitions", limit: sizeLimit, builder: JSONBuilder(keepsOffsets: true))
        return .success(branches(of: key, tape, bytes))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private static func branches(
    of key: String, _ tape: JSONTape, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> [TargetingBranch] {
    func branch(_ condition: UnsafePointer<JSONView>?, _ result: UnsafePointer<JSONView>) -> TargetingBranch {
      TargetingBranch(
        line: TextPlace(of: tape.offset(of: condition ?? result), in: bytes).line,
        condition: condition.map { JSONWriter.text(of: $0.pointee) }, result: JSONWriter.text(of: result.pointee))
    }
    let flags = tape.root.member("flags") ?? .null
    let listed = flags.elements.last { $0.member("key")?.string == key }
    let named = flags.members.first { $0.name.string == key }?.value
    guard let rule = (named ?? listed)?.pair(named: "targeting").map({ $0 + 1 }), rule.pointee.kind == .object,
      rule.pointee.count > 0
    else { return [] }
    guard rule.pointee.count == 1, let choice = rule.pointee.pair(named: "if") ?? rule.pointee.pair(named: "?:"),
      choice[1].kind == .array
    else { return [branch(nil, rule)] }
    let arguments = choice[1].children
    return stride(from: 0, to: Int(choice[1].count), by: 2).map { position in
      position + 1 < Int(choice[1].count)
        ? branch(arguments + position, arguments + position + 1) : branch(nil, arguments + position)
    }
  }
}
