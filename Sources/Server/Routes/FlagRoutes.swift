import API
import Hummingbird
import Kernel

/// Reading flags.
struct FlagRoutes: Sendable {
  let flags: FlagReader

  func add(to router: some RouterMethods<BasicRequestContext>) {
    let flags = flags
    router.get("flags") { request, context in
      let query = Query(request, context)
      let limit = try query.number(
        "limit", in: 1...Int64(FlagReader.longestList), otherwise: Int64(FlagReader.usualList))
      return try Answer.json(
        try await flags.list(try Self.filter(query), after: query.text("after"), limit: Int(limit)))
    }
    // Beside `flags`, because a flag may have any word as its key.
    router.get("flag-folders") { _, _ in try Answer.json(await flags.folders()) }
    router.get("flags/:key") { request, context in
      let view = try await flags.flag(Query(request, context).path("key"))
      var response = try Answer.json(view)
      response.headers[.eTag] = "\"\(view.revision)\""
      return response
    }
    router.get("flags/:key/history") { request, context in
      let query = Query(request, context)
      let before = try query.number("before", in: 1...Int64.max, otherwise: .max)
      let limit = try query.number(
        "limit", in: 1...Int64(FlagReader.longestList), otherwise: Int64(FlagReader.historyList))
      return try Answer.json(try await flags.history(query.path("key"), before: before, limit: Int(limit)))
    }
    router.get("flags/:key/clients") { request, context in
      let query = Query(request, context)
      return try Answer.json(try await flags.clients(query.path("key"), try query.required("environment")))
    }
    router.get("flags/:key/evaluate") { request, context in
      let query = Query(request, context)
      return try Answer.json(
        try await flags.evaluate(
          query.path("key"), try query.required("environment"), context: query.text("context")))
    }
  }

  static func filter(_ query: Query) throws -> FlagReader.Filter {
    let archived = query.text("archived")
    guard archived == nil || archived == "true" || archived == "false" else {
      throw Refusal(.malformed, "The parameter 'archived' is '\(Lookup.shown(archived ?? ""))': give true or false.")
    }
    return FlagReader.Filter(
      owner: query.text("owner"), type: query.text("type"), environment: query.text("environment"),
      phase: query.text("phase"), expiry: query.text("expiry"), search: query.text("search"),
      archived: archived == "true")
  }
}

extension Query {
  fileprivate func required(_ name: String) throws(Refusal) -> String {
    guard let text = text(name) else { throw Refusal(.malformed, "The parameter '\(name)' is missing: give it.") }
    return text
  }
}
