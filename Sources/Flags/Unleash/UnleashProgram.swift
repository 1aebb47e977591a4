/// What one feature or one segment of Unleash was compiled to: one block of memory with all parts side by side, and no
/// text left to parse. Immutable and shared; a change replaces the whole program.
final class UnleashProgram: @unchecked Sendable {
  // Safe to share: written before `init` returns, never afterwards.
  private let memory: UnsafeMutableRawPointer
  let strategies: UnsafePointer<UnleashStrategy>
  let constraints: UnsafePointer<UnleashConstraint>
  let texts: UnsafePointer<UnleashText>
  let tables: UnsafePointer<UInt32>
  let ranges: UnsafePointer<AddressRange>
  let variants: UnsafePointer<UnleashVariantRule>
  let overrides: UnsafePointer<UnleashOverride>
  let dependencies: UnsafePointer<UnleashDependency>
  let segmentNumbers: UnsafePointer<Int32>
  let bytes: UnsafePointer<UInt8>
  let expressions: [LinearExpression]

  let name: UnleashText
  let nameHash: UInt32
  let isOn: Bool
  /// Clients are asked to report each evaluation.
  let emitsImpressions: Bool
  /// Why it can never be on, in words; nil when it can.
  let fault: String?
  let strategyCount: Int
  /// Of a segment: its constraints. Of a feature: 0, since strategies know theirs.
  let constraintCount: Int
  let segmentCount: Int
  let dependencyCount: Int
  /// The feature's own variants: the first of `variants`.
  let ownVariants: UnleashVariants
  /// Bytes of the block.
  let byteCount: Int

  init(_ parts: UnleashProgramParts) {
    var size = 0
    func place<Element>(_ elements: [Element]) -> Int {
      let alignment = MemoryLayout<Element>.alignment
      let start = (size + alignment - 1) / alignment * alignment
      size = start + elements.count * MemoryLayout<Element>.stride
      return start
    }
    let starts = (
      place(parts.strategies), place(parts.constraints), place(parts.ranges), place(parts.variants),
      place(parts.overrides), place(parts.dependencies), place(parts.texts), place(parts.tables),
      place(parts.segmentNumbers), place(parts.bytes)
    )
    byteCount = max(size, 1)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 8)
    func copy<Element>(_ elements: [Element], to start: Int) -> UnsafePointer<Element> {
      let target = (memory + start).bindMemory(to: Element.self, capacity: max(1, elements.count))
      elements.withUnsafeBufferPointer { source in
        if let base = source.baseAddress { target.initialize(from: base, count: source.count) }
      }
      return UnsafePointer(target)
    }
    strategies = copy(parts.strategies, to: starts.0)
    constraints = copy(parts.constraints, to: starts.1)
    ranges = copy(parts.ranges, to: starts.2)
    variants = copy(parts.variants, to: starts.3)
    overrides = copy(parts.overrides, to: starts.4)
    dependencies = copy(parts.dependencies, to: starts.5)
    texts = copy(parts.texts, to: starts.6)
    tables = copy(parts.tables, to: starts.7)
    segmentNumbers = copy(parts.segmentNumbers, to: starts.8)
    bytes = copy(parts.bytes, to: starts.9)
    self.memory = memory
    expressions = parts.expressions
    name = parts.name
    nameHash = parts.nameHash
    isOn = parts.isOn
    emitsImpressions = parts.emitsImpressions
    fault = parts.fault
    strategyCount = parts.strategies.count
    constraintCount = parts.constraints.count
    segmentCount = parts.segmentNumbers.count
    dependencyCount = parts.dependencies.count
    ownVariants = parts.ownVariants
  }

  deinit { memory.deallocate() }

  @inline(__always)
  func text(_ text: UnleashText) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: bytes + Int(text.start), count: Int(text.count))
  }

  func string(_ text: UnleashText) -> String { String(decoding: self.text(text), as: UTF8.self) }
}

/// A run of elements of one part of a program.
struct UnleashRun {
  var start: UInt32 = 0
  var count: UInt32 = 0
}

/// Texts to compare with: a run of `texts`; from nine on with a hash table over them, so that 10,000 cost what ten do.
struct UnleashList {
  var run = UnleashRun()
  /// Where its table begins in `tables`.
  var table: UInt32 = 0
  /// The table has a power of two of places; 0 without table.
  var tableMask: UInt32 = 0

  /// From this length on a list has a table: below it, comparing lengths and bytes is as quick.
  static let smallestTable = 9
}

/// Which value of the context: a field, or the property of a name.
struct UnleashAttribute {
  var field = UnleashContext.Field.userId
  var name = UnleashText()
  var hash: UInt32 = 0
}

/// One condition on one value of the context.
struct UnleashConstraint {
  enum Test: UInt8 {
    /// An operator with a value that no context satisfies, whatever `isInverted` says (a version with a leading v).
    case never
    case isIn, isNotIn
    case contains, startsWith, endsWith
    case equalNumber, lessNumber, lessOrEqualNumber, greaterNumber, greaterOrEqualNumber
    case equalDate, earlier, earlierOrEqual, later, laterOrEqual
    case equalVersion, lessVersion, lessOrEqualVersion, greaterVersion, greaterOrEqualVersion
    case inRanges
    case matches
    /// An expression that does not compile: no text matches it.
    case matchesNothing
  }

  var test = Test.never
  var isInverted = false
  var ignoresCase = false
  var attribute = UnleashAttribute()
  /// Values of the text tests; its run counts `ranges` for `inRanges`.
  var list = UnleashList()
  /// The version, in `bytes`.
  var version = UnleashText()
  var number = 0.0
  var date = Timestamp(seconds: 0)
  /// Into `expressions`.
  var expression: UInt32 = 0
}

/// One strategy: a rule, and constraints that must all hold beside it.
struct UnleashStrategy {
  enum Rule: UInt8 {
    case always, never
    /// The user is in `list`.
    case users
    /// The host is in `list`, in lower case.
    case hosts
    /// The remote address is in `ranges`.
    case addresses
    /// A bucket of 1 to 100 up to `percent`.
    case rollout
    /// A draw of 0 to 99 below `percent`.
    case draw
  }

  var rule = Rule.never
  var hasGroup = false
  /// Whether the definition has a list of variants, be it empty.
  var percent: UInt32 = 0
  var stickiness = UnleashAttribute()
  /// What is hashed with the stickiness; without it the name of the feature that was asked for.
  var group = UnleashText()
  var list = UnleashList()
  var ranges = UnleashRun()
  var constraints = UnleashRun()
  var segments = UnleashRun()
  var variants = UnleashVariants()
}

/// Variants that are drawn from together.
struct UnleashVariants {
  var run = UnleashRun()
  /// Sum of the weights modulo 2³², as the reference sums them.
  var totalWeight: UInt32 = 0
  var hasOverrides = false
  var stickiness = UnleashAttribute(field: .preset)
  /// What is hashed with the stickiness.
  var group = UnleashText()
}

struct UnleashVariantRule {
  var name = UnleashText()
  var weight: UInt32 = 0
  var hasPayload = false
  var payloadType = UnleashText()
  var payload = UnleashText()
  var overrides = UnleashRun()
}

/// Gives its variant to contexts whose value is in the list.
struct UnleashOverride {
  var attribute = UnleashAttribute()
  var list = UnleashList()
}

/// Another feature that must be on, or off, or show one of some variants.
struct UnleashDependency {
  var feature = UnleashText()
  var hash: UInt32 = 0
  var wantsOn = true
  /// Accepted variants; an empty run accepts all.
  var variants = UnleashList()
}

/// A program's parts before they are laid out.
struct UnleashProgramParts {
  var strategies: [UnleashStrategy] = []
  var constraints: [UnleashConstraint] = []
  var ranges: [AddressRange] = []
  var variants: [UnleashVariantRule] = []
  var overrides: [UnleashOverride] = []
  var dependencies: [UnleashDependency] = []
  var texts: [UnleashText] = []
  var tables: [UInt32] = []
  var segmentNumbers: [Int32] = []
  var bytes: [UInt8] = []
  var expressions: [LinearExpression] = []
  var name = UnleashText()
  var nameHash: UInt32 = 0
  var isOn = true
  var emitsImpressions = false
  var fault: String?
  var ownVariants = UnleashVariants()
}
