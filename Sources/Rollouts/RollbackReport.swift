import Kernel

/// What people read over coffee: what was rolled back, why, whom it hurt and how long each part took.
package struct RollbackReport: Codable, Equatable, Sendable {
  package let rollout: RolloutID
  package let condemned: Deployment
  /// Nil: taken out of traffic, with nobody to return to.
  package let to: Deployment?
  package let cause: CauseClass
  package let sentence: String
  package let firstBadAt: Instant?
  /// The end of the evidence that decided.
  package let detectedAt: Instant
  package let decidedAt: Instant
  package let lastBadAt: Instant?
  /// When the router confirmed that the condemned version gets nothing; nil when the place was closed before.
  package let restoredAt: Instant?
  /// When plimsoll.yaml stopped naming the place, if that was before the restoration. Nil in reports of before it was
  /// told.
  package let closedAt: Instant?
  /// A drill found it: no rollout was taken back. Nil is no.
  private let foundByDrill: Bool?
  /// Bad responses; without `evidence` only those counted until the decision.
  package let requestsHurt: Int
  package let clientMinutesHurt: Int
  /// Nil when no request could reach it, or when the evidence could not be collected.
  package let evidence: Digest?

  package init(
    rollout: RolloutID, condemned: Deployment, to: Deployment?, cause: CauseClass, sentence: String,
    firstBadAt: Instant?, detectedAt: Instant, decidedAt: Instant, lastBadAt: Instant?, restoredAt: Instant?,
    closedAt: Instant? = nil, isDrill: Bool = false, requestsHurt: Int, clientMinutesHurt: Int, evidence: Digest?
  ) {
    self.rollout = rollout
    self.condemned = condemned
    self.to = to
    self.cause = cause
    self.sentence = sentence
    self.firstBadAt = firstBadAt
    self.detectedAt = detectedAt
    self.decidedAt = decidedAt
    self.lastBadAt = lastBadAt
    self.restoredAt = restoredAt
    self.closedAt = closedAt
    foundByDrill = isDrill ? true : nil
    self.requestsHurt = requestsHurt
    self.clientMinutesHurt = clientMinutesHurt
    self.evidence = evidence
  }

  package var isDrill: Bool { foundByDrill ?? false }
  /// When it was over, one way or the other.
  package var endedAt: Instant { restoredAt ?? closedAt ?? decidedAt }

  init(
    _ condemnation: Condemnation, to: Deployment?, restoredAt: Instant?, closedAt: Instant? = nil,
    isDrill: Bool = false, aftermath: Rollout.Aftermath?
  ) {
    let conviction = condemnation.conviction
    self.init(
      rollout: condemnation.rollout, condemned: condemnation.deployment, to: to, cause: condemnation.cause,
      sentence: condemnation.sentence,
      firstBadAt: [aftermath?.firstBadAt, conviction?.firstBadAt].compactMap { $0 }.min(),
      detectedAt: conviction?.decidedAt ?? condemnation.decidedAt, decidedAt: condemnation.decidedAt,
      lastBadAt: aftermath?.lastBadAt ?? conviction?.lastBadAt, restoredAt: restoredAt, closedAt: closedAt,
      isDrill: isDrill,
      // The telemetry forgets after a quarter of an hour; what the judge counted then still stands.
      requestsHurt: max(aftermath?.canary.hurt ?? 0, conviction?.observed.hurt ?? 0),
      clientMinutesHurt: aftermath?.clientMinutesHurt ?? 0, evidence: aftermath?.evidence)
  }

  /// Unique over all services and environments, the same after a restart: receivers deduplicate by it.
  package var announcementID: String {
    "\(condemned.service)/\(condemned.environment)/\(rollout)/\(kind)"
  }

  private var kind: String { isDrill ? "drill-failed" : "rolled-back" }

  package var announcement: Announcement {
    let place = "\(condemned.service) in \(condemned.environment)"
    let left = "\(condemned.commit.short) (\(condemned.digest.short))"
    let headline =
      if isDrill {
        "\(place) cannot be rolled back to \(condemned.commit.short): a drill found it"
      } else if closedAt != nil {
        "\(place) was closed while \(condemned.commit.short) was being rolled back"
      } else if let to {
        "\(place) was rolled back from \(condemned.commit.short) to \(to.commit.short)"
      } else {
        "\(place): \(condemned.commit.short) was taken out of traffic: there is no known-good version yet"
      }
    var facts = [Announcement.Fact("left", left)]
    facts.append(Announcement.Fact("now serving", to.map { "\($0.commit.short) (\($0.digest.short))" } ?? "nothing"))
    facts.append(Announcement.Fact("cause", cause.rawValue))
    if let remedy = cause.remedy { facts.append(Announcement.Fact("to keep it from coming back", remedy)) }
    if evidence != nil || requestsHurt > 0 {
      facts.append(Announcement.Fact("requests hurt", evidence == nil ? "at least \(requestsHurt)" : "\(requestsHurt)"))
    }
    if evidence != nil { facts.append(Announcement.Fact("client minutes hurt", "\(clientMinutesHurt)")) }
    if let firstBadAt { facts.append(fact("first bad response to detection", firstBadAt, detectedAt)) }
    facts.append(fact("detection to decision", detectedAt, decidedAt))
    if let lastBadAt { facts.append(fact("decision to last bad response", decidedAt, lastBadAt)) }
    if let restoredAt {
      facts.append(fact("decision to restored", decidedAt, restoredAt))
      if let firstBadAt { facts.append(fact("first bad response to restored", firstBadAt, restoredAt)) }
    }
    if let closedAt { facts.append(fact("decision to closed, not restored before", decidedAt, closedAt)) }
    return Announcement(
      id: announcementID, kind: kind, service: condemned.service, environment: condemned.environment,
      headline: headline, reason: sentence, facts: facts,
      path: "/rollouts/\(condemned.service)/\(condemned.environment)/\(rollout)", at: endedAt)
  }

  /// Nothing bad after the decision shows as no time at all, not as a negative one.
  private func fact(_ label: String, _ from: Instant, _ to: Instant) -> Announcement.Fact {
    Announcement.Fact(label, max(to - from, .zero).words)
  }
}

extension RequestCounts {
  /// Bad responses. One that failed *and* was slow is counted in both, so the sum is bounded by the requests.
  var hurt: Int { min(requests, errors + slow) }
}

extension Span {
  /// `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`: the two largest units that matter to a reader.
  package var words: String {
    let total = max(milliseconds, 0)
    if total < 10_000 { return "\(total / 1000).\(total % 1000 / 100) s" }
    let whole = total / 1000
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return whole % 60 == 0 ? "\(whole / 60) min" : "\(whole / 60) min \(whole % 60) s" }
    let minutes = whole % 3600 / 60
    return minutes == 0 ? "\(whole / 3600) h" : "\(whole / 3600) h \(minutes) min"
  }
}

/// A report on its way to people.
package struct PendingAnnouncement: Codable, Equatable, Sendable {
  /// Worded once, when it was reported: effects are derived every turn.
  package let announcement: Announcement
  /// Targets that have not got it, rising.
  package var targets: [Int]
  package init(announcement: Announcement, targets: [Int]) {
    self.announcement = announcement
    self.targets = targets
  }
  package var id: String { announcement.id }
}
