import API
import ControlPlane
import Foundation
import Kernel

extension Views {
  static func event(_ event: RecordedEvent<StreamEvent>) -> EventView {
    EventView(
      position: event.position, stream: event.stream.description, version: event.version, type: event.event.type,
      atMs: event.at.milliseconds, actor: event.actor,
      sentence: Sentences.sentence(for: event.event, of: event.stream), payload: payload(event.event))
  }

  /// Keys sorted, so that the same event always reads the same.
  private static func payload(_ event: StreamEvent) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(event) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }
}
