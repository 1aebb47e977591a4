import Kernel

/// One question answered three times: by the model, by the real driver, and by trying the statements on the real
/// database itself. Each difference is a broken promise, told with all three.
struct SchemaComparison {
  let world: World
  let peer: any SchemaPeer
  let question: PeerQuestion

  func compare(_ answer: PeerAnswer, with model: PeerAnswer) throws(Outage) {
    switch (answer, model) {
    case (.unexaminable, .unexaminable): return
    case (.unexaminable(let why, _), .examined):
      differ("the question", "examined", "unexaminable: \(why)", nil)
    case (.examined, .unexaminable(let why, _)):
      differ("the question", "unexaminable: \(why)", "examined", nil)
    case (.examined(let real, _), .examined(let expected, _)): try compare(real, with: expected)
    }
  }

  private func compare(_ real: SchemaExamination, with model: SchemaExamination) throws(Outage) {
    let pending = real.pending.compactMap(SimulatedSchemas.change)
    let expected = model.pending.compactMap(SimulatedSchemas.change)
    guard pending == expected else { return differ("what is pending", "\(expected)", "\(pending)", nil) }
    let tried = try peer.rehearse(trial(pending))
    guard (tried.migration != nil) == (real.migration == .breaks),
      (model.migration == .breaks) == (tried.migration != nil)
    else { return differ("the migration", model.migration.rawValue, words(real.migration, real.why), tried.migration) }
    if tried.migration != nil { return }
    if real.migration == .unknown { differ("the migration", "compatible", words(.unknown, real.why), nil) }
    for (index, verdict) in real.verdicts.enumerated() {
      let fate = tried.versions[index]
      // Of who was broken before, the model knows columns and the driver statements.
      if !pending.isEmpty, fate.before != nil { continue }
      compare(verdict, with: model.verdicts[index], pending.isEmpty ? fate.before : fate.broken)
    }
    guard let coming = real.coming, let expectedComing = model.coming, let fate = tried.versions.last else { return }
    compare(coming, with: expectedComing, fate.after)
  }

  private func trial(_ pending: [Int]) -> PeerTrial {
    let chain = question.chain ?? []
    let done = world.schemas.database(question.place).names
    let landed = (question.base ?? []).filter { !done.contains($0.change) }
    return PeerTrial(
      place: question.place, landed: landed, pending: chain.filter { pending.contains($0.change) },
      versions: (question.versions + (question.coming.map { [$0] } ?? [])).map(\.sends))
  }

  private func compare(_ real: SchemaVerdict, with model: SchemaVerdict, _ failure: String?) {
    let isBroken = failure != nil
    if real.fit != .unknown, (real.fit == .breaks) == isBroken, (model.fit == .breaks) == isBroken { return }
    differ(
      "\(real.client.service) \(real.client.commit.short)", words(model.fit, model.why), words(real.fit, real.why),
      failure ?? "all its statements run")
  }

  private func words(_ fit: SchemaFit, _ why: String) -> String { why.isEmpty ? fit.rawValue : "\(fit): \(why)" }

  private func differ(_ what: String, _ model: String, _ driver: String, _ tried: String?) {
    let chain = (question.chain ?? []).map { "m\($0.change) \($0.steps)" }.joined(separator: ", ")
    world.checkers.report(
      .modelHolds,
      "\(what) in \(question.place), the model: \(model); the driver: \(driver)"
        + (tried.map { "; tried: \($0)" } ?? "") + "; schema \(world.schemas.schema(question.place)), chain \(chain)")
  }
}
