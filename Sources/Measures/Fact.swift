import Kernel
import MergeQueues
import Promotions
import Ramps
import Rollouts

/// What the measures stand on: an event of the ledger, or what the forge says of a landing's commits.
package enum Fact: Codable, Equatable, Sendable {
  case queue(StreamID, MergeQueue.Event)
  case build(StreamID, Promotion.Event)
  case delivery(StreamID, Rollout.Event)
  case flag(StreamID, FeatureFlag.Event)
  /// The commits that one landing brought to the trunk: the queue's stream, recorded at the landing's position.
  case commits(StreamID, [CommitFacts])
}
