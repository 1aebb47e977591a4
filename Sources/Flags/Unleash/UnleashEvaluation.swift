/// One evaluation: addresses and numbers only, so that it costs nothing to begin.
struct UnleashEvaluation {
  typealias Entry = UnleashFeatureSet.Entry

  let entries: UnsafeBufferPointer<Entry>
  let table: UnsafeBufferPointer<UInt32>
  let context: UnleashContextView
  /// The feature that was asked for. Parents without a group of their own are bucketed by its name too: so the
  /// reference does, and clients that evaluate by themselves must come to the same answer.
  let asked: UnsafeRawBufferPointer
  let at: Int64
  /// State of SplitMix64 (Steele, Lea, Flood 2014): each draw of one evaluation is its own.
  var chance: UInt64

  /// Seed of the hash that variants are drawn by, other than that of rollouts (Unleash client specification).
  static let variantSeed: UInt32 = 86_028_157

  // MARK: Features

  mutating func isEnabled(_ entry: borrowing Entry) -> Bool {
    let program = entry.program
    guard program.isOn else { return false }
    if program.dependencyCount > 0, !dependenciesHold(program) { return false }
    if entry.isBroken { return false }
    if program.strategyCount == 0 { return true }
    for index in 0..<program.strategyCount {
      if holds(program.strategies[index], program, entry.segments) { return true }
    }
    return false
  }

  /// Position of the variant; -1 for none. Whether the feature is on is the caller's question.
  mutating func variant(_ entry: borrowing Entry) -> Int32 {
    let program = entry.program
    if !entry.isBroken {
      for index in 0..<program.strategyCount {
        let strategy = program.strategies[index]
        guard holds(strategy, program, entry.segments) else { continue }
        if strategy.variants.run.count > 0 { return draw(strategy.variants, program) }
        break
      }
    }
    return draw(program.ownVariants, program)
  }

  /// Parents may have no parents themselves, which rules out cycles.
  private mutating func dependenciesHold(_ program: UnleashProgram) -> Bool {
    for index in 0..<program.dependencyCount {
      let dependency = program.dependencies[index]
      let name = program.text(dependency.feature)
      guard let position = UnleashFeatureSet.find(name, hash: dependency.hash, in: table, entries) else { return false }
      guard entries[position].program.dependencyCount == 0 else { return false }
      let isOn = isEnabled(entries[position])
      if dependency.variants.run.count > 0 {
        // Asked even of a parent that is off: the reference does.
        let shown = variant(entries[position])
        if shown >= 0 {
          let parent = entries[position].program
          let name = parent.text(parent.variants[Int(shown)].name)
          if !contains(dependency.variants, name, program) { return false }
        }
      }
      if isOn != dependency.wantsOn { return false }
    }
    return true
  }

  // MARK: Strategies

  private mutating func holds(
    _ strategy: UnleashStrategy, _ program: UnleashProgram, _ segments: [UnleashProgram?]
  ) -> Bool {
    guard follows(strategy, program) else { return false }
    let start = Int(strategy.constraints.start)
    for index in start..<start + Int(strategy.constraints.count) {
      if !holds(program.constraints + index, program) { return false }
    }
    let first = Int(strategy.segments.start)
    for index in first..<first + Int(strategy.segments.count) {
      guard let segment = segments[index] else { return false }
      for constraint in 0..<segment.constraintCount {
        if !holds(segment.constraints + constraint, segment) { return false }
      }
    }
    return true
  }

  private mutating func follows(_ strategy: UnleashStrategy, _ program: UnleashProgram) -> Bool {
    switch strategy.rule {
    case .always: return true
    case .never: return false
    case .users:
      guard let user = value(.userId) else { return false }
      return contains(strategy.list, user, program)
    case .hosts:
      let host = context.fields[UnleashContextView.hostname]
      return host.isPresent && contains(strategy.list, context.text(host.lowered), program)
    case .addresses:
      guard let text = value(.remoteAddress) else { return false }
      return contains(strategy.ranges, text, program)
    case .draw: return draw(below: 100) < strategy.percent
    case .rollout:
      guard strategy.stickiness.field != .drawn else { return draw(below: 100) < strategy.percent }
      let group = strategy.hasGroup ? program.text(strategy.group) : asked
      let percent = strategy.percent
      if let bucket = bucket(strategy.stickiness, program, group: group, seed: 0, of: 100) { return bucket <= percent }
      return strategy.stickiness.field == .preset && draw(below: 100) < percent
    }
  }

  /// 1 to `total`; nil when the context has no such value.
  private func bucket(
    _ attribute: UnleashAttribute, _ program: UnleashProgram, group: UnsafeRawBufferPointer, seed: UInt32,
    of total: UInt32
  ) -> UInt32? {
    withValue(attribute, program) { value -> UInt32? in
      guard let value else { return nil }
      var hash = Murmur3(seed: seed)
      hash.add(group)
      hash.add(UInt8(ascii: ":"))
      hash.add(value)
      return hash.value % total + 1
    }
  }

  private mutating func draw(_ variants: UnleashVariants, _ program: UnleashProgram) -> Int32 {
    let start = Int(variants.run.start)
    let end = start + Int(variants.run.count)
    if start == end { return -1 }
    if variants.hasOverrides, let found = overridden(start..<end, program) { return found }
    // Weights that sum to nothing: the reference's engine ends in a panic here, ours shows no variant.
    guard variants.totalWeight > 0 else { return -1 }
    let group = program.text(variants.group)
    let target =
      bucket(variants.stickiness, program, group: group, seed: Self.variantSeed, of: variants.totalWeight)
      ?? draw(below: variants.totalWeight) + 1
    var weight: UInt32 = 0
    for index in start..<end {
      weight = weight &+ program.variants[index].weight
      if weight >= target { return Int32(truncatingIfNeeded: index) }
    }
    return -1
  }

  private func overridden(_ range: Range<Int>, _ program: UnleashProgram) -> Int32? {
    for index in range {
      let overrides = program.variants[index].overrides
      let start = Int(overrides.start)
      for position in start..<start + Int(overrides.count) {
        let override = program.overrides[position]
        // An override knows the current time only where the context names it.
        let isHit =
          isNamed(override.attribute)
          && withValue(override.attribute, program) { value in
            value.map { contains(override.list, $0, program) } ?? false
          }
        if isHit { return Int32(truncatingIfNeeded: index) }
      }
    }
    return nil
  }

  /// 0 up to, not including, `limit`.
  private mutating func draw(below limit: UInt32) -> UInt32 {
    chance = chance &+ 0x9E37_79B9_7F4A_7C15
    var bits = chance
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    bits ^= bits >> 31
    return UInt32(truncatingIfNeeded: ((bits >> 32) &* UInt64(limit)) >> 32)
  }
}
