import FlagServing
import FlagdProtocol
import Flags
import GRPCCore
import SwiftProtobuf

/// `flagd.sync.v1`: the whole document for clients that evaluate by themselves, and again at every change.
struct FlagSync: Flagd_Sync_V1_FlagSyncService.ServiceProtocol {
  let evaluator: FlagdEvaluator
  let documents: FlagdDocuments

  func syncFlags(
    request: ServerRequest<Flagd_Sync_V1_SyncFlagsRequest>, context: ServerContext
  ) async throws -> StreamingServerResponse<Flagd_Sync_V1_SyncFlagsResponse> {
    let call = call(request.metadata, context, request.message.providerID, request.message.selector)
    let stream = try VersionStream(evaluator, call)
    return StreamingServerResponse { [documents] writer in
      try await stream.follow(silence: nil) { last, served in
        if let last, last.version == served.version { return }
        var response = Flagd_Sync_V1_SyncFlagsResponse()
        response.flagConfiguration = try await documents.document(of: served).text
        response.syncContext = Self.context(of: served)
        try await writer.write(response)
      }
      return [:]
    }
  }

  func fetchAllFlags(
    request: ServerRequest<Flagd_Sync_V1_FetchAllFlagsRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Sync_V1_FetchAllFlagsResponse> {
    let call = call(request.metadata, context, request.message.providerID, request.message.selector)
    let environment = try evaluator.environment(for: call)
    let served = try evaluator.loaded(environment)
    var response = Flagd_Sync_V1_FetchAllFlagsResponse()
    response.flagConfiguration = try await documents.document(of: served).text
    environment.registry.acknowledged(call.identity, served.version, by: .refetched, at: evaluator.now())
    return ServerResponse(message: response)
  }

  func getMetadata(
    request: ServerRequest<Flagd_Sync_V1_GetMetadataRequest>, context: ServerContext
  ) async throws -> ServerResponse<Flagd_Sync_V1_GetMetadataResponse> {
    let environment = try evaluator.environment(for: call(request.metadata, context, "", ""))
    var response = Flagd_Sync_V1_GetMetadataResponse()
    response.metadata = Self.context(of: environment.store.current)
    return ServerResponse(message: response)
  }

  private func call(_ metadata: Metadata, _ context: ServerContext, _ provider: String, _ selector: String) -> Call {
    Call(metadata, context, .flagdStream, provider: provider, selector: selector)
  }

  /// Attributes that clients add to every context. Empty, so that a rule sees the same there as here; the member is
  /// there all the same, since clients look into it.
  private static func context(of served: ServedFlags) -> Google_Protobuf_Struct { Google_Protobuf_Struct() }
}

/// Documents as clients that evaluate by themselves get them; the newest of each environment is made once for all.
package actor FlagdDocuments {
  private var newest: [String: (version: Int, document: FlagdDocument)] = [:]
  private let report: @Sendable (_ environment: String, _ version: Int, [FlagdDocument.Omission]) -> Void

  /// - Parameter report: is told what a version leaves out, once for each version that leaves anything out.
  package init(
    report: @escaping @Sendable (_ environment: String, _ version: Int, [FlagdDocument.Omission]) -> Void
  ) {
    self.report = report
  }

  /// - Throws: `RPCError` when the definitions cannot be read again, which would be a fault of ours.
  package func document(of served: ServedFlags) throws -> FlagdDocument {
    if let known = newest[served.environment], known.version == served.version { return known.document }
    do throws(FlagRefusal) {
      let document = try FlagdDocument(served.definitions, compiledTo: served.flags)
      if newest[served.environment].map({ $0.version < served.version }) ?? true {
        newest[served.environment] = (served.version, document)
      }
      if !document.omitted.isEmpty { report(served.environment, served.version, document.omitted) }
      return document
    } catch {
      throw RPCError(code: .internalError, message: error.sentence)
    }
  }
}
