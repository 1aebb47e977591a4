extension UnleashFeatureSet {
  /// Whether the feature is on; nil when it is not known.
  ///
  /// - Parameters:
  ///   - at: the current time, seconds since 1970, for contexts that name none.
  ///   - chance: 64 random bits.
  @inline(__always)
  public func isEnabled(_ feature: String, for context: UnleashContext, at: Int64, chance: UInt64) -> Bool? {
    var feature = feature
    return feature.withUTF8 { isEnabled(UnsafeRawBufferPointer($0), for: context, at: at, chance: chance) }
  }

  /// The variant that the feature shows; nil when the feature is not known. Parameters as in
  /// ``isEnabled(_:for:at:chance:)``.
  public func variant(
    of feature: String, for context: UnleashContext, at: Int64, chance: UInt64
  ) -> UnleashVariant? {
    var feature = feature
    return feature.withUTF8 { variant(of: UnsafeRawBufferPointer($0), for: context, at: at, chance: chance) }
  }

  /// By the name's bytes; see ``isEnabled(_:for:at:chance:)``.
  public func isEnabled(
    _ feature: UnsafeRawBufferPointer, for context: UnleashContext, at: Int64, chance: UInt64
  ) -> Bool? {
    evaluation(of: feature, for: context, at: at, chance: chance) { evaluation, entry in
      evaluation.isEnabled(entry)
    }
  }

  /// By the name's bytes; see ``variant(of:for:at:chance:)``.
  public func variant(
    of feature: UnsafeRawBufferPointer, for context: UnleashContext, at: Int64, chance: UInt64
  ) -> UnleashVariant? {
    evaluation(of: feature, for: context, at: at, chance: chance) { evaluation, entry in
      guard evaluation.isEnabled(entry) else {
        return UnleashVariant(program: entry.program, index: -1, isFeatureEnabled: false)
      }
      return UnleashVariant(program: entry.program, index: evaluation.variant(entry), isFeatureEnabled: true)
    }
  }

  @inline(__always)
  private func evaluation<Result>(
    of feature: UnsafeRawBufferPointer, for context: UnleashContext, at: Int64, chance: UInt64,
    _ body: (inout UnleashEvaluation, borrowing Entry) -> Result
  ) -> Result? {
    entries.withUnsafeBufferPointer { entries in
      table.withUnsafeBufferPointer { table in
        guard let position = Self.find(feature, hash: JSONIndex.hash(feature), in: table, entries) else { return nil }
        var evaluation = UnleashEvaluation(
          entries: entries, table: table, context: context.storage.view, asked: feature, at: at, chance: chance)
        let result = body(&evaluation, entries[position])
        // The view's addresses are the storage's.
        withExtendedLifetime(context) {}
        return result
      }
    }
  }
}
