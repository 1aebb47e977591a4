/// Whose rights and which search path a session's statements run with, as far as the wire tells.
struct SessionSettings: Equatable, Sendable {
  struct Values: Hashable, Sendable {
    var role: String?
    var searchPath: String?
  }

  private let atStart: Values
  private var session: Values
  /// What a rollback brings back.
  private var beforeTransaction: Values
  private var local: Values?

  init(_ start: Values) {
    atStart = start
    session = start
    beforeTransaction = start
  }

  var current: Values { local ?? session }

  mutating func apply(_ effect: StatementEffect) {
    let start = atStart
    switch effect {
    case .transactionControl, .rollback, .setting: break
    case .resetAll: (session, local) = (start, nil)
    case .searchPath(let path, let scope): change(scope) { $0.searchPath = path ?? start.searchPath }
    case .role(let role, let scope): change(scope) { $0.role = role ?? start.role }
    }
  }

  private mutating func change(_ scope: StatementEffect.Scope, _ body: (inout Values) -> Void) {
    switch scope {
    case .session:
      body(&session)
      if var values = local {
        body(&values)
        local = values
      }
    case .transaction:
      var values = current
      body(&values)
      local = values
    }
  }

  /// The server's own report (ParameterStatus) is better than what a statement's text says.
  mutating func reported(searchPath: String) { change(.session) { $0.searchPath = searchPath } }

  /// At the end of a transaction, be it one statement.
  mutating func transactionEnded(rolledBack: Bool) {
    local = nil
    if rolledBack { session = beforeTransaction }
    beforeTransaction = session
  }
}
