import Kernel

extension DatabaseSchema {
  package static func violations(in state: State) -> [String] {
    var found: [String] = []
    let keys = effects(of: state).map(\.key).sorted()
    if zip(keys, keys.dropFirst()).contains(where: { $0 == $1 }) { found.append("two effects have one key") }
    if zip(state.versions, state.versions.dropFirst()).contains(where: { !($0 < $1) }) {
      found.append("a version lives here twice, or they are out of order")
    }
    if state.waiting.contains(where: { $0 == state.current }) { found.append("what is judged waits as well") }
    if state.uploads.count > uploadLimit { found.append("\(state.uploads.count) versions' recordings are kept") }
    for (place, upload) in state.uploads.enumerated()
    where state.uploads[..<place].contains(where: { $0.isOf(upload.service, upload.digest) }) {
      found.append("what was sent of \(upload.digest.short) is kept twice")
    }
    for client in state.waived where client.statements != nil || state.upload(of: client.service, client.digest) != nil
    {
      found.append("\(client.service) \(client.commit.short) was let pass unrecorded, and something is recorded")
    }
    if state.policy == nil, state.phase != .idle { found.append("an unconfigured database is at work") }
    switch state.phase {
    case .applying(let ask, let examination, migrations: _, number: _):
      if examination.pending.isEmpty { found.append("nothing is pending and is applied") }
      found += endangered(by: examination, ask, in: state)
    case .idle:
      if state.policy != nil, !state.waiting.isEmpty { found.append("somebody waits and nothing is done") }
    case .examining, .adopting, .closed: break
    }
    return found
  }

  /// - Invariant: a migration is applied only when it breaks no version that lives on the schema, or a person took the
  ///   risk by name.
  private static func endangered(by examination: SchemaExamination, _ ask: Ask, in state: State) -> [String] {
    guard let policy = state.policy else { return [] }
    let override = state.override.flatMap { $0.answers(examination) ? $0 : nil }
    return examination.verdicts.filter { verdict in
      verdict.fit == .breaks && override?.takes(verdict) != true
    }.map { "\($0.client.service) \($0.client.commit.short) does not bear what is applied to \(policy.place)" }
  }
}
