/// Builds a ``JSONTape`` from values in written order. Reused for many tapes, so that its buffers are allocated once.
///
/// Values wait on a stack until their container is closed; then they move side by side into the block, where texts and
/// containers are offsets until `finish` knows the block's address.
package final class JSONBuilder {
  private var stack: [JSONView] = []
  private var stackOffsets: [UInt32] = []
  private var slots: [JSONView] = []
  private var offsets: [UInt32] = []
  private var bytes: [UInt8] = []
  /// Whether each value's place in the text is kept.
  private let keepsOffsets: Bool
  /// Whether arrays get an index over their texts: for definitions, whose lists are asked often.
  private let indexesArrays: Bool
  /// Names that an object had twice, with the second one's place: the last value wins.
  private(set) var repeated: [(name: String, offset: Int)] = []

  package init(keepsOffsets: Bool = false, indexesArrays: Bool = false) {
    self.keepsOffsets = keepsOffsets
    self.indexesArrays = indexesArrays
  }

  package func reset() {
    stack.removeAll(keepingCapacity: true)
    stackOffsets.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
    repeated.removeAll()
  }

  /// Where the children of a container begin that is opened now.
  package var mark: Int { stack.count }

  package func add(_ scalar: JSONView, at offset: Int = 0) {
    stack.append(scalar)
    if keepsOffsets { stackOffsets.append(UInt32(truncatingIfNeeded: offset)) }
  }

  package func add(text: UnsafeRawBufferPointer, at offset: Int = 0) {
    let start = bytes.count
    bytes.append(contentsOf: text)
    endText(from: start, at: offset)
  }

  package func add(_ text: String, at offset: Int = 0) {
    let start = bytes.count
    bytes.append(contentsOf: text.utf8)
    endText(from: start, at: offset)
  }

  /// Texts with escapes come in pieces: `beginText`, `append`…, `endText`.
  func beginText() -> Int { bytes.count }
  func append(_ byte: UInt8) { bytes.append(byte) }
  func append(_ piece: UnsafeRawBufferPointer) { bytes.append(contentsOf: piece) }
  func endText(from start: Int, at offset: Int) {
    add(JSONView(.text, bits: UInt64(start), count: UInt32(truncatingIfNeeded: bytes.count - start)), at: offset)
  }

  package func endArray(from mark: Int, at offset: Int = 0) {
    let count = stack.count - mark
    var texts = 0
    if indexesArrays, count >= JSONIndex.smallestArray {
      for at in mark..<stack.count where stack[at].kind == .text { texts += 1 }
    }
    close(.array, from: mark, count: count, indexed: texts >= JSONIndex.smallestArray ? texts : 0, at: offset)
  }

  /// Closes an object whose names and values were added in turn.
  package func endObject(from mark: Int, at offset: Int = 0) {
    var count = (stack.count - mark) / 2
    if count < JSONIndex.smallestObject {
      count = withoutRepeats(from: mark, count: count)
      close(.object, from: mark, count: count, indexed: 0, at: offset)
    } else {
      close(.object, from: mark, count: count, indexed: count, at: offset)
    }
  }

  /// Keeps a repeated name's first place and last value, as every peer's reader does.
  private func withoutRepeats(from mark: Int, count: Int) -> Int {
    var kept = 0
    for member in 0..<count {
      let name = stack[mark + 2 * member]
      if let earlier = (0..<kept).first(where: { isSame(stack[mark + 2 * $0], name) }) {
        noteRepeat(of: name, at: keepsOffsets ? Int(stackOffsets[mark + 2 * member]) : 0)
        move(from: mark + 2 * member + 1, to: mark + 2 * earlier + 1)
        continue
      }
      if kept != member {
        move(from: mark + 2 * member, to: mark + 2 * kept)
        move(from: mark + 2 * member + 1, to: mark + 2 * kept + 1)
      }
      kept += 1
    }
    let excess = stack.count - mark - 2 * kept
    stack.removeLast(excess)
    if keepsOffsets { stackOffsets.removeLast(excess) }
    return kept
  }

  private func move(from: Int, to: Int) {
    stack[to] = stack[from]
    if keepsOffsets { stackOffsets[to] = stackOffsets[from] }
  }

  private func isSame(_ left: JSONView, _ right: JSONView) -> Bool {
    guard left.count == right.count else { return false }
    return bytes.withUnsafeBytes { sameBytes(slice($0, left), slice($0, right)) }
  }

  private func slice(_ buffer: UnsafeRawBufferPointer, _ text: JSONView) -> UnsafeRawBufferPointer {
    let start = Int(text.bits)
    return UnsafeRawBufferPointer(rebasing: buffer[start..<start + Int(text.count)])
  }

  private func noteRepeat(of name: JSONView, at offset: Int) {
    repeated.append((bytes.withUnsafeBytes { String(decoding: slice($0, name), as: UTF8.self) }, offset))
  }

  private func close(_ kind: JSONView.Kind, from mark: Int, count: Int, indexed: Int, at offset: Int) {
    let start = slots.count
    slots.append(contentsOf: stack[mark...])
    if keepsOffsets { offsets.append(contentsOf: stackOffsets[mark...]) }
    // An empty container owns a slot, so that it is the same as no other.
    if stack.count == mark { pad(1) }
    var container = JSONView(kind, bits: UInt64(start), count: UInt32(truncatingIfNeeded: count))
    stack.removeSubrange(mark...)
    if keepsOffsets { stackOffsets.removeSubrange(mark...) }
    if indexed > 0 { index(&container, start: start, entries: indexed) }
    add(container, at: offset)
  }

  private func pad(_ count: Int) {
    for _ in 0..<count { slots.append(.null) }
    if keepsOffsets { for _ in 0..<count { offsets.append(0) } }
  }

  /// Writes the table of ``JSONIndex`` behind the children, and drops repeated names of an object on the way.
  private func index(_ container: inout JSONView, start: Int, entries: Int) {
    let isObject = container.kind == .object
    let stride = isObject ? 2 : 1
    let bits = JSONIndex.bits(forEntries: entries)
    let mask = (1 << Int(bits)) - 1
    var table = [UInt32](repeating: 0, count: mask + 1)
    var kept = 0
    for position in 0..<Int(container.count) {
      let entry = slots[start + stride * position]
      if isObject || entry.kind == .text {
        var place = bytes.withUnsafeBytes { Int(JSONIndex.hash(slice($0, entry))) } & mask
        var earlier: Int?
        while table[place] != 0 {
          let other = Int(table[place]) - 1
          if isSame(slots[start + stride * other], entry) {
            earlier = other
            break
          }
          place = (place + 1) & mask
        }
        if isObject, let earlier {
          noteRepeat(of: entry, at: keepsOffsets ? Int(offsets[start + 2 * position]) : 0)
          slots[start + 2 * earlier + 1] = slots[start + 2 * position + 1]
          if keepsOffsets { offsets[start + 2 * earlier + 1] = offsets[start + 2 * position + 1] }
          continue
        }
        if earlier == nil { table[place] = UInt32(truncatingIfNeeded: kept + 1) }
      }
      if kept != position {
        for part in 0..<stride {
          slots[start + stride * kept + part] = slots[start + stride * position + part]
          if keepsOffsets { offsets[start + stride * kept + part] = offsets[start + stride * position + part] }
        }
      }
      kept += 1
    }
    let excess = slots.count - start - stride * kept
    slots.removeLast(excess)
    if keepsOffsets { offsets.removeLast(excess) }
    container.count = UInt32(truncatingIfNeeded: kept)
    container.indexBits = bits
    for slot in 0..<JSONIndex.slots(bits: bits) {
      let pair = UInt64(table[2 * slot]) | UInt64(table[2 * slot + 1]) << 32
      slots.append(JSONView(.integer, bits: pair))
      if keepsOffsets { offsets.append(0) }
    }
  }

  /// Makes the tape; exactly one value must have been added outside of containers. The builder can be reset then.
  package func finish() -> JSONTape {
    slots.append(contentsOf: stack)
    if keepsOffsets { offsets.append(contentsOf: stackOffsets) }
    let slotBytes = slots.count * MemoryLayout<JSONView>.stride
    let total = slotBytes + bytes.count
    let memory = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: MemoryLayout<JSONView>.alignment)
    let block = memory.bindMemory(to: JSONView.self, capacity: slots.count)
    slots.withUnsafeBufferPointer { source in
      if let start = source.baseAddress { block.update(from: start, count: source.count) }
    }
    let bytesStart = memory + slotBytes
    bytes.withUnsafeBytes { source in
      if let start = source.baseAddress { bytesStart.copyMemory(from: start, byteCount: source.count) }
    }
    relocate(block, root: block + (slots.count - 1), bytes: UInt64(UInt(bitPattern: bytesStart)))
    return JSONTape(memory: memory, slotCount: slots.count, byteCount: total, offsets: offsets)
  }

  /// Turns offsets into addresses, from the root down: tables of an index lie between slots and are left alone.
  private func relocate(_ block: UnsafeMutablePointer<JSONView>, root: UnsafeMutablePointer<JSONView>, bytes: UInt64) {
    switch root.pointee.kind {
    case .null, .boolean, .integer, .double, .operation: break
    case .text: root.pointee.bits &+= bytes
    case .array, .object:
      let children = block + Int(root.pointee.bits)
      let count = Int(root.pointee.count) * (root.pointee.kind == .object ? 2 : 1)
      root.pointee.bits = UInt64(UInt(bitPattern: children))
      for child in 0..<count { relocate(block, root: children + child, bytes: bytes) }
    }
  }
}
