import Kernel
import Testing

/// What every `EventStore` promises, over any implementation; `make` gives an empty one.
func eventStoreContract<Store: EventStore>(_ make: () throws -> Store) throws
where Store.Event == ToyEvent, Store.State == ToyState {
  try appendsInOrder(try make())
  try refusesAnotherVersion(try make())
  try writesAllOrNothing(try make())
  try reads(try make())
  try keepsTheNewestSnapshot(try make())
  try movesTheCursor(try make())
}

private func appendsInOrder(_ store: some EventStore<ToyEvent, ToyState>) throws {
  #expect(try store.events(after: 0, limit: 10).isEmpty, "a new ledger is empty")
  #expect(try store.append([toy("a", 1), toy("b", 1), toy("a", 2)], routedThrough: nil) == [1, 2, 3])
  #expect(try store.append([toy("b", 2, add: 7, note: "ü \"/\" \n")], routedThrough: nil) == [4])
  let last = try #require(try store.events(after: 3, limit: 1).first)
  #expect(last.position == 4 && last.stream == StreamID(.queue, "b") && last.version == 2)
  #expect(last.at == Instant(milliseconds: 1_002) && last.cause == .request(id: "r2") && last.actor == "ada")
  #expect(last.event == .added(7, note: "ü \"/\" \n"), "what is read is what was written")
}

private func refusesAnotherVersion(_ store: some EventStore<ToyEvent, ToyState>) throws {
  _ = try store.append([toy("a", 1)], routedThrough: nil)
  let stream = StreamID(.queue, "a")
  for wrong in [1, 3] as [Version] {
    #expect(throws: AppendFailure.conflict(stream: stream, expected: wrong, found: 1), "version \(wrong)") {
      try store.append([toy("a", wrong)], routedThrough: nil)
    }
  }
  #expect(try store.append([toy("a", 2)], routedThrough: nil) == [2], "a lost race leaves no gap")
}

private func writesAllOrNothing(_ store: some EventStore<ToyEvent, ToyState>) throws {
  _ = try store.append([toy("a", 1)], routedThrough: 1)
  #expect(throws: AppendFailure.self) { try store.append([toy("b", 1), toy("a", 1)], routedThrough: 9) }
  #expect(throws: AppendFailure.self) { try store.append([toy("b", 1), toy("b", 1)], routedThrough: 9) }
  #expect(try store.events(after: 0, limit: 10).count == 1, "no event of a refused append is there")
  #expect(try store.routingCursor() == 1, "nor did its cursor move")
}

private func reads(_ store: some EventStore<ToyEvent, ToyState>) throws {
  _ = try store.append(toys("b", 1...5) + toys("a", 1...3), routedThrough: nil)
  let stream = StreamID(.queue, "b")
  #expect(try store.events(of: stream, after: 1, limit: 3).map(\.version) == [2, 3, 4])
  #expect(try store.events(of: stream, after: 5, limit: 3).isEmpty)
  #expect(try store.events(of: StreamID(.queue, "none"), after: 0, limit: 3).isEmpty)
  #expect(try store.events(after: 4, limit: 2).map(\.position) == [5, 6])
  let streams = try store.streams()
  #expect(streams.map(\.stream) == [StreamID(.queue, "a"), stream], "sorted")
  #expect(streams.map(\.version) == [3, 5])
}

private func keepsTheNewestSnapshot(_ store: some EventStore<ToyEvent, ToyState>) throws {
  _ = try store.append(toys("a", 1...4), routedThrough: nil)
  let stream = StreamID(.queue, "a")
  #expect(try store.snapshot(of: stream)?.version == nil)
  for version in [2, 4, 3] as [Version] {
    try store.save(
      Snapshot(
        stream: stream, version: version, position: version, at: Instant(milliseconds: 1_000 + version),
        state: ToyState(sum: Int(version))))
  }
  let newest = try #require(try store.snapshot(of: stream))
  #expect(newest.version == 4 && newest.position == 4 && newest.at == Instant(milliseconds: 1_004))
  #expect(newest.state == ToyState(sum: 4))
}

private func movesTheCursor(_ store: some EventStore<ToyEvent, ToyState>) throws {
  #expect(try store.routingCursor() == 0)
  _ = try store.append([toy("a", 1)], routedThrough: nil)
  #expect(try store.routingCursor() == 0)
  #expect(try store.append([], routedThrough: 1) == [], "the cursor may move alone")
  #expect(try store.routingCursor() == 1)
}
