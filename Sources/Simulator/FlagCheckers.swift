import ControlPlane
import Kernel
import Ramps

/// What flags owe to whoever gets them. Looks at what is served, at what clients evaluate, at what the judge said and at
/// the ledger.
final class FlagCheckers {
  unowned let world: World
  private let report: (Promise, String) -> Void
  private(set) var tally = FlagTally()

  private struct Course {
    let plan: RampPlan
    let number: Int
    /// A person went on somewhere without the evidence.
    var wasPushed = false
    /// As it was served last.
    var ranges: [Range<Int>] = []
  }
  private struct Kill {
    let position: Position
    let at: Instant
  }
  private var epochs: [FlagPlace: Int] = [:]
  private var courses: [FlagPlace: Course] = [:]
  /// Kills that nothing has undone.
  private var kills: [FlagPlace: Kill] = [:]
  /// Withdrawn by the end of a ramp, and not proved.
  private var withdrawn: [FlagPlace: String] = [:]
  /// Switched off altogether, and not proved.
  private var killed: Set<FlagPlace> = []
  /// When people asked for something, by its reason.
  private var asked: [String: Instant] = [:]
  /// Where each change to come was recorded.
  private var planned: [FlagKey: [Int: Position]] = [:]
  /// Which of them fell due last.
  private var due: [FlagKey: (number: Int, position: Position)] = [:]
  /// What the judge said, by the milliseconds of the wall clock; two processes may say something at once.
  private var said: [FlagPlace: [Int: [Int64: [RampVerdict]]]] = [:]
  private var good: [FlagPlace: RampVerdict] = [:]
  private var texts: [FlagPlace: (text: String?, position: Int64)] = [:]

  init(_ world: World, report: @escaping (Promise, String) -> Void) {
    self.world = world
    self.report = report
  }

  // MARK: The world

  /// A person asks for something; the reason is this request's alone.
  func asks(_ reason: String) { asked[reason] = world.now }

  func judged(_ place: FlagPlace, epoch: Int, _ verdict: RampVerdict, at instant: Instant) {
    tally.verdicts += 1
    said[place, default: [:]][epoch, default: [:]][instant.milliseconds, default: []].append(verdict)
    if case .good = verdict { good[place] = verdict }
  }

  /// Of any epoch; nil before the first.
  func lastGood(_ place: FlagPlace) -> RampVerdict? { good[place] }

  func served(_ place: FlagPlace, _ copy: SimulatedCopy?, at position: Int64) {
    texts[place] = (copy?.text, position)
    guard let course = courses[place], let copy, copy.isOn else { return }
    let ranges = copy.ranges(of: course.plan.variant)
    let lost = course.ranges.first { old in
      !ranges.contains { $0.lowerBound <= old.lowerBound && old.upperBound <= $0.upperBound }
    }
    if let lost {
      report(.sharesOnlyGrow, "\(place): who is in the buckets \(lost) lost \(course.plan.variant) in its ramp")
    }
    courses[place]?.ranges = ranges
  }

  /// A process serves what it has recovered.
  func servedAgain(_ place: FlagPlace, _ text: String?, folded: String?, at position: Int64) {
    tally.servedAgain += 1
    if text != folded { report(.servedSurvives, "\(place): what is served is not what the ledger says") }
    if let before = texts[place], before.position == position, before.text != text {
      report(.servedSurvives, "\(place): a restart serves something else, and nothing was decided")
    }
  }

  // MARK: The ledger

  func recorded(_ event: RecordedEvent<StreamEvent>) {
    guard case .flag(let inner) = event.event, let key = FlagKey(rawValue: event.stream.name) else { return }
    switch inner {
    case .created(_, _, salt: _, environments: _, let declared):
      tally.created += 1
      if declared != nil { tally.declared += 1 }
    case .revised: tally.revised += 1
    case .declared: tally.declared += 1
    case .scheduled(let change):
      planned[key, default: [:]][change.number] = event.position
    case .fellDue(let number, at: _):
      tally.due += 1
      due[key] = (number, event.position)
    case .dueRefused: tally.dueRefused += 1
    case .placed(let environment, let isOn, override: _, let epoch, let by):
      let place = FlagPlace(key, environment)
      epochs[place] = epoch
      guard isOn else { return }
      if let kill = kills[place] { undone(kill, place, by, event) }
      kills[place] = nil
      killed.remove(place)
    case .rampStarted(let plan, let number, by: _):
      tally.ramps += 1
      let place = FlagPlace(key, plan.environment)
      if withdrawn[place] == plan.variant { withdrawn[place] = nil }
      courses[place] = Course(plan: plan, number: number)
    case .stageBegan(let environment, let begin): began(begin, FlagPlace(key, environment))
    case .settled(let environment, let epoch, let settling):
      if settling.standing?.isComplete != true { tally.unsettled += 1 }
      inForce(epoch, FlagPlace(key, environment), "clients have")
    case .evidenceNoted(let environment, let epoch, let note):
      let place = FlagPlace(key, environment)
      inForce(epoch, place, "a verdict is about")
      if said[place]?[epoch]?[note.at.milliseconds]?.contains(note.verdict) != true {
        report(.nothingStale, "\(place): nobody said of epoch \(epoch) what was noted")
      }
    case .asked: tally.asked += 1
    case .held: tally.held += 1
    case .rampStopped(let environment, let stop): stopped(stop, FlagPlace(key, environment))
    case .rolledOut(let environment, ramp: _, why: _, let by, at: _):
      rolledOut(FlagPlace(key, environment), by)
    case .killed(let environment, _, let epoch, announceTargets: _):
      tally.kills += 1
      let place = FlagPlace(key, environment)
      epochs[place] = epoch
      kills[place] = Kill(position: event.position, at: world.now)
      killed.insert(place)
    case .proved(let environment, epoch: _, _, at: _): proved(FlagPlace(key, environment))
    case .archived:
      tally.archived += 1
      for environment in [SimulatedNames.production, SimulatedNames.staging] {
        let place = FlagPlace(key, environment)
        withdrawn[place] = nil
        killed.remove(place)
      }
    case .sighted, .unscheduled, .resumed, .proofNoted, .claimed, .unclaimed, .announced, .announcementAbandoned,
      .troubled, .declarationRefused, .declarationMet, .declarationDropped:
      break
    }
  }

  /// A flag is on again. Who asked for it did so after the kill.
  private func undone(
    _ kill: Kill, _ place: FlagPlace, _ by: FeatureFlag.Signed, _ event: RecordedEvent<StreamEvent>
  ) {
    switch event.cause {
    case .request:
      if let at = asked[by.reason], at > kill.at { return }
      report(.killsStand, "\(place) is on again, and nobody has asked for it since it was killed")
    case .observed:
      if let due = due[place.key], event.position - due.position <= 2,
        let planned = planned[place.key]?[due.number], planned > kill.position
      {
        return
      }
      report(.killsStand, "\(place) is on again by a plan that is older than its kill")
    case .routed, .pulse: report(.killsStand, "\(place) is on again of itself")
    }
  }

  private func inForce(_ epoch: Int, _ place: FlagPlace, _ words: String) {
    if epochs[place] != epoch {
      report(.nothingStale, "\(place): \(words) epoch \(epoch), and \(epochs[place] ?? 0) is in force")
    }
  }

  private func hasGood(_ place: FlagPlace) -> Bool {
    (said[place]?[epochs[place] ?? 0] ?? [:]).values.joined().contains { if case .good = $0 { true } else { false } }
  }

  private func began(_ begin: FeatureFlag.StageBegin, _ place: FlagPlace) {
    tally.stages += 1
    if begin.by != nil { courses[place]?.wasPushed = true }
    if begin.stage > 0 { goesOn(place, "goes on to \(begin.percent) %", begin.by) }
    epochs[place] = begin.epoch
  }

  /// With the evidence of the stage in force, or by somebody who asked for it.
  private func goesOn(_ place: FlagPlace, _ words: String, _ by: FeatureFlag.Signed?) {
    if let by {
      if asked[by.reason] == nil { report(.advancesWithVerdict, "\(place) \(words), and nobody has asked for it") }
    } else if !hasGood(place) {
      report(.advancesWithVerdict, "\(place) \(words), and the judge has not said that it is good")
    }
  }

  private func rolledOut(_ place: FlagPlace, _ by: FeatureFlag.Signed?) {
    tally.rolledOut += 1
    goesOn(place, "is rolled out", by)
    let course = courses.removeValue(forKey: place)
    guard by == nil else { return }
    if let course, !course.wasPushed, !course.plan.policy.guardrails.isEmpty,
      world.flags.harms(place, ramp: course.number)
    {
      report(.harmNeverRollsOut, "\(place): \(course.plan.variant) harms whoever gets it, and everybody does")
    }
  }

  private func stopped(_ stop: FeatureFlag.RampStop, _ place: FlagPlace) {
    epochs[place] = stop.epoch
    courses[place] = nil
    withdrawn[place] = stop.variant
    switch stop.cause {
    case .person: tally.stoppedByHand += 1
    case .bad:
      tally.stopped += 1
      if !world.flags.harms(place, ramp: stop.ramp) { tally.needless += 1 }
    case .everybody: break
    }
  }

  /// Nobody is left with what was withdrawn, it says.
  private func proved(_ place: FlagPlace) {
    tally.proved += 1
    if killed.remove(place) != nil { nobodyHas(nil, place) }
    if let variant = withdrawn.removeValue(forKey: place) { nobodyHas(variant, place) }
  }

  private func nobodyHas(_ variant: String?, _ place: FlagPlace) {
    let left = world.flags.clients.first { $0.environment == place.environment && $0.gives(variant, of: place.key) }
    guard let left else { return }
    report(.withdrawalsReach, "\(place): \(variant ?? "it") is said to be off everywhere, and \(left.name) gives it")
  }

  // MARK: At the end

  /// When everything is at rest: what the repository declares is what its trunk says.
  func settle(_ ledger: MemoryLedger) {
    let folder = StreamID.flagFolder(SimulatedNames.repository, SimulatedNames.trunk)
    guard case .flagFolder(let state)? = ledger.folded(folder), state.policy != nil,
      case .found(let found) = FlagSettings.reading(of: world.forge.trunk, world.forge.content(of: world.forge.trunk))
    else { return }
    for key in [SimulatedNames.tide, SimulatedNames.wind] {
      guard case .flag(let flag)? = ledger.folded(.flag(key)), flag.archived == nil else { continue }
      let declared = found.definitions.first { $0.key == key }
      if flag.key == nil, declared == nil { continue }
      if (flag.declared != nil) != (declared != nil) {
        let words = declared == nil ? "is in the folder no more" : "is in the folder"
        report(.foldersFollow, "\(key) \(words), and the flag does not say so")
      } else if let declared, flag.definition != declared.definition {
        report(.foldersFollow, "\(key) is not what the trunk says")
      }
    }
  }
}
