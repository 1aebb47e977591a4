import FlagdProtocol
import Flags
import GRPCCore
import SwiftProtobuf

/// `flagd.evaluation.v1`, for SDKs from before 2026. A value cannot be missing there: without a default variant it is
/// zero, with reason DEFAULT and no variant, by which clients know; a flag that is off is `notFound`, as flagd answered
/// for as long as there was only this version, so that every such client falls back to its default.
struct EvaluationV1: Flagd_Evaluation_V1_Service.ServiceProtocol {
  let evaluator: FlagdEvaluator
  let changes: FlagChanges

  func resolveBoolean(
    request: ServerRequest<Flagd_Evaluation_V1_ResolveBooleanRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V1_ResolveBooleanResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .boolean, request.metadata, context)
    var response = Flagd_Evaluation_V1_ResolveBooleanResponse()
    response.value = answer.value?.boolean ?? false
    (response.reason, response.variant) = (answer.reason.text, answer.variant ?? "")
    response.metadata = answer.metadata
    return ServerResponse(message: response)
  }

  func resolveString(
    request: ServerRequest<Flagd_Evaluation_V1_ResolveStringRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V1_ResolveStringResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .text, request.metadata, context)
    var response = Flagd_Evaluation_V1_ResolveStringResponse()
    response.value = answer.value?.string ?? ""
    (response.reason, response.variant) = (answer.reason.text, answer.variant ?? "")
    response.metadata = answer.metadata
    return ServerResponse(message: response)
  }

  func resolveFloat(
    request: ServerRequest<Flagd_Evaluation_V1_ResolveFloatRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V1_ResolveFloatResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .number, request.metadata, context)
    var response = Flagd_Evaluation_V1_ResolveFloatResponse()
    response.value = answer.value?.number ?? 0
    (response.reason, response.variant) = (answer.reason.text, answer.variant ?? "")
    response.metadata = answer.metadata
    return ServerResponse(message: response)
  }

  func resolveInt(
    request: ServerRequest<Flagd_Evaluation_V1_ResolveIntRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V1_ResolveIntResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .integer, request.metadata, context)
    var response = Flagd_Evaluation_V1_ResolveIntResponse()
    response.value = answer.value?.integer ?? 0
    (response.reason, response.variant) = (answer.reason.text, answer.variant ?? "")
    response.metadata = answer.metadata
    return ServerResponse(message: response)
  }

  func resolveObject(
    request: ServerRequest<Flagd_Evaluation_V1_ResolveObjectRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V1_ResolveObjectResponse> {
    let answer = try answer(request.message.flagKey, request.message.context, .object, request.metadata, context)
    var response = Flagd_Evaluation_V1_ResolveObjectResponse()
    response.value = try answer.value.map { try object($0, of: request.message.flagKey) } ?? Google_Protobuf_Struct()
    (response.reason, response.variant) = (answer.reason.text, answer.variant ?? "")
    response.metadata = answer.metadata
    return ServerResponse(message: response)
  }

  func resolveAll(
    request: ServerRequest<Flagd_Evaluation_V1_ResolveAllRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Evaluation_V1_ResolveAllResponse> {
    let call = Call(request.metadata, context, .flagd)
    let (answers, metadata) = try evaluator.answers(request.message.context, for: call)
    var response = Flagd_Evaluation_V1_ResolveAllResponse()
    for (key, answer) in answers {
      var flag = Flagd_Evaluation_V1_AnyFlag()
      // Flags without a value, and lists, have no form here; flagd leaves them out as well.
      switch answer.value?.kind {
      case .boolean: flag.boolValue = answer.value?.isTrue ?? false
      case .integer, .double: flag.doubleValue = answer.value?.number ?? 0
      case .text: flag.stringValue = answer.value?.string ?? ""
      case .object: flag.objectValue = ProtobufValue.object(answer.value ?? .null)
      case .null, .array, .operation, nil: continue
      }
      (flag.reason, flag.variant, flag.metadata) = (answer.reason.text, answer.variant ?? "", answer.metadata)
      response.flags[key] = flag
    }
    response.metadata = metadata
    return ServerResponse(message: response)
  }

  func eventStream(
    request: ServerRequest<Flagd_Evaluation_V1_EventStreamRequest>, context: ServerContext
  ) async throws -> StreamingServerResponse<Flagd_Evaluation_V1_EventStreamResponse> {
    let stream = try FlagEventStream(evaluator, changes, Call(request.metadata, context, .flagd))
    return StreamingServerResponse { writer in
      try await stream.run { event in
        var response = Flagd_Evaluation_V1_EventStreamResponse()
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
    let answer = try evaluator.answer(key, attributes, expecting: type, for: Call(metadata, context, .flagd))
    guard answer.reason != .disabled else {
      throw RPCError(code: .notFound, message: "FLAG_DISABLED: flag `\(key)` is off")
    }
    return answer
  }
}
