/// JSON as read: one block of memory with all slots and, behind them, all decoded bytes. Immutable and shared.
package final class JSONTape: @unchecked Sendable {
  // Safe to share: the memory is written before `init` returns and, by `Compiler`, before the tape is handed out; never
  // afterwards.
  private let memory: UnsafeMutableRawPointer
  /// Slots in the block, the root last.
  let slotCount: Int
  /// Bytes of memory that the tape holds.
  package let byteCount: Int
  /// Where each slot's value begins in the text, in bytes; empty unless asked for.
  private(set) var offsets: [UInt32]

  init(memory: UnsafeMutableRawPointer, slotCount: Int, byteCount: Int, offsets: [UInt32]) {
    self.memory = memory
    self.slotCount = slotCount
    self.byteCount = byteCount
    self.offsets = offsets
  }

  deinit { memory.deallocate() }

  var slots: UnsafeMutablePointer<JSONView> { memory.assumingMemoryBound(to: JSONView.self) }

  /// The whole document.
  package var root: JSONView { slots[slotCount - 1] }
  var rootPointer: UnsafePointer<JSONView> { UnsafePointer(slots + (slotCount - 1)) }

  /// Byte offset of a value of this tape in the text that it was read from; 0 when offsets were not kept.
  func offset(of value: UnsafePointer<JSONView>) -> Int {
    let index = value - UnsafePointer(slots)
    return offsets.indices.contains(index) ? Int(offsets[index]) : 0
  }

  /// What only errors need, when there can be none any more.
  func forgetOffsets() { offsets = [] }
}
