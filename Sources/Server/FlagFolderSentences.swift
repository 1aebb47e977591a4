import Kernel
import Ramps

extension Sentences {
  /// - Parameter place: of the folder, "harbor/main".
  static func sentence(_ event: FlagFolder.Event, at place: String) -> String {
    switch event {
    case .configured(let policy): "Flags are defined in \(policy.path)/ on \(place)."
    case .closed:
      "plimsoll.yaml names no folder of flags on \(place) any more: people edit what it declared, and its segments stay."
    case .readingBegan(let commit, at: _): "The flags of \(commit.short) are being read."
    case .declared(let declaration):
      "\(declaration.file) at \(declaration.commit.short) says what \(declaration.key) is."
    case .undeclared(let key, let commit): "\(commit.short) holds \(key) no more: people edit it from now on."
    case .segmentsDeclared(let segments, let commit):
      "\(commit.short) has \(segments.count) \(segments.count == 1 ? "segment" : "segments") beside the flags."
    case .settled(let commit, let flags, at: _): "\(commit.short) defines \(flags) \(flags == 1 ? "flag" : "flags")."
    case .faulted(let fault):
      "The flags of \(fault.commit.short) cannot be used, so those before stay: \(fault.sentences.first ?? "no reason")"
    case .refusalNoted(let unmet):
      "\(unmet.key), declared in \(unmet.place) at \(unmet.commit.short), stays as it is: \(unmet.why)"
    case .refusalEnded(let key): "\(key) is what its declaration says by now."
    }
  }
}
