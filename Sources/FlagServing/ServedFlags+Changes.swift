import Flags

extension ServedFlags {
  /// Keys of flags that may answer differently than in another version: those whose definition differs, those that are
  /// gone, and those that have one of these as a prerequisite. In the order of the definitions, gone ones last. All keys
  /// without another version, and when what flags share (segments, `$evaluators`, metadata) differs.
  package func changedKeys(since other: ServedFlags?) -> [String] {
    guard let other, other.hasSameFrame(as: self) else {
      return flags.flagKeys + (other?.flags.flagKeys.filter { flags.position(of: $0) == nil } ?? [])
    }
    var changed: Set<String> = []
    let keys = flags.flagKeys
    for (position, key) in keys.enumerated() {
      // Versions that differ in one flag share the objects of all others.
      if let place = other.flags.position(of: key), other.flags.flag(at: place) === flags.flag(at: position) {
        continue
      }
      if definition(of: key) != other.definition(of: key) { changed.insert(key) }
    }
    let gone = other.flags.flagKeys.filter { flags.position(of: $0) == nil }
    var frontier = changed.union(gone)
    while !frontier.isEmpty {
      var next: Set<String> = []
      for (position, key) in keys.enumerated() where !changed.contains(key) {
        guard let native = flags.flag(at: position).native else { continue }
        if native.prerequisites.contains(where: { frontier.contains($0.flag) }) { next.insert(key) }
      }
      changed.formUnion(next)
      frontier = next
    }
    return keys.filter(changed.contains) + gone
  }
}
