import API
import Kernel
import Ramps

/// Folders in git that define flags, as the API shows them.
extension Views {
  /// - Parameter flags: every flag, to find what other folders declare of keys that this one had first.
  static func folder(
    _ stream: StreamID, _ state: FlagFolder.State, among flags: [(key: FlagKey, state: FeatureFlag.State)]
  ) -> FlagFolderView {
    FlagFolderView(
      folder: stream.name, path: state.policy?.path, phase: phase(state.phase), sentence: sentence(state),
      commit: state.commit?.rawValue, flags: state.declared.count, segments: (state.segments + state.kept).map(\.name),
      faults: faults(state.phase),
      refused: state.unmet.map { unmet in
        FlagRefusedView(
          key: unmet.key.rawValue, folder: stream.name, place: unmet.place, commit: unmet.commit.rawValue,
          why: Words.closed(unmet.why), atMs: unmet.at.milliseconds)
      },
      contested: flags.flatMap { flag in
        flag.state.declared?.folder == stream
          ? flag.state.unmet.filter { $0.declaration.folder != stream }.map { refused(flag.key, $0) } : []
      })
  }

  private static func phase(_ phase: FlagFolder.Phase) -> String {
    switch phase {
    case .closed: "closed"
    case .waiting: "waiting"
    case .reading: "reading"
    case .settled: "settled"
    case .faulty: "faulty"
    }
  }

  private static func faults(_ phase: FlagFolder.Phase) -> [String] {
    if case .faulty(let fault) = phase { fault.sentences } else { [] }
  }

  private static func sentence(_ state: FlagFolder.State) -> String {
    let flags = Words.count(state.declared.count, "flag")
    switch state.phase {
    case .closed:
      return "plimsoll.yaml names it no more: people edit its flags"
        + (state.kept.isEmpty
          ? "." : ", and its segments stay, because rules may name them; a folder that has others takes their place.")
    case .waiting: return "Its trunk has not been seen yet."
    case .reading(let commit): return "\(commit.short) is being read; \(flags) until then."
    case .settled:
      let refused = state.unmet.isEmpty ? "" : ", \(state.unmet.count) of which may not be so now"
      return "\(state.commit?.short ?? "Its trunk") defines \(flags)\(refused)."
    case .faulty(let fault):
      let left = state.commit.map { "what \($0.short) says stays" } ?? "nothing of it is served"
      return "\(fault.commit.short) cannot be used, so \(left): mend what is named and land it."
    }
  }
}
