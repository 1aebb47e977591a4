import Kernel

extension FlagFolder {
  package static func decide(_ input: Input, in state: State, _ turn: TurnContext) throws(Refusal) -> [Event] {
    switch input {
    case .configure(let policy):
      guard policy != state.policy else { return [] }
      guard let known = state.policy, known.path != policy.path, let commit = state.latest else {
        return [.configured(policy)]
      }
      return [.configured(policy), .readingBegan(commit, at: turn.now)]
    case .unconfigure:
      guard state.policy != nil else { return [] }
      // People may edit them from now on.
      return state.declared.compactMap { entry in state.commit.map { .undeclared(entry.key, commit: $0) } } + [.closed]
    case .trunkAt(let commit):
      guard state.policy != nil, commit != state.latest else { return [] }
      return [.readingBegan(commit, at: turn.now)]
    case .found(let found): return read(found, in: state, turn)
    case .faulty(let commit, let sentences):
      guard case .reading(commit) = state.phase else { return [] }
      return [.faulted(Fault(commit: commit, sentences: Array(sentences.prefix(faultLimit)), at: turn.now))]
    case .refused(let unmet):
      // Of what is declared now; what was said of an older text is no news.
      guard state.declared.contains(where: { $0.key == unmet.key && $0.hash == unmet.hash }),
        !state.unmet.contains(unmet)
      else { return [] }
      return [.refusalNoted(unmet)]
    case .met(let key): return state.unmet.contains { $0.key == key } ? [.refusalEnded(key)] : []
    // Reading is persistent, so it is never given up.
    case .exhausted: return []
    }
  }

  private static func read(_ found: Found, in state: State, _ turn: TurnContext) -> [Event] {
    guard let policy = state.policy, case .reading(found.commit) = state.phase else { return [] }
    let known = Dictionary(state.declared.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    let held = Set(found.definitions.map(\.key))
    let gone = state.declared.filter { !held.contains($0.key) }
    let changed = found.definitions.filter { known[$0.key] != $0.entry }
    // Who goes first gives up what the others may need: a key that moved is never in two files at once.
    let hasOthers = found.segments != state.segments || !state.kept.isEmpty
    return (!hasOthers ? [] : [.segmentsDeclared(found.segments, commit: found.commit)])
      + gone.map { .undeclared($0.key, commit: found.commit) }
      + changed.map { entry in
        .declared(
          FeatureFlag.Declaration(
            key: entry.key, definition: entry.definition, file: entry.file, line: entry.line, commit: found.commit,
            folder: StreamID.flagFolder(policy.repository, policy.trunk), author: found.author,
            environments: policy.environments.map { FeatureFlag.Switch(environment: $0, isOn: false) }))
      } + [.settled(found.commit, flags: found.definitions.count, at: turn.now)]
  }

  package static func evolve(_ state: inout State, _ event: Event) {
    switch event {
    case .configured(let policy):
      state.policy = policy
      if state.phase == .closed { state.phase = .waiting }
    case .closed:
      let kept = state.kept + state.segments
      state = State()
      state.kept = kept
    case .readingBegan(let commit, at: _): state.phase = .reading(commit)
    case .declared(let declaration):
      let entry = Entry(key: declaration.key, hash: declaration.definition.hash, file: declaration.file)
      let place = state.place(of: entry.key)
      if place < state.declared.count, state.declared[place].key == entry.key {
        state.declared[place] = entry
      } else {
        state.declared.insert(entry, at: place)
      }
    case .undeclared(let key, commit: _):
      let place = state.place(of: key)
      if place < state.declared.count, state.declared[place].key == key { state.declared.remove(at: place) }
      state.unmet.removeAll { $0.key == key }
    case .segmentsDeclared(let segments, commit: _):
      state.segments = segments
      state.kept = []
    case .settled(let commit, flags: _, at: _):
      state.commit = commit
      state.phase = .settled
    case .faulted(let fault): state.phase = .faulty(fault)
    case .refusalNoted(let unmet):
      state.unmet.removeAll { $0.key == unmet.key }
      state.unmet.append(unmet)
      state.unmet.sort { $0.key < $1.key }
    case .refusalEnded(let key): state.unmet.removeAll { $0.key == key }
    }
  }

  package static func violations(in state: State) -> [String] {
    var found: [String] = []
    if (state.policy == nil) != (state.phase == .closed) { found.append("a folder is open exactly when it is named") }
    for (left, right) in zip(state.declared, state.declared.dropFirst()) where !(left.key < right.key) {
      found.append("\(left.key) does not stand before \(right.key)")
    }
    if !state.declared.isEmpty, state.policy == nil { found.append("nobody's folder declares flags") }
    for unmet in state.unmet where !state.declared.contains(where: { $0.key == unmet.key }) {
      found.append("\(unmet.key) is refused and not declared")
    }
    return found
  }
}

extension FlagFolder.State {
  /// Of the first entry that does not stand before the key: thousands of flags are read at once.
  func place(of key: FlagKey) -> Int {
    var range = declared.startIndex..<declared.endIndex
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      range = declared[middle].key < key ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return range.lowerBound
  }

  /// The commit that was seen last; nil before the first.
  var latest: CommitID? {
    switch phase {
    case .closed, .waiting: nil
    case .reading(let commit): commit
    case .settled: commit
    case .faulty(let fault): fault.commit
    }
  }
}
