import ControlPlane
import Kernel

/// What a host tells whoever runs it, each once: facts about the process itself that are in no stream's history, because
/// a stream that is broken or a ledger that is away cannot take them.
package enum HostNotice: Equatable, Sendable, CustomStringConvertible {
  /// The stream met a state that must not be. Told once in a process's life: nothing ends a quarantine but a restart.
  case quarantined(StreamID, reason: String)
  /// The ledger cannot be written or read; told again only when the reason changes.
  case ledgerAway(Outage)
  case ledgerBack
  /// Someone else changed what Plimsoll keeps in place: a router's state, a release folder. Told at each change.
  case altered(StreamID, sentence: String, at: Instant)

  package var description: String {
    switch self {
    case .quarantined(let stream, let reason):
      "\(stream) is quarantined: \(reason). It decides nothing more, what it runs goes on, and so does every other "
        + "stream. Keep a copy of the data folder and report this; a restart tries the stream again."
    case .ledgerAway(let outage):
      "Nothing is decided until the ledger is well; it is tried again and again: \(outage)"
    case .ledgerBack:
      "The ledger is well again; what waited is decided now."
    case .altered(let stream, let sentence, at: _):
      "\(stream): \(sentence)."
    }
  }
}

/// A time in which something is away, so that it is told when it begins and when it ends, and not at every look.
package struct OutageSpell: Sendable {
  private var current: Outage?
  package init() {}

  package enum News: Equatable, Sendable {
    case began(Outage)
    case ended
  }

  /// - Parameter outage: what is so now; nil when all is well.
  /// - Returns: nil when nothing changed. The errors behind an outage may differ at each try and are not compared.
  package mutating func look(_ outage: Outage?) -> News? {
    let before = current
    current = outage
    guard let outage else { return before == nil ? nil : .ended }
    if let before, before.subject == outage.subject, before.sentence == outage.sentence { return nil }
    return .began(outage)
  }
}
