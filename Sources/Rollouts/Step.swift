import Kernel

extension Rollout {
  /// One step of a rollout's plan: who gets how much, on how many instances, for how long, and who lets it go on.
  package struct Step: Codable, Equatable, Sendable {
    /// The canary's share in percent, 0 to 100. 0: only preview requests reach it.
    package let percent: Int
    /// Instances of the canary at this step; nil for all that the service has.
    package let instances: Int?
    /// The least time at this step, from the router's confirmation; nil for the policy's `stepMinimum`. The last step has
    /// none of its own: its time is the policy's `finalWatch`.
    package let minimum: Span?
    /// The step passes only when a worsening by this factor would have been seen; nil for the judge's
    /// `mustDetectRatio`.
    package let detect: Double?
    /// A person must approve before the rollout goes on from this step.
    package let approval: Bool

    package init(
      _ percent: Int, instances: Int? = nil, minimum: Span? = nil, detect: Double? = nil, approval: Bool = false
    ) {
      self.percent = percent
      self.instances = instances
      self.minimum = minimum
      self.detect = detect
      self.approval = approval
    }

    private enum CodingKeys: CodingKey {
      case percent, instances, minimum, detect, approval
    }

    /// A bare number is a share and nothing else: so steps were written before there was more to say of them.
    package init(from decoder: any Decoder) throws {
      if let percent = try? decoder.singleValueContainer().decode(Int.self) {
        self.init(percent)
        return
      }
      let values = try decoder.container(keyedBy: CodingKeys.self)
      self.init(
        try values.decode(Int.self, forKey: .percent),
        instances: try values.decodeIfPresent(Int.self, forKey: .instances),
        minimum: try values.decodeIfPresent(Span.self, forKey: .minimum),
        detect: try values.decodeIfPresent(Double.self, forKey: .detect),
        approval: try values.decodeIfPresent(Bool.self, forKey: .approval) ?? false)
    }

    package func encode(to encoder: any Encoder) throws {
      if self == Step(percent) {
        var value = encoder.singleValueContainer()
        try value.encode(percent)
        return
      }
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(percent, forKey: .percent)
      try values.encodeIfPresent(instances, forKey: .instances)
      try values.encodeIfPresent(minimum, forKey: .minimum)
      try values.encodeIfPresent(detect, forKey: .detect)
      if approval { try values.encode(approval, forKey: .approval) }
    }
  }

  /// What people call a plan. It decides nothing but words, default steps and whether there may be a holdback.
  package enum Strategy: String, Codable, CaseIterable, Sendable {
    /// A rising share.
    case canary
    /// All beside, without traffic, then all at once.
    case blueGreen = "blue-green"
    /// Without anything beside.
    case allAtOnce = "all-at-once"

    /// Issue "the spine", for `canary`: "Steps (default 10, 50, 100 %)".
    package var defaultSteps: [Step] {
      switch self {
      case .canary: [10, 50, 100]
      case .blueGreen: [0, 100]
      case .allAtOnce: [100]
      }
    }
  }

  /// What a new version's requests are compared with.
  package enum Comparison: String, Codable, CaseIterable, Sendable {
    /// The old version answers requests at the same time: what hurts both is nobody's fault.
    case beside
    /// Only the old version's last ten minutes are known: what began since may be blamed on the new one.
    case before
    /// Nothing served here before: fixed limits judge.
    case none

    package var words: String {
      switch self {
      case .beside: "beside the old version"
      case .before: "against the last ten minutes only: the weaker comparison"
      case .none: "against fixed limits only, because nothing served here before: the weakest comparison"
      }
    }
  }
}

extension Rollout.Step: ExpressibleByIntegerLiteral {
  package init(integerLiteral percent: Int) { self.init(percent) }
}

extension Rollout.Step: CustomStringConvertible {
  /// `10 %`, `10 % on 1 instance, approved by a person`.
  package var description: String {
    var words = "\(percent) %"
    if let instances { words += " on \(instances) instance\(instances == 1 ? "" : "s")" }
    if let minimum { words += ", at least \(minimum.words)" }
    if let detect { words += ", seeing \(Rollout.ratio(detect))" }
    return approval ? words + ", approved by a person" : words
  }
}

extension Rollout {
  /// `5x`, `2.5x`.
  static func ratio(_ ratio: Double) -> String {
    ratio == ratio.rounded() ? "\(Int(min(ratio, 1e9)))x" : "\((ratio * 10).rounded() / 10)x"
  }
}
