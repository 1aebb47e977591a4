/// The variant that a feature shows: one of its own, or none.
public struct UnleashVariant: Sendable {
  /// The name of no variant, as Unleash's clients know it.
  public static let disabledName = "disabled"

  private let program: UnleashProgram
  /// Among the program's variants; -1 for none.
  private let index: Int32
  /// Whether the feature is on. A feature that is on may show no variant.
  public let isFeatureEnabled: Bool

  init(program: UnleashProgram, index: Int32, isFeatureEnabled: Bool) {
    self.program = program
    self.index = index
    self.isFeatureEnabled = isFeatureEnabled
  }

  /// Whether there is a variant.
  public var isEnabled: Bool { index >= 0 }

  /// The variant's name, or `disabled`.
  public var name: String {
    index >= 0 ? program.string(program.variants[Int(index)].name) : Self.disabledName
  }

  /// What the variant carries: a type (`string`, `json`, `csv`, `number`) and a text; nil for nothing.
  public var payload: (type: String, value: String)? {
    guard index >= 0, program.variants[Int(index)].hasPayload else { return nil }
    let variant = program.variants[Int(index)]
    return (program.string(variant.payloadType), program.string(variant.payload))
  }
}
