import Migrations

/// Something the client asked for and the server has not finished answering. The server answers in order.
enum Operation {
  /// The session's beginning, which ends with the first ReadyForQuery.
  case startup
  case simple(SimpleQuery)
  case parse(Preparation)
  case bind(slot: Int?)
  case describe(statement: String?)
  case execute(Execution)
  case close
  case call
  case sync
  /// CopyDone or CopyFail: Syncs that the client sent before it were ignored by the server if it was in copy-in mode.
  case copyEnd
}

/// A simple query under way.
struct SimpleQuery {
  var statements: [FollowedStatement]
  var completed = 0
  var isOver = false
}

/// A Parse under way. What its name meant before comes back if it fails.
struct Preparation {
  var name: String
  var statement: FollowedStatement
  var before: PreparedStatement?
}

struct PreparedStatement {
  var statement: FollowedStatement
  /// As declared, or as the server described them.
  var types: [UInt32]
}

/// An Execute under way.
struct Execution {
  var portal: String
  var statement: FollowedStatement
  var sample: [SampleValue]?
  /// A part of the portal's rows was sent before, so this execution was counted.
  var isContinued = false
  var isCopyingIn = false
}

struct Portal {
  var statement: FollowedStatement
  var sample: [SampleValue]?
  var isSuspended = false
}
