import Kernel
import MergeQueues
import Yams

/// `queue:`, for every repository's queue.
struct QueueSettings {
  var slots = 2
  var method = MergeMethod.mergeCommit
  var message = QueueSettings.standardMessage
  var timeLimit = Span.minutes(15)
  var capacity = 200
  var scheduling = SchedulingRules.usual
  var strict = true
  var lanes = LaneRules.oneLane
  var freezes = Freezes()
  var requirements = MergeQueue.Policy.Requirements.none
  var longestWait: MergeQueue.Policy.LongestWait?
  var reusedCheck: String?
  var hotfixesPreempt = false
  var notes = true

  static let keys = [
    "slots", "method", "message", "time-limit", "capacity", "mode", "batch-limit", "worth", "pass-over", "optimistic",
    "certainty", "strict", "lanes", "barriers", "freezes", "requires", "longest-wait", "reuse-check",
    "hotfix-preempts", "notes",
  ]
  static let requirementKeys = ["approvals", "checks"]
  static let longestWaitKeys = ["time", "eject"]
  /// A red batch of 64 takes six halvings until its culprit is found.
  static let batchLimits = 1...64
  /// Each outcome of those passed over is built: eight with three (`SchedulingRules.bypassDepth`).
  static let passOvers = 0...3
  /// Certainties that eject, both ends left out: at even odds as many innocent changes leave as bad ones, and nothing
  /// is quite certain.
  static let leastCertainty = 0.5
  /// A submission collects `MergeQueue.reportLimit` approvals at most; nobody asks for a fifth of them.
  static let approvals = 0...20
  /// Half of the reports that an entry keeps (`MergeQueue.reportLimit`), so that each check can report twice.
  static let requiredCheckLimit = 50
  /// What `git log` shows of a landed change when the file names no template.
  static let standardMessage = "{title} (#{entry})\n\nBranch: {branch}\nAuthor: {author}"
}

struct QueueReader {
  let reading: Reading
  init(_ reading: Reading) { self.reading = reading }

  func read(_ node: Node) -> QueueSettings {
    var settings = QueueSettings()
    guard let fields = reading.fields(node, "queue", QueueSettings.keys) else {
      return settings
    }
    if let node = fields["slots"], let slots = reading.whole(node, "queue.slots", in: 1...MergeQueue.slotLimit) {
      settings.slots = slots
    }
    if let node = fields["method"], let method = reading.choice(node, "queue.method", MergeMethod.self) {
      settings.method = method
    }
    if let node = fields["message"], let message = reading.text(node, "queue.message") { settings.message = message }
    if let node = fields["time-limit"], let limit = reading.limit(node, "queue.time-limit") {
      settings.timeLimit = limit
    }
    if let node = fields["capacity"],
      let capacity = reading.whole(node, "queue.capacity", in: 1...MergeQueue.capacityLimit)
    {
      settings.capacity = capacity
    }
    readScheduling(fields, into: &settings.scheduling)
    readLanes(fields, at: node, into: &settings)
    if let node = fields["freezes"] { settings.freezes = FreezesReader(reading).read(node) }
    if let node = fields["requires"] { settings.requirements = requirements(node) }
    settings.longestWait = fields["longest-wait"].flatMap(longestWait)
    settings.reusedCheck = fields["reuse-check"].flatMap { reading.text($0, "queue.reuse-check") }
    if let node = fields["hotfix-preempts"], let preempts = reading.flag(node, "queue.hotfix-preempts") {
      settings.hotfixesPreempt = preempts
    }
    if let node = fields["notes"], let notes = reading.flag(node, "queue.notes") { settings.notes = notes }
    return settings
  }

  // MARK: Parts

  private func readScheduling(_ fields: [String: Node], into rules: inout SchedulingRules) {
    if let node = fields["mode"], let mode = reading.choice(node, "queue.mode", SchedulingRules.Mode.self) {
      rules.mode = mode
    }
    if let node = fields["batch-limit"],
      let limit = reading.whole(node, "queue.batch-limit", in: QueueSettings.batchLimits)
    {
      rules.batchLimit = limit
    }
    if let node = fields["worth"], let worth = reading.share(node, "queue.worth") { rules.threshold = worth }
    if let node = fields["pass-over"], let depth = reading.whole(node, "queue.pass-over", in: QueueSettings.passOvers) {
      rules.bypassDepth = depth
    }
    if let node = fields["optimistic"], let flag = reading.flag(node, "queue.optimistic") { rules.isOptimistic = flag }
    if let node = fields["certainty"], let certainty = reading.share(node, "queue.certainty") {
      if certainty > QueueSettings.leastCertainty, certainty < 1 {
        rules.ejectionConfidence = certainty
      } else {
        reading.fail(node, "queue.certainty: expected more than 50% and less than 100%")
      }
    }
  }

  private func readLanes(_ fields: [String: Node], at node: Node, into settings: inout QueueSettings) {
    if let node = fields["strict"], let strict = reading.flag(node, "queue.strict") { settings.strict = strict }
    let barriers = fields["barriers"].map { patterns($0, "queue.barriers") } ?? []
    let division = fields["lanes"].map(division) ?? LaneRules.Division.none
    settings.lanes = LaneRules(division: division ?? LaneRules.Division.none, barriers: barriers)
    if let node = fields["lanes"], division != nil {
      do throws(Refusal) {
        try settings.lanes.validate()
      } catch {
        reading.fail(node, "queue.lanes: \(error.sentence)")
      }
    }
    if settings.strict, let node = fields["lanes"] {
      reading.warn(
        node,
        "queue.lanes: with 'strict: true' every change is tested on all that land before it, so lanes change nothing; "
          + "set 'strict: false' to let changes of different lanes land past one another")
    } else if fields["lanes"] == nil, let node = fields["barriers"] {
      reading.warn(node, "queue.barriers: without 'lanes' every change affects all others, so barriers change nothing")
    }
    if !settings.strict, fields["lanes"] == nil {
      reading.fail(fields["strict"] ?? node, "queue.strict: false needs 'lanes'; without them all changes share one")
    }
  }

  private func division(_ node: Node) -> LaneRules.Division? {
    if case .scalar = node {
      guard let text = reading.text(node, "queue.lanes") else { return nil }
      if text == "reported" { return .reported }
      reading.fail(
        node,
        "queue.lanes: expected 'reported', 'directories: DEPTH' or named lanes, found '\(text)'"
          + Reading.hint(text, ["reported", "directories"]))
      return nil
    }
    guard let pairs = reading.pairs(node, "queue.lanes") else { return nil }
    if pairs.count == 1, let pair = pairs.first, pair.key == "directories" {
      return reading.whole(pair.value, "queue.lanes.directories", in: 1...LaneRules.depthLimit)
        .map(LaneRules.Division.directories)
    }
    let lanes = pairs.map { pair in lane(pair.key, at: pair.keyNode, pair.value) }
    return lanes.contains(nil) ? nil : .named(lanes.compactMap { $0 })
  }

  private func lane(_ name: String, at keyNode: Node, _ node: Node) -> NamedLane? {
    guard name != "directories" else {
      reading.fail(keyNode, "queue.lanes: 'directories' stands alone; name lanes or count folders, not both")
      return nil
    }
    // Else a slip of the hand would be a lane of the folder '2'.
    if case .scalar(let scalar) = node, Int(scalar.string) != nil {
      reading.fail(
        keyNode,
        "queue.lanes: expected patterns of lane '\(name)', found '\(scalar.string)'"
          + Reading.hint(name, ["directories"]))
      return nil
    }
    let known = reading.problems.count
    let patterns = patterns(node, "queue.lanes.\(name)")
    guard reading.problems.count == known else { return nil }
    guard !patterns.isEmpty else {
      reading.fail(node, "queue.lanes.\(name): expected at least one pattern, found none")
      return nil
    }
    return NamedLane(name: name, patterns: patterns)
  }

  private func patterns(_ node: Node, _ subject: String) -> [PathPattern] {
    let items: [Node] = if case .scalar = node { [node] } else { reading.items(node, subject) ?? [] }
    return items.compactMap { pattern($0, subject) }
  }

  private func pattern(_ node: Node, _ subject: String) -> PathPattern? {
    guard let text = reading.text(node, subject) else { return nil }
    do throws(Refusal) {
      return try PathPattern(text)
    } catch {
      reading.fail(node, "\(subject): \(error.sentence)")
      return nil
    }
  }

  private func requirements(_ node: Node) -> MergeQueue.Policy.Requirements {
    guard let fields = reading.fields(node, "queue.requires", QueueSettings.requirementKeys) else { return .none }
    let approvals =
      fields["approvals"].flatMap { reading.whole($0, "queue.requires.approvals", in: QueueSettings.approvals) } ?? 0
    let items = fields["checks"].flatMap { reading.items($0, "queue.requires.checks") } ?? []
    let limit = QueueSettings.requiredCheckLimit
    if let node = fields["checks"], items.count > limit {
      reading.fail(node, "queue.requires.checks: \(items.count) are named; name at most \(limit)")
    }
    var checks: [String] = []
    for item in items {
      guard let name = reading.text(item, "queue.requires.checks") else { continue }
      if checks.contains(name) {
        reading.fail(item, "queue.requires.checks: '\(name)' is named twice")
      } else {
        checks.append(name)
      }
    }
    return MergeQueue.Policy.Requirements(approvals: approvals, checks: checks.sorted())
  }

  private func longestWait(_ node: Node) -> MergeQueue.Policy.LongestWait? {
    if case .scalar = node {
      return reading.limit(node, "queue.longest-wait").map { MergeQueue.Policy.LongestWait(span: $0, ejects: false) }
    }
    guard let fields = reading.fields(node, "queue.longest-wait", QueueSettings.longestWaitKeys) else { return nil }
    guard let time = fields["time"] else {
      reading.fail(node, "queue.longest-wait: expected 'time'")
      return nil
    }
    let ejects = fields["eject"].flatMap { reading.flag($0, "queue.longest-wait.eject") } ?? false
    return reading.limit(time, "queue.longest-wait.time").map {
      MergeQueue.Policy.LongestWait(span: $0, ejects: ejects)
    }
  }
}
