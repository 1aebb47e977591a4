import ControlPlane
import Kernel
import MergeQueues
import Promotions
import Rollouts

/// What each event says, in one sentence, for pages, the API and the command line.
package enum Sentences {
  package static func sentence(for event: StreamEvent, of stream: StreamID) -> String {
    switch event {
    case .settings(let event): Words.ended(sentence(event))
    case .queue(let event): Words.ended(sentence(event))
    case .build(let event): Words.ended(sentence(event))
    case .delivery(let event): Words.ended(sentence(event, in: place(of: stream)))
    case .observation(let event): Words.ended(sentence(event, in: place(of: stream)))
    case .schema(let event): Words.ended(sentence(event, at: stream.name))
    case .flag(let event): Words.ended(sentence(event, of: stream.name))
    case .flagFolder(let event): Words.ended(sentence(event, at: stream.name))
    }
  }

  private static func sentence(_ event: Settings.Event) -> String {
    switch event {
    case .applied(let topology):
      "The configuration changed: \(count(topology.services.count, "service")), "
        + "\(count(topology.queues.count, "queue"))."
    case .left(let streams):
      "No longer in the configuration: \(streams.map(\.name).joined(separator: ", "))."
    case .joined(let services):
      "New on their branch, or on another way: \(services.map(\.rawValue).joined(separator: ", "))."
    }
  }

  private static func sentence(_ event: MergeQueue.Event) -> String {
    switch event {
    case .configured(let policy):
      "The queue of \(policy.trunk) tests with '\(policy.command)', \(policy.slots) at once."
    case .trunkMoved(from: nil, let to, at: _): "The trunk was found at \(to.short)."
    case .trunkMoved(let from?, let to, at: _): "Someone pushed to the trunk: \(from.short) became \(to.short)."
    case .submitted(let facts): "\(facts.author) submitted \(facts.branch) as #\(facts.id): \(facts.title)."
    case .withdrawn(let entry, let reason, at: _, stay: _): "#\(entry) was withdrawn: \(reason)."
    case .prepared(let entry, let base, let assumed, let commit, tree: _, at: _):
      "#\(entry) was merged onto \(base.short)\(company(assumed)) as \(commit.short)."
    case .conflicted(let entry, let base, let assumed, let paths, detail: _, at: _):
      "#\(entry) does not merge onto \(base.short)\(company(assumed)): "
        + "\(paths.isEmpty ? "see the detail" : paths.joined(separator: ", "))."
    case .contained(let entry, let base, let assumed, at: _):
      "\(base.short)\(company(assumed)) already contains #\(entry)."
    case .testPassed(let entry, let commit, log: _, let startedAt, let endedAt):
      "The test of #\(entry) at \(commit.short) passed in \((endedAt - startedAt).words)."
    case .testFailed(let entry, let commit, end: _, let reason, log: _, startedAt: _, endedAt: _):
      "The test of #\(entry) at \(commit.short) \(reason)."
    case .candidateDropped(let entry, commit: _, let because, at: _): "#\(entry) is built anew: \(words(for: because))."
    case .landed(let landing): "#\(landing.entry) landed as \(landing.commit.short): \(landing.title)."
    case .ejected(let ejection): ejection.sentence
    case .troubled(let entry, key: _, let why, at: _):
      "\(entry.map { "#\($0)" } ?? "The watch on the trunk") is held up by the world: \(why)."
    case .planned(let planned):
      planned.builds.isEmpty && planned.dropped.isEmpty && planned.reruns.isEmpty
        ? "The plan of builds stays as it is."
        : "Builds were planned: \(plan(planned))."
    case .runBegan(let build, let run, let subject, at: _):
      "Build \(build) is being tested at \(subject.commit.short)\(run > 1 ? ", run \(run)" : "")."
    case .runEnded(let build, let run, at: _):
      run.isGreen
        ? "The test of build \(build) passed in \((run.endedAt - run.startedAt).words)."
        : "The test of build \(build) \(run.reason)."
    case .runStopped(let build, run: _, let because, at: _):
      "The test of build \(build) was stopped: \(words(for: because))."
    case .recognised(let build, let passed, at: _):
      switch passed.source {
      case .run(let other, number: _, log: _):
        "Build \(build) is the very tree that passed as build \(other): no run is needed."
      case .check(let name, let reporter, let commit):
        "Build \(build) is the very tree on which \(name) of \(reporter) passed at \(commit.short): no run is needed."
      }
    case .buildDropped(let build, let because, at: _): "Build \(build) was dropped: \(words(for: because))."
    case .buildCarried(let build, let over, to: _, at: _):
      over == [MergeQueue.pastTheQueue]
        ? "Build \(build) goes on: what was pushed past the queue is in other lanes."
        : "Build \(build) goes on: \(numbers(over)) landed in other lanes."
    case .landingBegan(build: _, let members, let commit, expecting: _, at: _):
      "\(numbers(members)) passed and \(members.count == 1 ? "is" : "are") being pushed as \(commit.short)."
    case .flakeFound(let flake):
      flake.red == flake.green
        ? "A flake: build \(flake.red) was red and is green, and nothing was different."
        : "A flake: build \(flake.red) was red, and build \(flake.green), which holds all of it, is green."
    case .stackLoosened(unit: _, let members, at: _): "The stack of \(numbers(members)) is looked at one by one."
    case .reported(let entry, let approvals, let checks, at: _):
      "#\(entry) has \(count(approvals.count, "approval")) and \(count(checks.count, "reported check"))."
    case .treePassed(let passed):
      switch passed.source {
      case .run(let build, number: _, log: _): "A tree passed as build \(build)."
      case .check(let name, let reporter, let commit): "\(name) of \(reporter) passed at \(commit.short)."
      }
    case .surveyed(let entry, let lanes, at: _): "#\(entry) is in \(lanes.labels.joined(separator: ", "))."
    case .targetsReported(let entry, let targets, at: _): "#\(entry) affects \(count(targets.count, "target"))."
    case .held(let hold):
      hold.kind == .paused
        ? "\(hold.by) paused the queue: \(hold.reason)." : "\(hold.by) drains the queue: \(hold.reason)."
    case .resumed(let reason, let by, at: _): "\(by) resumed the queue\(reason.isEmpty ? "" : ": \(reason)")."
    case .frozen(let freeze):
      "The queue is frozen\(freeze.until.map { " until \(Words.clock($0))" } ?? ""): \(freeze.reason)."
    case .thawed: "The freeze is over."
    case .overdue(let entry, let since, at: _): "#\(entry) waits since \(Words.clock(since)), longer than it should."
    case .noted(let note): "On the change of #\(note.entry) it shall be said: \(oneLine(note.text))"
    case .noteWritten(let note, at: _): "It is said on the change: \(oneLine(note.text))"
    case .noteAbandoned(let note, let why, at: _):
      "It could not be said on the change of #\(note.entry), and is given up: \(why)."
    case .runnerLost(let loss, at: _):
      loss.isSilent
        ? "Nothing was heard of the runner since \(Words.clock(loss.since))\(loss.why.map { ": \($0)" } ?? "")."
        : "The runner can start no run\(loss.why.map { ": \($0)" } ?? "")."
    case .runnerFound: "The runner is back."
    case .trunkSighted(let commit, at: _): "The trunk was seen at \(commit.short); what changed is looked up."
    case .trunkTraced(let push, at: _): words(for: push)
    case .reviewsAsked(let entry, head: _, let places, at: _):
      "\(places.joined(separator: " and ")) \(places.count == 1 ? "is" : "are") asked about the migrations of #\(entry)."
    case .schemaReviewed(let entry, head: _, let place, verdict: let review, at: _):
      review.passes
        ? "\(place) lets the migrations of #\(entry) pass\(review.why.isEmpty ? "." : ": \(Words.closed(review.why))")"
        : "The migrations of #\(entry) \(review.words(at: place))."
    case .recovered: "The watch on the trunk works again."
    case .retired: "The queue is closed: plimsoll.yaml no longer names its branch."
    case .recalled(let trunk, let services, at: _):
      "\(trunk.short), which the trunk holds, goes to \(services.map(\.rawValue).joined(separator: ", "))."
    }
  }

  private static func words(for push: MergeQueue.Overtaking) -> String {
    switch push.how {
    case .advanced:
      "Somebody pushed past the queue, to \(push.to.short), in \(push.lanes.labels.joined(separator: ", "))."
    case .rewound: "Somebody forced the trunk back to \(push.to.short)."
    case .rewritten: "Somebody rewrote the trunk's history; it is at \(push.to.short)."
    }
  }

  /// A note's lines, one after the other.
  private static func oneLine(_ text: String) -> String { text.split(separator: "\n").joined(separator: " ") }

  private static func words(for cause: MergeQueue.DropCause) -> String {
    switch cause {
    case .trunkMoved(let commit): "the trunk moved to \(commit.short)"
    case .culprit(let entry): "#\(entry), which it stood on, failed"
    case .withdrawn(let entry): "#\(entry), which it stood on, was withdrawn or replaced"
    case .recipeChanged: "the test, the method or the message changed"
    case .landed(let entry): "#\(entry) landed, which it assumed would not"
    case .lineChanged: "its members stand in another order now"
    case .outranked(let entry): "#\(entry) is more urgent"
    case .forgotten: "more builds ended than are kept"
    }
  }

  private static func numbers(_ entries: [Int]) -> String {
    let names = entries.map { "#\($0)" }
    return names.count < 2
      ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
  }

  private static func plan(_ planned: MergeQueue.Event.Planned) -> String {
    let new = planned.builds.map { "build \($0.id) of \(numbers($0.members))" }
    let again = planned.reruns.map { "build \($0) again" }
    let ended = planned.dropped.map { "build \($0) ends" }
    return (new + again + ended).joined(separator: ", ")
  }

  private static func sentence(_ event: Promotion.Event) -> String {
    switch event {
    case .begun(let order): "\(order.subject) is built and promoted: \(order.title)."
    case .built(let result):
      "It was built in \((result.endedAt - result.startedAt).words) as \(result.artifact.digest.short), "
        + "\(count(result.artifact.files, "file")), \(Words.bytes(result.artifact.bytes))."
    case .buildFailed(let reason, log: _): "The build failed: \(reason)."
    case .provenanceVerified(let environment, let builder):
      "Its provenance was verified for \(environment), built by \(builder)."
    case .provenanceRejected(let environment, let reason): "\(environment) rejected its provenance: \(reason)."
    case .requested(let request):
      "\(request.environment) was asked to take \(request.artifact.digest.short)"
        + "\(request.override ? ", with an override" : "")."
    case .taken(let environment, at: _): "\(environment) took it."
    case .superseded(let environment, let commit): "\(environment) prefers the newer \(commit.short)."
    case .condemned(let environment, let reason): "It was condemned in \(environment): \(reason)"
    case .served(let environment, at: _): "It serves all traffic in \(environment)."
    case .checkPassed(let environment, let name, log: _, let startedAt, let endedAt):
      "Check \(name) passed in \(environment) after \((endedAt - startedAt).words)."
    case .checkFailed(let environment, let name, let reason, log: _, startedAt: _, endedAt: _):
      "Check \(name) failed in \(environment): \(reason)."
    case .soakBegan(let environment, let until): "It soaks in \(environment) until \(Words.clock(until))."
    case .passed(let environment, at: _): "It passed \(environment)."
    case .completed: "It passed every environment."
    case .halted(let reason): "The promotion halted: \(reason)."
    case .resumed(let resumption):
      "A person promoted it again\(resumption.environment.map { " to \($0)" } ?? "")"
        + "\(resumption.override ? ", with an override" : ""): \(resumption.reason)."
    case .renewed(let order):
      "The trunk is at \(order.commit.short) again, or its way changed: its digest is sent through "
        + "\(order.stages.map(\.environment.rawValue).joined(separator: ", "))."
    case .schemaReconsidered(let environment):
      "More is known of what was refused: its database in \(environment) is asked again."
    case .schemaAsked(let ask): "\(ask.database) in \(ask.environment) was asked whether it bears \(ask.digest.short)."
    case .schemaGranted(let environment, at: _): "Its database in \(environment) bears it, migrations and all."
    case .schemaRefused(let environment, let reason):
      "Its database in \(environment) refused it: \(Words.closed(reason))"
    }
  }

  private static func sentence(_ event: Rollout.Event, in place: String) -> String {
    switch event {
    case .configured(let policy):
      "\(place) rolls out in steps of \(policy.steps.map(\.description).joined(separator: "; "))"
        + "\(policy.judged ? ", judged by traffic" : ", without judging traffic")."
    case .offered(let offer): "\(offer.commit.short) was offered to \(place): \(offer.title)."
    case .superseded(let offer, let commit): "\(offer.commit.short) was superseded in \(place) by \(commit.short)."
    case .refusedCondemned(let offer): "\(place) refused \(offer.digest.short): it is condemned there."
    case .confirmed(let offer, let deployment, at: _):
      "\(deployment.digest.short) already serves \(place), so \(offer.commit.short) is there."
    case .started(let start): sentence(start, in: place)
    case .startExtended(let id, let until):
      "Rollout \(id) may take until \(Words.clock(until)) to become ready, because nobody watched it."
    case .baselineMeasured(let id, let baseline):
      "The baseline of rollout \(id): \(baseline.errors) errors and \(baseline.slow) slow in "
        + "\(count(baseline.requests, "request"))." + (baseline.origin.map { " \(Words.closed($0))" } ?? "")
    case .placed(let id, let digest, let endpoints):
      "Rollout \(id) is ready: \(count(endpoints, "instance")) run \(digest.short)."
    case .stepEntered(let id, index: _, let percent, at: _): "Rollout \(id) wants \(percent) % of the traffic."
    case .routed(let shares, at: _): "The router confirmed \(words(for: shares)) for \(place)."
    case .evidenceNoted(let id, let verdict, checkpoint: _, at: _): "Rollout \(id) is \(words(for: verdict))"
    case .stepPassed(let id, let index, let verdict):
      "Rollout \(id) passed step \(index + 1)\(verdict == nil ? " by time" : "")."
    case .condemned(let condemnation):
      "\(condemnation.deployment.commit.short) was condemned in \(place): \(condemnation.sentence)"
    case .restored(let id, let to?, at: _): "\(place) is back on \(to.commit.short) (rollout \(id))."
    case .restored(let id, to: nil, at: _):
      "Rollout \(id) was taken out of traffic in \(place); nobody else could serve."
    case .reported(let report):
      "The report of rollout \(report.rollout): \(count(report.requestsHurt, "request")) hurt, "
        + "\(report.restoredAt == nil ? "closed before it was restored," : "restored") "
        + "\(max(report.endedAt - report.decidedAt, .zero).words) after the decision."
    case .completed(let id, let deployment, at: _):
      "Rollout \(id) completed: \(deployment.commit.short) is known-good in \(place)."
    case .retired(let deployment): "\(deployment) was stopped and removed."
    case .lifted(let digest, let reason): "The condemnation of \(digest.short) in \(place) was lifted: \(reason)."
    case .instanceEnded(let deployment, let end, let inRow, at: _):
      "An instance of \(deployment) \(words(for: end)), \(inRow) in a row."
    case .announced(let id, let target): "Announcement \(id) reached target \(target + 1)."
    case .announcementAbandoned(let id, let target, let why):
      "Announcement \(id) did not reach target \(target + 1): \(why)."
    case .troubled(let key, let why): "The world keeps failing at \(key): \(why)."
    case .troubleEnded(let key): "\(key) goes well again."
    case .unconfigured(let event):
      "plimsoll.yaml no longer names \(place)" + (event.rollout.map { "; rollout \($0) ends unfinished." } ?? ".")
    case .closed: "\(place) is out of traffic for good; what ran is stopped."
    case .refusedUnconfigured(let offer):
      "\(place) cannot take \(offer.commit.short): plimsoll.yaml no longer names it."
    case .gated(let id, let index, .approval, at: _): "Rollout \(id) waits for a person to approve step \(index + 1)."
    case .gated(let id, let index, .evidence(let missing), at: _):
      "Rollout \(id) asks a person to decide step \(index + 1): \(missing)"
    case .approved(let id, let index, let approval, let verdict, at: _):
      "\(approval.actor) approved step \(index + 1) of rollout \(id): \(Words.closed(approval.reason)) "
        + (verdict.map(said) ?? "Nothing was judged there.")
    case .scalingBegan(let id, let index, readyBy: _): "Rollout \(id) starts the instances of step \(index + 1)."
    case .scaled(let id, let index, let endpoints):
      "Rollout \(id) has \(count(endpoints, "instance")) ready for step \(index + 1)."
    case .finishing(let id, at: _): "Rollout \(id) moves what the old version kept."
    case .drillOrdered(let id, let actor, at: _): "\(actor) wants rollout \(id) to drill before its first step."
    case .drillMoved(let id, let drill, at: _): "\(words(for: drill, of: id))"
    case .drilled(let id, let report, at: _): "Drill \(id) in \(place): \(report.sentence)"
    case .drillAbandoned(let id, let why, at: _): "Drill \(id) in \(place) gave way: \(why)."
    case .rollbackAbandoned(let id, let why, at: _):
      "Rollback \(id) in \(place) was given up before anything was sent there: \(why)."
    case .frozen(let freeze, at: _):
      "\(place) was frozen by \(freeze.actor)"
        + "\(freeze.until.map { " until \(Words.absolute($0))" } ?? ""): \(Words.closed(freeze.reason))"
    case .thawed(let actor, let reason, at: _): "\(place) was thawed by \(actor): \(Words.closed(reason))"
    case .floorRaised(let floor, ordinal: _, at: _):
      "No rollback of \(place) goes below \(floor.digest.short) any more, says \(floor.actor): "
        + Words.closed(floor.reason)
    case .budgetNoted(let standings, at: _): standings.map { sentence($0, in: place) }.joined(separator: " ")
    case .versionsHeld(let versions): held(versions, in: place)
    case .barsNoted(let bars):
      bars.isEmpty
        ? "No version that \(place) keeps is barred by its database's schema."
        : bars.map { "\($0.digest.short) may not come back to \(place): \(Words.closed($0.why))" }
          .joined(separator: " ")
    }
  }

  private static func held(_ versions: [HeldVersion], in place: String) -> String {
    let parts = [("serves", HeldVersion.Standing.serving), ("moves", .rollingOut), ("is kept", .target)].compactMap {
      words, standing -> String? in
      let commits = versions.filter { $0.standing == standing }.map(\.commit.short)
      return commits.isEmpty ? nil : "\(commits.joined(separator: ", ")) \(words)"
    }
    return parts.isEmpty
      ? "Nothing of \(place) lives on its database any more."
      : "What \(place) asks of its database: \(parts.joined(separator: "; "))."
  }

  private static func sentence(_ standing: BudgetStanding, in place: String) -> String {
    if let missing = standing.missing {
      return "Nothing is known of the error budget of \(standing.objective) in \(place): "
        + Words.closed(missing.reason)
    }
    return "In \(place) \(Words.closed(standing.sentence ?? "nothing is known of \(standing.objective)"))"
  }

  private static func words(for drill: Drill, of rollout: RolloutID) -> String {
    switch drill {
    case .there: "Drill \(rollout) wants requests there."
    case .held: "Drill \(rollout) has requests there."
    case .back: "Drill \(rollout) wants them back."
    case .counting, .done: "Drill \(rollout) has them back."
    }
  }

  private static func sentence(_ start: Rollout.RolloutStart, in place: String) -> String {
    switch start.kind {
    case .forward: "Rollout \(start.id) of \(start.deployment.commit.short) began in \(place): \(start.offer.title)."
    case .rollback:
      "Rollback \(start.id) of \(place) to \(start.deployment.commit.short) began"
        + "\(start.reason.map { ": \($0)." } ?? ".")"
    case .drill:
      "Drill \(start.id) of \(place) to \(start.deployment.commit.short) and back began"
        + "\(start.reason.map { ": \($0)." } ?? ".")"
    }
  }

  // MARK: Parts

  static func words(for verdict: Verdict) -> String {
    switch verdict {
    case .good(let power): "good: \(power.sentence)"
    case .bad(let conviction): "bad: \(conviction.sentence)"
    case .notEnoughEvidence(let scarcity): "not judged yet, for want of evidence: \(scarcity.sentence)"
    case .sourceBroken(let reason): "not judged, because the evidence source is broken: \(reason)."
    }
  }

  /// The same of a verdict that was.
  private static func said(_ verdict: Verdict) -> String {
    switch verdict {
    case .good(let power): "The verdict was good: \(power.sentence)"
    case .bad(let conviction): "The verdict was bad: \(conviction.sentence)"
    case .notEnoughEvidence(let scarcity): "There was no verdict, for want of evidence: \(scarcity.sentence)"
    case .sourceBroken(let reason): "There was no verdict, because the evidence source was broken: \(reason)."
    }
  }

  private static func words(for end: InstanceEnd) -> String {
    switch end {
    case .exited(let code): "exited with \(code)"
    case .signalled(let number): "was killed by signal \(number)"
    case .outOfMemory: "ran out of memory"
    case .neverReady(let afterMs): "was not ready after \(Span(milliseconds: afterMs).words)"
    case .failedToStart(let reason): "could not be started: \(reason)"
    }
  }

  private static func words(for shares: [TrafficShare]) -> String {
    shares.map { "\($0.percent) % for \($0.deployment)" }.joined(separator: ", ")
  }

  private static func company(_ assumed: [Int]) -> String {
    assumed.isEmpty ? "" : " (with \(assumed.map { "#\($0)" }.joined(separator: ", ")) ahead)"
  }

  private static func place(of stream: StreamID) -> String {
    guard let (service, environment) = Wiring.place(of: stream) else { return stream.name }
    return "\(service) in \(environment)"
  }

  private static func count(_ number: Int, _ noun: String) -> String { Words.count(number, noun) }
}
