import Kernel
import MergeQueues
import Migrations
import Promotions
import Ramps
import Rollouts

// The machines as sums, so that one engine, one ledger and one mailbox serve them all. Coded as one key, the
// kind, over the machine's own value: `{"queue":{"landed":{…}}}`.

package indirect enum StreamState: Codable, Equatable, Sendable {
  case settings(Settings.State)
  case queue(MergeQueue.State)
  case build(Promotion.State)
  case delivery(Rollout.State)
  case observation(Observation.State)
  case schema(DatabaseSchema.State)
  case flag(FeatureFlag.State)
  case flagFolder(FlagFolder.State)

  /// Names the shape of all states together. Change it with any `State` or `evolve`: older snapshots are then refolded.
  package static let format = "10"

  package static func initial(_ kind: StreamKind) -> StreamState {
    switch kind {
    case .settings: .settings(Settings.initial)
    case .queue: .queue(MergeQueue.initial)
    case .build: .build(Promotion.initial)
    case .delivery: .delivery(Rollout.initial)
    case .observation: .observation(Observation.initial)
    case .schema: .schema(DatabaseSchema.initial)
    case .flag: .flag(FeatureFlag.initial)
    case .flagFolder: .flagFolder(FlagFolder.initial)
    }
  }

  package init(from decoder: any Decoder) throws {
    let (kind, container) = try KindCoding.container(decoder)
    self =
      switch kind {
      case .settings: .settings(try container.decode(Settings.State.self, forKey: kind))
      case .queue: .queue(try container.decode(MergeQueue.State.self, forKey: kind))
      case .build: .build(try container.decode(Promotion.State.self, forKey: kind))
      case .delivery: .delivery(try container.decode(Rollout.State.self, forKey: kind))
      case .observation: .observation(try container.decode(Observation.State.self, forKey: kind))
      case .schema: .schema(try container.decode(DatabaseSchema.State.self, forKey: kind))
      case .flag: .flag(try container.decode(FeatureFlag.State.self, forKey: kind))
      case .flagFolder: .flagFolder(try container.decode(FlagFolder.State.self, forKey: kind))
      }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: StreamKind.self)
    switch self {
    case .settings(let state): try container.encode(state, forKey: .settings)
    case .queue(let state): try container.encode(state, forKey: .queue)
    case .build(let state): try container.encode(state, forKey: .build)
    case .delivery(let state): try container.encode(state, forKey: .delivery)
    case .observation(let state): try container.encode(state, forKey: .observation)
    case .schema(let state): try container.encode(state, forKey: .schema)
    case .flag(let state): try container.encode(state, forKey: .flag)
    case .flagFolder(let state): try container.encode(state, forKey: .flagFolder)
    }
  }
}

package indirect enum StreamInput: Codable, Equatable, Sendable {
  case settings(Settings.Input)
  case queue(MergeQueue.Input)
  case build(Promotion.Input)
  case delivery(Rollout.Input)
  case observation(Observation.Input)
  case schema(DatabaseSchema.Input)
  case flag(FeatureFlag.Input)
  case flagFolder(FlagFolder.Input)

  package var kind: StreamKind {
    switch self {
    case .settings: .settings
    case .queue: .queue
    case .build: .build
    case .delivery: .delivery
    case .observation: .observation
    case .schema: .schema
    case .flag: .flag
    case .flagFolder: .flagFolder
    }
  }
}

package indirect enum StreamEvent: LedgerEvent {
  case settings(Settings.Event)
  case queue(MergeQueue.Event)
  case build(Promotion.Event)
  case delivery(Rollout.Event)
  case observation(Observation.Event)
  case schema(DatabaseSchema.Event)
  case flag(FeatureFlag.Event)
  case flagFolder(FlagFolder.Event)

  package var type: String {
    switch self {
    case .settings(let event): "settings.\(event.name)"
    case .queue(let event): "queue.\(event.name)"
    case .build(let event): "build.\(event.name)"
    case .delivery(let event): "delivery.\(event.name)"
    case .observation(let event): "observation.\(event.name)"
    case .schema(let event): "schema.\(event.name)"
    case .flag(let event): "flag.\(event.name)"
    case .flagFolder(let event): "flagFolder.\(event.name)"
    }
  }

  package init(from decoder: any Decoder) throws {
    let (kind, container) = try KindCoding.container(decoder)
    self =
      switch kind {
      case .settings: .settings(try container.decode(Settings.Event.self, forKey: kind))
      case .queue: .queue(try container.decode(MergeQueue.Event.self, forKey: kind))
      case .build: .build(try container.decode(Promotion.Event.self, forKey: kind))
      case .delivery: .delivery(try container.decode(Rollout.Event.self, forKey: kind))
      case .observation: .observation(try container.decode(Observation.Event.self, forKey: kind))
      case .schema: .schema(try container.decode(DatabaseSchema.Event.self, forKey: kind))
      case .flag: .flag(try container.decode(FeatureFlag.Event.self, forKey: kind))
      case .flagFolder: .flagFolder(try container.decode(FlagFolder.Event.self, forKey: kind))
      }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: StreamKind.self)
    switch self {
    case .settings(let event): try container.encode(event, forKey: .settings)
    case .queue(let event): try container.encode(event, forKey: .queue)
    case .build(let event): try container.encode(event, forKey: .build)
    case .delivery(let event): try container.encode(event, forKey: .delivery)
    case .observation(let event): try container.encode(event, forKey: .observation)
    case .schema(let event): try container.encode(event, forKey: .schema)
    case .flag(let event): try container.encode(event, forKey: .flag)
    case .flagFolder(let event): try container.encode(event, forKey: .flagFolder)
    }
  }
}

package indirect enum StreamEffect: WantedEffect {
  case queue(MergeQueue.Effect)
  case build(Promotion.Effect)
  case delivery(Rollout.Effect)
  case observation(Observation.Effect)
  case schema(DatabaseSchema.Effect)
  case flag(FeatureFlag.Effect)
  case flagFolder(FlagFolder.Effect)

  package var key: EffectKey {
    switch self {
    case .queue(let effect): effect.key
    case .build(let effect): effect.key
    case .delivery(let effect): effect.key
    case .observation(let effect): effect.key
    case .schema(let effect): effect.key
    case .flag(let effect): effect.key
    case .flagFolder(let effect): effect.key
    }
  }
  package var lane: Lane {
    switch self {
    case .queue(let effect): effect.lane
    case .build(let effect): effect.lane
    case .delivery(let effect): effect.lane
    case .observation(let effect): effect.lane
    case .schema(let effect): effect.lane
    case .flag(let effect): effect.lane
    case .flagFolder(let effect): effect.lane
    }
  }
  package var retry: RetryBudget {
    switch self {
    case .queue(let effect): effect.retry
    case .build(let effect): effect.retry
    case .delivery(let effect): effect.retry
    case .observation(let effect): effect.retry
    case .schema(let effect): effect.retry
    case .flag(let effect): effect.retry
    case .flagFolder(let effect): effect.retry
    }
  }
}

extension StreamKind: CodingKey {}

private enum KindCoding {
  static func container(_ decoder: any Decoder) throws -> (StreamKind, KeyedDecodingContainer<StreamKind>) {
    let container = try decoder.container(keyedBy: StreamKind.self)
    guard let kind = container.allKeys.first, container.allKeys.count == 1 else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "expected exactly one stream kind"))
    }
    return (kind, container)
  }
}
