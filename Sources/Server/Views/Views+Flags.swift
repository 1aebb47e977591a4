import API
import ControlPlane
import Kernel
import Ramps

/// Flags, as the API shows them.
extension Views {
  static func row(
    _ key: FlagKey, _ state: FeatureFlag.State, _ environments: [EnvironmentName], now: Instant
  ) -> FlagRowView? {
    guard let definition = state.definition, let newest = state.revisions.first else { return nil }
    return FlagRowView(
      key: key.rawValue, owner: definition.owner, type: definition.kind.rawValue,
      expiresAtMs: definition.expiry.milliseconds, expired: definition.expiry <= now && state.isLive,
      revision: state.revision, changedAtMs: newest.by.at.milliseconds, archivedAtMs: state.archived?.at.milliseconds,
      environments: environments.map { name in
        let placement = state.placement(in: name)
        return FlagDotView(environment: name.rawValue, phase: phase(placement), words: words(placement))
      })
  }

  static func flag(
    _ key: FlagKey, _ state: FeatureFlag.State, _ environments: [EnvironmentName], now: Instant
  ) -> FlagView? {
    guard let definition = state.definition else { return nil }
    return FlagView(
      key: key.rawValue, owner: definition.owner, type: definition.kind.rawValue,
      expiresAtMs: definition.expiry.milliseconds, expired: definition.expiry <= now && state.isLive,
      revision: state.revision, definition: definition.written, variants: definition.variants,
      prerequisites: definition.prerequisites.map(\.rawValue), dependents: state.dependents.map(\.rawValue),
      unit: definition.unit, service: definition.service?.rawValue,
      declaredIn: state.declared.map { "\($0.file) at \($0.commit.short)" }, archived: state.archived.map(signed),
      environments: environments.map { place(state.placement(in: $0) ?? .init(environment: $0, isOn: false)) },
      scheduled: state.scheduled.map { change in
        FlagScheduledView(
          number: change.number, atMs: change.at.milliseconds, environment: change.change.environment.rawValue,
          words: words(change.change), by: signed(change.by))
      },
      revisions: state.revisions.enumerated().map { index, revision in
        let older = state.revisions.indices.contains(index + 1) ? state.revisions[index + 1].definition : nil
        return FlagRevisionView(
          number: revision.number, by: signed(revision.by), restored: revision.restored,
          changes: older.map { changes(from: $0, to: revision.definition) } ?? [])
      }, refused: state.unmet.map { refused(key, $0) },
      trouble: state.trouble.map { "The world keeps failing at \($0.key): \(Words.closed($0.why))" })
  }

  static func signed(_ by: FeatureFlag.Signed) -> FlagSignedView {
    FlagSignedView(actor: by.actor, reason: by.reason, atMs: by.at.milliseconds)
  }

  static func refused(_ key: FlagKey, _ unmet: FeatureFlag.UnmetDeclaration) -> FlagRefusedView {
    FlagRefusedView(
      key: key.rawValue, folder: unmet.declaration.folder?.name, place: unmet.declaration.place,
      commit: unmet.declaration.commit.rawValue, why: Words.closed(unmet.why), atMs: unmet.at.milliseconds)
  }

  /// Members that differ, in the order of the newer definition, then those that are gone.
  static func changes(from old: FlagDefinition, to new: FlagDefinition) -> [FlagChangeView] {
    let (before, after) = (old.named(own: true), new.named(own: true))
    var found: [FlagChangeView] = []
    for member in after {
      let was = before.first { $0.name == member.name }?.json
      if was != member.json { found.append(FlagChangeView(member: member.name, before: was, after: member.json)) }
    }
    for member in before where !after.contains(where: { $0.name == member.name }) {
      found.append(FlagChangeView(member: member.name, before: member.json, after: nil))
    }
    return found
  }

  static func words(_ change: FeatureFlag.ScheduledChange) -> String {
    switch change {
    case .place(_, isOn: true): "switch on"
    case .place(_, isOn: false): "switch off"
    case .ramp(let plan): "ramp \(plan.variant) through \(percents(plan.policy))"
    }
  }

  /// "1, 5, 25, 100 %".
  static func percents(_ policy: RampPolicy) -> String {
    policy.stages.map { number($0.percent) }.joined(separator: ", ") + " %"
  }

  /// Two digits behind the point at most.
  static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\((value * 100).rounded() / 100)"
  }

  // MARK: One environment

  static func place(_ placement: FeatureFlag.Placement) -> FlagPlaceView {
    FlagPlaceView(
      environment: placement.environment.rawValue, on: placement.isOn, phase: phase(placement),
      sentence: sentence(placement), epoch: placement.epoch,
      override: placement.override.isEmpty
        ? nil
        : "{" + placement.override.map { "\(FlagDraft.quoted($0.name)):\($0.json)" }.joined(separator: ",") + "}",
      shares: placement.allocation.shares.map { FlagShareView(variant: $0.variant, from: $0.from, to: $0.to) },
      ramp: ramp(placement), proof: placement.proof.map { proof($0, in: placement.environment, at: nil) },
      killed: placement.killed.map { kill in
        FlagKillView(
          by: signed(kill.by), service: kill.attributed?.service.rawValue, digest: kill.attributed?.digest.rawValue)
      })
  }

  /// One word; see `FlagDotView.phase`.
  static func phase(_ placement: FeatureFlag.Placement?) -> String {
    guard let placement else { return "off" }
    if !placement.isOn { return placement.killed == nil ? "off" : "killed" }
    return switch placement.phase {
    case .still: "on"
    case .sighting: "sighting"
    case .placing: "placing"
    case .watching: "watching"
    case .asking: "asking"
    case .holding: "holding"
    case .stopping: "stopping"
    case .stopped: "stopped"
    case .rolledOut: "rolledOut"
    }
  }

  /// A few words for a dot.
  static func words(_ placement: FeatureFlag.Placement?) -> String {
    guard let placement else { return "off" }
    if !placement.isOn { return placement.killed == nil ? "off" : "killed" }
    if let course = placement.course {
      let share = "\(number(course.percent)) % get \(course.plan.variant)"
      return switch placement.phase {
      case .asking: "\(share), asks"
      case .holding: "\(share), held"
      case .sighting: "a ramp of \(course.plan.variant) begins"
      case .placing, .watching, .still, .stopping, .stopped, .rolledOut: share
      }
    }
    return switch placement.phase {
    case .stopping(let ending): "\(ending.course.plan.variant) is being withdrawn"
    case .stopped(let ending): "on, \(ending.course.plan.variant) stopped"
    case .rolledOut(let ending): "\(ending.course.plan.variant) for everybody"
    case .still, .sighting, .placing, .watching, .asking, .holding: "on"
    }
  }

  static func sentence(_ placement: FeatureFlag.Placement) -> String {
    if !placement.isOn {
      guard let kill = placement.killed else { return "Off: code gets its own default." }
      let proved = placement.proof == nil ? " Nobody is left with it." : ""
      return "Killed by \(kill.by.actor): \(Words.closed(kill.by.reason))\(proved)"
    }
    switch placement.phase {
    case .still:
      return placement.allocation.shares.isEmpty
        ? "On: targeting decides, then the default." : "On, with shares that an earlier ramp left."
    case .sighting(let course): return "What each stage of \(course.plan.variant) will see is being worked out."
    case .placing(let course):
      return "\(number(course.percent)) % get \(course.plan.variant); waiting until clients have it."
    case .watching(let course):
      let verdict = course.note?.verdict.sentence ?? "Nothing has been told yet."
      return "\(number(course.percent)) % get \(course.plan.variant). \(verdict)"
    case .asking(let course, let question):
      return
        "\(number(course.percent)) % get \(course.plan.variant), and a person is asked: \(Words.closed(question.why))"
    case .holding(let course, let hold):
      let who =
        switch hold.cause {
        case .person(let actor): "held by \(actor)"
        case .untrusted: "held because the evidence cannot be trusted"
        }
      return "\(number(course.percent)) % get \(course.plan.variant), \(who): \(Words.closed(hold.why))"
    case .stopping(let ending):
      return "\(ending.course.plan.variant) is being withdrawn: \(Words.closed(ending.why))"
    case .stopped(let ending):
      return "\(ending.course.plan.variant) was withdrawn: \(Words.closed(ending.why))"
        + (ending.provedAt == nil ? "" : " Nobody is left with it.")
    case .rolledOut(let ending):
      return "Rolled out: \(ending.course.plan.variant) for everybody whom targeting leaves to it. "
        + Words.closed(ending.why)
    }
  }
}
