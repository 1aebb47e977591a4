import Kernel
import Rollouts

/// The picture of a deploy that Plimsoll did not make: the same drawing as on a rollout's page.
package struct RecordedPicture: Sendable {
  /// SVG in one light style, for whatever opens it.
  package let document: [UInt8]

  /// - Parameters:
  ///   - points: oldest first.
  ///   - marks: what happened at a second of the recording, in any order.
  ///   - answer: how it ended, in one or two sentences.
  package init(points: [EvidencePoint], hasControl: Bool, marks: [(second: Int64, words: String)], answer: String) {
    let sorted = marks.map { mark in
      Picture.Mark(at: Instant(milliseconds: mark.second * 1000), words: mark.words, isStep: false)
    }.sorted { $0.at < $1.at }
    document = Picture(points, hasControl: hasControl, marks: sorted, end: answer).still
  }
}
