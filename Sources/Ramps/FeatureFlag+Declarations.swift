import Kernel

/// What folders in git declare: taken, or recorded with what stands against it until it may be taken. The folder that
/// declared a key first keeps it for as long as it declares it.
extension FeatureFlag {
  static func declared(_ declaration: Declaration, in state: State, _ turn: TurnContext) -> [Event] {
    do throws(Refusal) {
      let events = try declare(declaration, in: state, turn)
      let wasUnmet = state.unmet.contains { $0.declaration.folder == declaration.folder }
      return events + (wasUnmet ? [.declarationMet(folder: declaration.folder)] : [])
    } catch {
      let isNews = !state.unmet.contains { $0.declaration == declaration && $0.why == error.sentence }
      guard isNews else { return [] }
      return [.declarationRefused(UnmetDeclaration(declaration: declaration, why: error.sentence, at: turn.now))]
    }
  }

  static func undeclared(by folder: StreamID?, in state: State) -> [Event] {
    let isOwner =
      state.declared.map { folder == nil || $0.folder == nil || $0.folder == folder } ?? false
    let isUnmet = state.unmet.contains { $0.declaration.folder == folder }
    return (isUnmet ? [.declarationDropped(folder: folder)] : []) + (isOwner ? [.declared(nil)] : [])
  }

  /// What stood against a declaration may be gone with these events: its ramp ended, its other owner let go of it.
  static func reconsidered(_ events: [Event], in state: State, _ turn: TurnContext) -> [Event] {
    guard !events.isEmpty, !state.unmet.isEmpty || events.contains(where: \.isUnmetDeclaration) else { return events }
    var all = events
    var after = state
    for event in events { evolve(&after, event) }
    for unmet in after.unmet {
      let next = declared(unmet.declaration, in: after, turn)
      for event in next { evolve(&after, event) }
      all += next
    }
    return all
  }

  static func declare(_ declaration: Declaration, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    let place = DeclaredIn(file: declaration.file, commit: declaration.commit, folder: declaration.folder)
    let reason = "\(declaration.file) at \(declaration.commit.short)"
    let by = Signed(actor: declaration.author, reason: reason.onOneLine(upTo: reasonLimit), at: turn.now)
    guard let key = state.key else {
      return [
        try birth(
          of: declaration.key, declaration.definition, declaration.environments, by, declared: place, turn)
      ]
    }
    guard state.archived == nil else {
      throw Refusal(
        .notNow, "Flag \(key) is archived, and \(declaration.file) declares it: take it out there, or use another key.")
    }
    if let known = state.declared, let owner = known.folder, let folder = declaration.folder, owner != folder {
      throw Refusal(
        .notNow,
        "Flag \(key) is declared in \(known.file) of \(owner.name), which was first and keeps it: take it out of "
          + "\(declaration.file) of \(folder.name), or out there.")
    }
    let isMoved = state.declared?.file != place.file || state.declared?.folder != place.folder
    let changed = try revision(declaration.definition, by, restored: nil, in: state, turn)
    return changed + (isMoved || !changed.isEmpty ? [.declared(place)] : [])
  }
}

extension FeatureFlag.Event {
  fileprivate var isUnmetDeclaration: Bool {
    if case .declarationRefused = self { true } else { false }
  }
}
