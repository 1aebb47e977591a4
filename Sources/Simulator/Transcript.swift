import ControlPlane
import Kernel

/// The last turns in fixed columns, and a hash over all of them: equal for equal seeds.
struct Transcript {
  static let kept = 40

  private struct Line {
    let at: Span
    let stream: StreamID
    let input: String
    var events: [String]
    var effects: [String]
  }

  private var lines: [Line] = []
  /// FNV-1a over what every turn recorded.
  private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  private mutating func mix(_ text: String) {
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  }

  /// Notes what one run of the engine recorded, and the effects that it started and cancelled.
  mutating func note(
    _ events: [RecordedEvent<StreamEvent>], effects: [(sign: String, key: EffectKey, stream: StreamID)], at: Span
  ) {
    for event in events {
      mix(event.event.type)
      hash = (hash ^ UInt64(bitPattern: event.at.milliseconds)) &* 0x0000_0100_0000_01b3
      let input = Self.words(event.cause)
      if let last = lines.last, last.at == at, last.stream == event.stream, last.input == input {
        lines[lines.count - 1].events.append(event.event.type)
      } else {
        lines.append(Line(at: at, stream: event.stream, input: input, events: [event.event.type], effects: []))
      }
    }
    for effect in effects {
      mix(effect.key.text)
      let text = effect.sign + effect.key.text
      if let index = lines.lastIndex(where: { $0.at == at && $0.stream == effect.stream }) {
        lines[index].effects.append(text)
      } else {
        lines.append(Line(at: at, stream: effect.stream, input: "again", events: [], effects: [text]))
      }
    }
    if lines.count > 4 * Self.kept { lines.removeFirst(lines.count - Self.kept) }
  }

  mutating func note(_ words: String, at: Span) {
    mix(words)
    lines.append(Line(at: at, stream: .settings, input: "--- \(words)", events: [], effects: []))
  }

  private static func words(_ cause: Cause) -> String {
    switch cause {
    case .request(let id): "asked \(id)"
    case .routed(let position, _): "routed @\(position)"
    case .observed(let key): key.text
    case .pulse: "pulse"
    }
  }

  var text: String {
    let header = Self.row("time s", "stream", "input", "events", "effects")
    return
      ([header]
      + lines.suffix(Self.kept).map { line in
        Self.row(
          "\(line.at.seconds)", Self.clipped(line.stream.description, 34), Self.clipped(line.input, 34),
          line.events.map(Self.short).joined(separator: " "),
          line.effects.map { Self.clipped($0, 40) }.joined(separator: " "))
      }).joined(separator: "\n")
  }

  private static func row(_ time: String, _ stream: String, _ input: String, _ events: String, _ effects: String)
    -> String
  { "\(padded(time, 9)) \(padded(stream, 34)) \(padded(input, 34)) \(padded(events, 40)) \(effects)" }
  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
  private static func clipped(_ text: String, _ width: Int) -> String {
    text.count <= width ? text : text.prefix(width / 2) + "…" + text.suffix(width - width / 2 - 1)
  }
  private static func short(_ type: String) -> String { type.split(separator: ".").last.map(String.init) ?? type }
}
