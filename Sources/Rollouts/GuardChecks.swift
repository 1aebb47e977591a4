import Kernel

/// One of the user's checks as its answers came in.
struct CheckTrack: Codable, Equatable, Sendable {
  let check: WatchCheck
  /// Bad answers in a row; an unknown one neither adds nor ends the row.
  private(set) var badInRow = 0
  private(set) var lastBad: String?
  /// The last answer was good or bad.
  private(set) var isKnown = false
  private(set) var unknownSince: Instant?
  private(set) var unknownReason: String?

  init(_ check: WatchCheck) { self.check = check }

  mutating func answer(_ answer: CheckAnswer, at: Instant) {
    switch answer {
    case .good:
      (badInRow, lastBad) = (0, nil)
      (isKnown, unknownSince, unknownReason) = (true, nil, nil)
    case .bad(let what):
      (badInRow, lastBad) = (badInRow + 1, what)
      (isKnown, unknownSince, unknownReason) = (true, nil, nil)
    case .unknown(let why):
      isKnown = false
      unknownSince = unknownSince ?? at
      unknownReason = why
    }
  }

  /// Nothing was heard since `began`.
  mutating func begin(at began: Instant) {
    if !isKnown, unknownSince == nil { unknownSince = began }
  }

  var condemns: Bool { badInRow >= check.fails }
}
