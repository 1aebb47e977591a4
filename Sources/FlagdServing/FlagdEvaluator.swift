import FlagServing
import Flags
import GRPCCore
import SwiftProtobuf

/// Answers for one flag or all, whatever version of the protocol asks.
struct FlagdEvaluator: Sendable {
  /// Bytes of a request: the largest context, and room for the flag's key.
  static let requestLimit = EvaluationContext.sizeLimit + 65_536

  let environments: FlagEnvironments
  let access: FlagAccess
  /// See ``FlagdServer/usualStall``.
  let stall: Duration
  /// Seconds since 1970.
  let now: @Sendable () -> Double

  /// What came of a flag.
  struct Answer {
    /// Keeps alive what ``value`` lies in.
    let served: ServedFlags
    /// Nil where the caller's default counts.
    let value: JSONView?
    let variant: String?
    let reason: Evaluation.Reason
    let metadata: Google_Protobuf_Struct
  }

  /// Evaluates one flag and takes note of who has seen which version.
  ///
  /// - Throws: `RPCError` whose code flagd's clients turn into OpenFeature's: `notFound` FLAG_NOT_FOUND,
  ///   `invalidArgument` TYPE_MISMATCH, `dataLoss` PARSE_ERROR, anything else GENERAL.
  func answer(
    _ key: String, _ context: Google_Protobuf_Struct, expecting type: FlagType, for call: Call
  ) throws -> Answer {
    let environment = try environment(for: call)
    let served = try loaded(environment)
    let context = try ProtobufContext.context(of: context)
    let seconds = now()
    environment.registry.acknowledged(call.identity, served.version, by: .evaluated, at: seconds)
    let evaluation = served.flags.evaluate(key, for: context, at: Int64(seconds), expecting: type)
    if let error = evaluation.error { throw Self.failure(error, of: key, evaluation, in: served) }
    let variant = served.flags.variant(of: evaluation)
    if let variant {
      environment.exposures?.exposed(
        environment: environment.name, flag: key, variant: variant, reason: evaluation.reason, version: served.version,
        unit: context.targetingKey.string, at: seconds)
    }
    return answer(evaluation, variant, in: served)
  }

  /// Evaluates every flag that is on; those that fail are left out, as flagd leaves them out.
  func answers(
    _ context: Google_Protobuf_Struct, for call: Call
  ) throws -> (flags: [(key: String, answer: Answer)], metadata: Google_Protobuf_Struct) {
    let environment = try environment(for: call)
    let served = try loaded(environment)
    let context = try ProtobufContext.context(of: context)
    let seconds = now()
    environment.registry.acknowledged(call.identity, served.version, by: .evaluated, at: seconds)
    var answers: [(key: String, answer: Answer)] = []
    for (position, key) in served.flags.flagKeys.enumerated() {
      let evaluation = served.flags.evaluate(at: position, for: context, at: Int64(seconds))
      guard evaluation.error == nil, evaluation.reason != .disabled else { continue }
      answers.append((key, answer(evaluation, served.flags.variant(of: evaluation), in: served)))
    }
    return (answers, ProtobufValue.object(served.flags.metadata))
  }

  private func answer(_ evaluation: Evaluation, _ variant: String?, in served: ServedFlags) -> Answer {
    let value = variant == nil ? nil : served.flags.value(of: evaluation)
    return Answer(
      served: served, value: value, variant: variant, reason: evaluation.reason,
      metadata: ProtobufValue.object(served.flags.metadata(of: evaluation)))
  }

  /// - Throws: `unavailable` while nothing has been published: a client that waits keeps what it has, where one that is
  ///   told of no flags would forget them.
  func loaded(_ environment: FlagEnvironment) throws -> ServedFlags {
    let served = environment.store.current
    guard served.version > 0 else {
      throw RPCError(
        code: .unavailable, message: "environment `\(environment.name)` has no definitions yet; try again soon")
    }
    return served
  }

  private static func failure(
    _ error: Evaluation.ErrorCode, of key: String, _ evaluation: Evaluation, in served: ServedFlags
  ) -> RPCError {
    let words = served.flags.details(of: evaluation) ?? "flag `\(key)` could not be evaluated"
    return switch error {
    case .flagNotFound: RPCError(code: .notFound, message: "FLAG_NOT_FOUND: no flag has the key `\(key)`")
    case .typeMismatch: RPCError(code: .invalidArgument, message: "TYPE_MISMATCH: \(words)")
    case .parseError: RPCError(code: .dataLoss, message: "PARSE_ERROR: \(words)")
    // flagd says `unknown`, which clients ask again and again until their deadline; the answer would be the same.
    case .general: RPCError(code: .internalError, message: "GENERAL: \(words)")
    }
  }

  // MARK: Environments

  /// Metadata by which clients choose; `flagd-selector` is what stock providers can be told to send.
  static let selectorName = "flagd-selector"
  static let environmentName = "plimsoll-environment"

  /// - Throws: `unauthenticated` without the token that is wanted; `invalidArgument` for an environment that does not
  ///   exist, or a selector of another kind.
  func environment(for call: Call) throws -> FlagEnvironment {
    guard access.admits(authorization: call.authorization) else {
      throw RPCError(
        code: .unauthenticated, message: "a token is wanted; send it as the metadata authorization: Bearer TOKEN")
    }
    if let name = call.environment {
      guard let environment = environments[name] else {
        throw RPCError(
          code: .invalidArgument, message: "environment `\(name)` does not exist; there are \(known)")
      }
      return environment
    }
    guard let selector = call.selector, !selector.isEmpty else { return environments.usual }
    let name = selector.hasPrefix("environment=") ? String(selector.dropFirst("environment=".count)) : selector
    guard let environment = environments[name] else {
      throw RPCError(
        code: .invalidArgument,
        message: "selector `\(selector)` names no environment; write environment=NAME with one of \(known)")
    }
    return environment
  }

  private var known: String { environments.names.map { "`\($0)`" }.joined(separator: ", ") }
}

/// Who calls, and what the call's metadata says.
struct Call: Sendable {
  let identity: ClientIdentity
  let environment: String?
  let selector: String?
  let authorization: String?

  /// A client is a connection: its address with the port, behind the name that it gives itself. Two processes that
  /// give themselves the same name are two clients.
  ///
  /// - Parameters:
  ///   - provider: the name; empty without.
  ///   - selector: of the request's body, for clients that know no metadata for it.
  init(
    _ metadata: Metadata, _ context: ServerContext, _ kind: ClientProtocol, provider: String = "",
    selector bodySelector: String = ""
  ) {
    // `ipv4:127.0.0.1:31415`
    let peer = context.remotePeer
    let address = peer.firstIndex(of: ":").map { String(peer[peer.index(after: $0)...]) } ?? peer
    let userAgent = metadata[stringValues: "user-agent"].first { _ in true } ?? ""
    identity = ClientIdentity(
      name: "\(provider.isEmpty ? kind.rawValue : provider) \(address)", kind: kind, userAgent: userAgent,
      address: address)
    authorization = metadata[stringValues: "authorization"].first { _ in true }
    environment = metadata[stringValues: FlagdEvaluator.environmentName].first { _ in true }
    selector =
      metadata[stringValues: FlagdEvaluator.selectorName].first { _ in true }
      ?? (bodySelector.isEmpty ? nil : bodySelector)
  }
}
