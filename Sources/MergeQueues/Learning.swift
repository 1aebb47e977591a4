import Kernel

/// What a queue learns of times from its own history, kept in its state: how forecasts came out, and how long the checks
/// of others' CI take. How long its own runs take is `DurationEstimate`.
extension MergeQueue {
  /// What an entry could be told of its landing, to be held against what comes of it.
  package struct GivenForecast: Codable, Equatable, Sendable {
    package let forecast: Forecast
    package let at: Instant
    /// How long people had held it up by then.
    package let held: Span
    package init(forecast: Forecast, at: Instant, held: Span) {
      self.forecast = forecast
      self.at = at
      self.held = held
    }
  }

  /// A required check of others' CI that has been reported as pending.
  package struct BegunCheck: Codable, Equatable, Sendable {
    package let name: String
    package let since: Instant
    package init(name: String, since: Instant) {
      self.name = name
      self.since = since
    }
  }

  /// How long the check of that name takes from its first report to its end.
  package struct CheckTime: Codable, Equatable, Sendable {
    package let name: String
    package internal(set) var durations: DurationEstimate
    package init(name: String, durations: DurationEstimate = DurationEstimate()) {
      self.name = name
      self.durations = durations
    }
  }

  /// Checks of which times are learned; those that are required come first by name.
  package static let checkTimeLimit = 32
}

// MARK: - Landings

extension MergeQueue.State {
  /// When the entry will probably have landed, if it lands. Nil until a run has ended, and for one that people hold up:
  /// it lands when somebody lets it. O(builds · members).
  package func forecast(of id: Int, at now: Instant) -> Forecast? { landingForecasts(at: now)(id) }

  /// The same for whoever asks of many: O(builds · members), and then O(1) for each.
  package func landingForecasts(at now: Instant) -> (Int) -> Forecast? {
    let running = builds.filter(\.isRunning)
    var own = EntryTable()
    // The first of several that an entry is in.
    for (index, build) in running.enumerated().reversed() { for member in build.members { own[member] = index } }
    return { id in
      forecastGrounds(of: id, own: own[id].map { running[$0] }, running: running, at: now).map {
        forecasts.forecast($0)
      }
    }
  }

  /// - Parameter own: the running build that the entry is in.
  private func forecastGrounds(
    of id: Int, own: MergeQueue.Build?, running: [MergeQueue.Build], at now: Instant
  ) -> ForecastGrounds? {
    guard let median = durations.median, !isPaused, let place = entries.place(of: id), !lacks(entries[place]),
      let policy
    else { return nil }
    let batch = own?.members.count ?? running.map(\.members.count).max() ?? 1
    return ForecastGrounds(
      ahead: place, slots: policy.slots, duration: .seconds(median), rates: rates.rates,
      running: own.map { max(now - $0.since, .zero) } ?? .zero, batch: batch)
  }

  /// An entry is given a forecast when it comes and when its builds begin, the first of each crowd: of a line that is
  /// never empty, too, the places near the head are learned.
  mutating func giveForecasts(at event: MergeQueue.Event) {
    switch event {
    case .submitted(let facts):
      giveForecasts(to: [facts.id], own: nil, at: facts.submittedAt)
    case .runBegan(let id, _, _, let at):
      guard let build = build(id) else { return }
      giveForecasts(to: build.members, own: build, at: at)
    case .configured, .trunkMoved, .withdrawn, .prepared, .conflicted, .contained, .testPassed, .testFailed,
      .candidateDropped, .landed, .ejected, .troubled, .recovered, .retired, .recalled, .planned, .runEnded,
      .runStopped, .recognised, .buildDropped, .buildCarried, .landingBegan, .flakeFound, .stackLoosened, .reported,
      .treePassed, .surveyed, .targetsReported, .held, .resumed, .frozen, .thawed, .overdue, .noted, .noteWritten,
      .noteAbandoned, .runnerLost, .runnerFound, .trunkSighted, .trunkTraced, .reviewsAsked, .schemaReviewed:
      break
    }
  }

  private mutating func giveForecasts(to ids: [Int], own: MergeQueue.Build?, at now: Instant) {
    let running = builds.filter(\.isRunning)
    for id in ids {
      guard let entry = entries[id: id], let grounds = forecastGrounds(of: id, own: own, running: running, at: now),
        !entry.forecasts.contains(where: { $0.forecast.crowd == grounds.crowd })
      else { continue }
      let given = MergeQueue.GivenForecast(
        forecast: forecasts.forecast(grounds), at: now, held: entry.waits.parts(at: now).held)
      entries.change(id) { $0.forecasts.append(given) }
    }
  }

  /// Whoever was held up by people since it was told teaches nothing about CI.
  mutating func learn(fromLandingOf entry: MergeQueue.Entry, at now: Instant) {
    let held = entry.waits.parts(at: now).held
    for given in entry.forecasts where given.held == held {
      forecasts.learn(given.forecast, took: max(now - given.at, .zero))
    }
  }
}

extension [WaitPart] {
  /// What people held up.
  fileprivate var held: Span {
    self[.missingApproval] + self[.missingCheck] + self[.frozen] + self[.paused]
  }
}

// MARK: - Checks of others

extension MergeQueue.State {
  /// What 99 of 100 checks of that name stay below; nil before the first ended.
  func usualTime(ofCheck name: String) -> Span? {
    checkTimes.first { $0.name == name }?.durations.seconds(deviations: DurationEstimate.deviationsOf99).map(
      Span.seconds)
  }

  /// Notes which required checks of the entry begin or end with these reports.
  mutating func noteChecks(_ reports: [CheckResult], of id: Int, at now: Instant) {
    guard let names = policy?.requirements.checks, !names.isEmpty, let entry = entries[id: id] else { return }
    var begun = entry.begunChecks
    for name in names.prefix(MergeQueue.checkTimeLimit) {
      switch reports.standing(of: name, at: entry.facts.head) {
      case .pending:
        if !begun.contains(where: { $0.name == name }) { begun.append(MergeQueue.BegunCheck(name: name, since: now)) }
      case .passed, .failed:
        guard let index = begun.firstIndex(where: { $0.name == name }) else { continue }
        noteTime(now - begun[index].since, ofCheck: name)
        begun.remove(at: index)
      case .missing: begun.removeAll { $0.name == name }
      }
    }
    if begun != entry.begunChecks { entries.change(id) { $0.begunChecks = begun } }
  }

  private mutating func noteTime(_ span: Span, ofCheck name: String) {
    let index = checkTimes.firstIndex { $0.name >= name } ?? checkTimes.count
    if index == checkTimes.count || checkTimes[index].name != name {
      guard checkTimes.count < MergeQueue.checkTimeLimit else { return }
      checkTimes.insert(MergeQueue.CheckTime(name: name), at: index)
    }
    checkTimes[index].durations.note(seconds: span.seconds)
  }
}
