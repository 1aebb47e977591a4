import Kernel

extension MergeQueue {
  /// What is to be said of a change on the change itself: on its forge's page, or in a git note on its head.
  package struct Note: Codable, Equatable, Sendable {
    /// Numbers the queue's notes from 1; never used again.
    package let number: Int
    package let entry: Int
    package let branch: BranchName
    /// The head that was queued; a change has one note, so that a later one for the same head takes its place.
    package let head: CommitID
    /// Where the entry stands; nil when it left.
    package let standing: Standing?
    /// A few lines, at most `ChangeNote.limit` characters.
    package let text: String
    package let at: Instant
    package init(
      number: Int, entry: Int, branch: BranchName, head: CommitID, standing: Standing?, text: String, at: Instant
    ) {
      self.number = number
      self.entry = entry
      self.branch = branch
      self.head = head
      self.standing = standing
      self.text = text
      self.at = at
    }

    /// As the forge takes it.
    ///
    /// - Parameter fence: that of the effect, so that a late one changes nothing.
    package func change(fence: Fence) -> ChangeNote {
      ChangeNote(branch: branch, head: head, text: text, at: at, fence: fence)
    }

    package enum Fate: Codable, Equatable, Sendable {
      case written(at: Instant)
      case abandoned(why: String, at: Instant)
    }

    /// What of an entry's wait is worth a note: another is due when it differs from the last.
    package struct Standing: Codable, Equatable, Sendable {
      /// Why it does not move; nil while it does.
      package let stall: Stall.Cause?
      /// How often its wait has doubled since it reached `Levers.target`; nil while it is below.
      package let doublings: Int?
      package init(stall: Stall.Cause?, doublings: Int?) {
        self.stall = stall
        self.doublings = doublings
      }
    }
  }

  /// Notes that wait to be written: the landings of the largest batch. Beyond it the oldest is dropped, for a forge that
  /// takes none would otherwise hold all of them for ever.
  package static let noteLimit = 64
  /// Entries of which a standstill or a long wait is noted: those behind wait for these.
  package static let noteHorizon = 200
  /// Notes begun in one look, every 10 s: a line that stands still says so from its head on, without a flood of pushes.
  package static let noteBurst = 8
}

// MARK: - Words

extension MergeQueue.Note {
  /// The first line says what and when; then why, and what would help.
  ///
  /// - Parameter goesOn: neither a person nor something missing holds it up, so that the end of a stall is told as one.
  static func text(
    of entry: MergeQueue.Entry, standing: Standing, _ stall: Stall?, reason: String, goesOn: Bool, levers: Levers?,
    at: Instant
  ) -> String {
    var lines = ["#\(entry.id) waits in the merge queue, as of \(at.plainly)."]
    if let stall {
      lines.append("It stands still. \(stall.sentence) \(stall.nextStep)")
    } else if goesOn, entry.note?.standing?.stall != nil {
      lines.append("It goes on. \(reason)")
    } else {
      lines.append(reason)
    }
    if standing.doublings != nil, let levers { lines.append(levers.sentence) }
    return lines.joined(separator: "\n")
  }

  /// What became of it, and where its time went.
  package static func text(of finished: MergeQueue.FinishedEntry) -> String {
    var lines = ["\(finished.sentence) (\(finished.at.plainly))"]
    let parts = finished.waits.sorted { $0.span > $1.span }
    if !parts.isEmpty {
      let words = parts.map { "\($0.span.plainly) \($0.cause.words)" }.joined(separator: ", ")
      lines.append("In the queue for \(finished.waits.whole.plainly): \(words).")
    }
    if case .ejected(let ejection) = finished.outcome {
      if let log = ejection.log { lines.append("Its log: plimsoll queue --log \(log)") }
      if let report = ejection.report { lines.append("The report on its migrations: plimsoll queue --log \(report)") }
    }
    for noted in finished.reviews where noted.review.passes && noted.review.fit != .compatible {
      let review = noted.review
      let report = review.report.map { " The report: plimsoll queue --log \($0)" } ?? ""
      lines.append("Its migrations \(review.words(at: noted.place)). They passed all the same.\(report)")
    }
    return lines.joined(separator: "\n")
  }
}

extension Instant {
  /// `2026-11-23 14:05 UTC`: what a note says, which is read long after.
  ///
  /// From days to a date as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
  var plainly: String {
    let minutes = Int(milliseconds / 60_000)
    let (days, minute) = (minutes / 1440, minutes % 1440)
    let shifted = days + 719_468
    let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(year)-\(two(month))-\(two(day)) \(two(minute / 60)):\(two(minute % 60)) UTC"
  }
}
