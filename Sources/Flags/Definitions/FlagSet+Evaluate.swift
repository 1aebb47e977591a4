extension FlagSet {
  /// Bytes on the stack that an evaluation computes with before it takes any from the heap. The standard library keeps
  /// temporary memory up to this size on the stack.
  private static let stackScratch = 1024

  /// Evaluates one flag.
  ///
  /// - Parameter seconds: now, since 1970; rules see it as `$flagd.timestamp`.
  /// - Parameter expecting: the type that the caller can use; another one is an error. Nil: any.
  /// - Complexity: of the flag's rules. Nothing is allocated while its lists and texts fit 1 KiB.
  public func evaluate(
    _ key: String, for context: EvaluationContext, at seconds: Int64, expecting type: FlagType? = nil
  ) -> Evaluation {
    let found =
      key.utf8.withContiguousStorageIfAvailable { position(of: UnsafeRawBufferPointer($0)) }
      ?? position(of: key)
    guard let position = found else { return .failed(.flagNotFound, .flagNotFound, of: -1) }
    return evaluate(at: position, for: context, at: seconds, expecting: type)
  }

  /// Evaluates the flag at a position, for a caller who evaluates many in order.
  package func evaluate(
    at position: Int, for context: EvaluationContext, at seconds: Int64, expecting type: FlagType? = nil
  ) -> Evaluation {
    let evaluation = evaluate(at: position, for: context, at: seconds, way: 0)
    // The caller's default has the type that the caller wants.
    guard let type, evaluation.variant >= 0 else { return evaluation }
    return Self.fits(value(of: evaluation), type)
      ? evaluation : .failed(.typeMismatch, .typeMismatch, of: evaluation.flag)
  }

  private func evaluate(at position: Int, for context: EvaluationContext, at seconds: Int64, way: Int) -> Evaluation {
    let flag = heads[position]
    let index = Int32(truncatingIfNeeded: position)
    guard flag.isEnabled else { return Evaluation(.disabled, of: index) }
    if flag.isNative, let native = flags[position].native {
      guard isMet(native.prerequisites, for: context, at: seconds, way: way) else {
        return Self.fallback(flag, index, .default, .prerequisiteUnmet)
      }
      guard native.isWithinSchedule(seconds) else { return Self.fallback(flag, index, .default, .outsideSchedule) }
    }
    switch flag.targeting {
    case .malformed: return .failed(.parseError, .targetingIsNoObject, of: index)
    case .none: return ramped(flag, index, context) ?? Self.fallback(flag, index, .static)
    case .program:
      let outcome = run(flag, index, context, seconds)
      if outcome.reason == .default, outcome.variant == -1 {
        return ramped(flag, index, context) ?? Self.fallback(flag, index, .default)
      }
      return outcome
    }
  }

  /// What targeting chooses; reason `default` without a variant where it chooses nothing.
  private func run(_ flag: FlagHead, _ index: Int32, _ context: EvaluationContext, _ seconds: Int64) -> Evaluation {
    segments.withUnsafeBufferPointer { segments in
      withUnsafeTemporaryAllocation(byteCount: Self.stackScratch, alignment: 16) { memory in
        var evaluator = Evaluator(
          attributes: context.attributes, targetingKey: context.targetingKey, flagKey: flag.key, now: seconds,
          segments: segments.baseAddress, hashesText: hashesText, scratch: Scratch(memory))
        do throws(EvaluationFault) {
          let result = try evaluator.value(flag.program, Evaluator.context)
          return Self.chosen(result, flag, index)
        } catch {
          return .failed(error.code, error.cause, of: index)
        }
      }
    }
  }

  /// The variant that a result names.
  private static func chosen(_ result: JSONView, _ flag: FlagHead, _ index: Int32) -> Evaluation {
    if result.isNull { return Evaluation(.default, of: index) }
    guard let variant = VariantName.position(of: result, in: flag.variants),
      !flag.variants.children[2 * Int(variant)].isEmptyText, !flag.variants.children[2 * Int(variant) + 1].isNull
    else { return .failed(.general, .noSuchVariant, of: index) }
    return Evaluation(.targetingMatch, variant: variant, of: index)
  }

  /// The default variant, or the caller's default without one.
  private static func fallback(
    _ flag: FlagHead, _ index: Int32, _ reason: Evaluation.Reason, _ cause: Evaluation.Cause = .none
  ) -> Evaluation {
    switch flag.defaultVariant {
    case -1: Evaluation(.default, of: index, cause: cause)
    case -2: .failed(.general, .noSuchDefault, of: index)
    default: Evaluation(reason, variant: flag.defaultVariant, of: index, cause: cause)
    }
  }

  // MARK: Native fields

  private func isMet(
    _ prerequisites: [NativeFields.Prerequisite], for context: EvaluationContext, at seconds: Int64, way: Int
  ) -> Bool {
    // Circles are refused when the set is made; the limit holds whatever happens.
    guard way < Self.prerequisiteLimit else { return false }
    for prerequisite in prerequisites {
      let position = prerequisite.flag.utf8.withContiguousStorageIfAvailable {
        self.position(of: UnsafeRawBufferPointer($0))
      }
      guard let position = position ?? nil else { return false }
      let evaluation = evaluate(at: position, for: context, at: seconds, way: way + 1)
      guard evaluation.variant >= 0 else { return false }
      let served = flags[position].variants.children[2 * Int(evaluation.variant)]
      let isServed = prerequisite.variants.contains { name in
        name.utf8.withContiguousStorageIfAvailable { served.textEquals(UnsafeRawBufferPointer($0)) } ?? false
      }
      guard isServed else { return false }
    }
    return true
  }

  /// What the ramp's allocation gives the subject; nil without a ramp.
  private func ramped(_ flag: FlagHead, _ index: Int32, _ context: EvaluationContext) -> Evaluation? {
    guard flag.isNative, let ramp = flags[Int(index)].native?.ramp else { return nil }
    let subject = ramp.attribute.withUnsafeBytes { context.attributes.member($0) } ?? .null
    guard subject.kind == .text, subject.count > 0 else { return Self.fallback(flag, index, .default, .subjectMissing) }
    let bucket = ramp.saltBytes.withUnsafeBytes {
      Allocation.bucket(salt: $0, subject: subject.utf8, hashesText: hashesText)
    }
    guard let variant = ramp.allocation.variant(of: bucket) else { return Self.fallback(flag, index, .split) }
    return Evaluation(.split, variant: variant, of: index)
  }
}

extension JSONView {
  fileprivate var isEmptyText: Bool { kind == .text && count == 0 }
}

/// Which variant a result of targeting names.
enum VariantName {
  /// Texts by name; booleans as `true` and `false`; numbers as Python writes them. Lists and objects name none: flagd
  /// leaves them undefined.
  static func position(of result: JSONView, in variants: JSONView) -> Int32? {
    switch result.kind {
    case .text: return Flag.position(of: result.utf8, in: variants)
    case .boolean: return Flag.position(of: Evaluator.text(result.isTrue ? "true" : "false").utf8, in: variants)
    case .integer:
      return withUnsafeTemporaryAllocation(byteCount: DecimalInteger.capacity, alignment: 8) { room in
        let count = DecimalInteger.write(result.asInteger, to: room.baseAddress.unsafelyUnwrapped)
        return Flag.position(of: UnsafeRawBufferPointer(rebasing: room[..<count]), in: variants)
      }
    case .double: return position(of: result.asDouble, in: variants)
    case .null, .array, .object, .operation: return nil
    }
  }

  /// Only a name that reads as the same number is compared as a text, so that mostly nothing is written.
  private static func position(of number: Double, in variants: JSONView) -> Int32? {
    var position: Int32 = 0
    for (name, _) in variants.members {
      let written = JSONNumber.double(name.utf8)
      if written == number || !number.isFinite, name.string == number.description { return position }
      position += 1
    }
    return nil
  }
}
