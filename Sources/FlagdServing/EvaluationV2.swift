import FlagdProtocol
import Flags
import GRPCCore
import SwiftProtobuf

/// `flagd.evaluation.v2`: a value that is missing says "use your default".
struct EvaluationV2: Flagd_Evaluation_V2_Service.ServiceProtocol {
  let evaluator: FlagdEvaluator
  let changes: FlagChanges

  func resolveBoolean(
    request: ServerRequest<Flagd_Evaluation_V2_ResolveBooleanRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V2_ResolveBooleanResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .boolean, request.metadata, context)
    var response = Flagd_Evaluation_V2_ResolveBooleanResponse()
    if let value = answer.value?.boolean { response.value = value }
    if let variant = answer.variant { response.variant = variant }
    (response.reason, response.metadata) = (answer.reason.text, answer.metadata)
    return ServerResponse(message: response)
  }

  func resolveString(
    request: ServerRequest<Flagd_Evaluation_V2_ResolveStringRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V2_ResolveStringResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .text, request.metadata, context)
    var response = Flagd_Evaluation_V2_ResolveStringResponse()
    if let value = answer.value?.string { response.value = value }
    if let variant = answer.variant { response.variant = variant }
    (response.reason, response.metadata) = (answer.reason.text, answer.metadata)
    return ServerResponse(message: response)
  }

  func resolveFloat(
    request: ServerRequest<Flagd_Evaluation_V2_ResolveFloatRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V2_ResolveFloatResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .number, request.metadata, context)
    var response = Flagd_Evaluation_V2_ResolveFloatResponse()
    if let value = answer.value?.number { response.value = value }
    if let variant = answer.variant { response.variant = variant }
    (response.reason, response.metadata) = (answer.reason.text, answer.metadata)
    return ServerResponse(message: response)
  }

  func resolveInt(
    request: ServerRequest<Flagd_Evaluation_V2_ResolveIntRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V2_ResolveIntResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .integer, request.metadata, context)
    var response = Flagd_Evaluation_V2_ResolveIntResponse()
    if let value = answer.value?.integer { response.value = value }
    if let variant = answer.variant { response.variant = variant }
    (response.reason, response.metadata) = (answer.reason.text, answer.metadata)
    return ServerResponse(message: response)
  }

  func resolveObject(
    request: ServerRequest<Flagd_Evaluation_V2_ResolveObjectRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V2_ResolveObjectResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .object, request.metadata, context)
    var response = Flagd_Evaluation_V2_ResolveObjectResponse()
    if let value = answer.value { response.value = try object(value, of: request.message.flagKey) }
    if let variant = answer.variant { response.variant = variant }
    (response.reason, response.metadata) = (answer.reason.text, answer.metadata)
    return ServerResponse(message: response)
  }

  func eventStream(
    request: ServerRequest<Flagd_Evaluation_V2_EventStreamRequest>, context: ServerContext
  ) async throws -> StreamingServerResponse<Flagd_Evaluation_V2_EventStreamResponse> {
    let stream = try FlagEventStream(evaluator, changes, Call(request.metadata, context, .flagd))
    return StreamingServerResponse { writer in
      try await stream.run { event in
        var response = Flagd_Evaluation_V2_EventStreamResponse()
        response.type = event.type
        if let data = event.data { response.data = data }
        try await writer.write(response)
      }
      return [:]
    }
  }

  private func answer(
    _ key: String, _ attributes: Google_Protobuf_Struct, _ type: FlagType, _ metadata: Metadata,
    _ context: ServerContext
  ) throws -> FlagdEvaluator.Answer {
    try evaluator.answer(key, attributes, expecting: type, for: Call(metadata, context, .flagd))
  }
}

/// The protocol carries objects only.
///
/// - Throws: `invalidArgument` (TYPE_MISMATCH) for a list.
func object(_ value: JSONView, of key: String) throws -> Google_Protobuf_Struct {
  guard value.kind == .object else {
    throw RPCError(
      code: .invalidArgument,
      message: "TYPE_MISMATCH: the value of `\(key)` is a list, which flagd's protocol cannot carry; use an object")
  }
  return ProtobufValue.object(value)
}
