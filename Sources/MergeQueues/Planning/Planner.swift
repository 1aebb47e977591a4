/// Says which builds are worth a slot: a pure function of what is known. Nothing is decided by it.
package enum Planner {
  package static func plan(_ situation: Situation) -> Plan {
    switch situation.rules.mode {
    case .fifo: fifo(situation)
    case .speculate: Speculation.plan(situation)
    case .batch: Batches.plan(situation)
    // A build that tests its tip alone says nothing of a batch.
    case .auto: situation.rules.proof == .tree ? Batches.plan(situation) : Speculation.plan(situation)
    }
  }

  /// One build at a time, of the head alone; hotfixes beside it.
  private static func fifo(_ situation: Situation) -> Plan {
    var line = situation
    let heads = situation.items.filter(\.isHotfix) + situation.items.filter { !$0.isHotfix }.prefix(1)
    let ids = Set(heads.map(\.id))
    line.items = situation.items.filter { ids.contains($0.id) }
    line.builds = situation.builds.filter { $0.members.allSatisfy(ids.contains) }
    return Speculation.plan(line)
  }
}
