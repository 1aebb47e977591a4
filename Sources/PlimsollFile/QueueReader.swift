import Kernel
import Yams

/// `queue:`, for every repository's queue.
struct QueueSettings {
  var slots = 2
  var method = MergeMethod.mergeCommit
  var message = QueueSettings.standardMessage
  var timeLimit = Span.minutes(15)
  var capacity = 200

  static let keys = ["slots", "method", "message", "time-limit", "capacity"]
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
    if let node = fields["slots"], let slots = reading.whole(node, "queue.slots", in: 1...16) { settings.slots = slots }
    if let node = fields["method"], let method = reading.choice(node, "queue.method", MergeMethod.self) {
      settings.method = method
    }
    if let node = fields["message"], let message = reading.text(node, "queue.message") { settings.message = message }
    if let node = fields["time-limit"], let limit = reading.limit(node, "queue.time-limit") {
      settings.timeLimit = limit
    }
    if let node = fields["capacity"], let capacity = reading.whole(node, "queue.capacity", in: 1...768) {
      settings.capacity = capacity
    }
    return settings
  }
}
