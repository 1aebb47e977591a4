import API
import Foundation
import HTTPTypes
import Hummingbird
import Kernel
import Mustache

/// The pages: what is shipping, why it waits, why it was rolled back. Server-rendered; the script only asks again.
struct Pages: Sendable {
  let reader: Reader
  let library: MustacheLibrary

  /// What every page has around its content. Templates see stored properties only, never computed ones.
  struct Sheet<Content: Sendable>: Sendable {
    let pageTitle: String
    let content: Content
    /// Whether the script asks again when an event comes.
    let isLive: Bool
    let version: String
    let navigation: [Link]
  }

  func add(to router: WebRouter) {
    router.get("/") { _, _ in
      try page("What is where", "overview", OverviewPage(await reader.overview(), now: reader.now()), here: "/")
    }
    router.get("changes/:repository/:entry") { request, context in
      let query = Query(request, context)
      let change = try await reader.change(query.path("repository"), query.path("entry"))
      return try page("#\(change.entry) \(change.title)", "change", ChangePage(change, now: reader.now()))
    }
    router.get("queues/:repository") { request, context in
      let queue = try await reader.queue(Query(request, context).path("repository"))
      // Who waits now is of use without who waited before.
      let waits = try? await reader.waits(queue.repository)
      return try page("Queue of \(queue.repository)", "queue", QueuePage(queue, waits: waits, now: reader.now()))
    }
    router.get("artifacts/:digest") { request, context in
      let artifact = try await reader.artifact(Query(request, context).path("digest"))
      // A page about an artifact without its statement is still of use, so an outage is shown in its place.
      let statement: Result<[UInt8], any Error>
      do { statement = .success(try await reader.provenance(artifact.digest)) } catch { statement = .failure(error) }
      let content = ArtifactPage(artifact, statement: statement, now: reader.now())
      return try page("Artifact \(Short.digest(artifact.digest))", "artifact", content)
    }
    router.get("services/:service/:environment") { request, context in
      let query = Query(request, context)
      let place = try await reader.environment(query.path("service"), query.path("environment"))
      let rollouts = try await reader.rollouts(place.service, place.environment)
      return try page(
        "\(place.service) in \(place.environment)", "service",
        ServicePage(place, rollouts.rollouts, now: reader.now()))
    }
    addRollouts(to: router)
    addObservations(to: router)
    addSchemas(to: router)
    addFlags(to: router)
    addPast(to: router)
    addAssets(to: router)
  }

  private func addRollouts(to router: WebRouter) {
    // The router's captures take whole path parts, so the picture is told from the page by its ending.
    router.get("rollouts/:service/:environment/:id") { request, context in
      let query = Query(request, context)
      let id = query.path("id")
      let isPicture = id.hasSuffix(".svg")
      let (record, state) = try await reader.rolloutRecord(
        query.path("service"), query.path("environment"), isPicture ? String(id.dropLast(4)) : id)
      let series = await reader.series(record)
      let picture = Picture(series, record)
      if isPicture {
        var response = Answer.text(picture.document, type: "image/svg+xml")
        // The picture carries its own style, because as an image it has no page around it.
        response.headers[.contentSecurityPolicy] = "default-src 'none'; style-src 'unsafe-inline'"
        return response
      }
      let rollout = Views.rollout(record, in: state, series, await reader.origin(record, in: state))
      let content = RolloutPage(
        rollout, record, picture, freeze: state.frozen.map(Views.freeze), now: reader.now())
      return try page("Rollout \(rollout.id) of \(rollout.service) in \(rollout.environment)", "rollout", content)
    }
  }

  private func addPast(to router: WebRouter) {
    router.get("ledger") { request, context in
      let query = Query(request, context)
      let content = try await LedgerPage.read(
        reader, stream: query.text("stream"), before: try query.number("before", in: 1...Int64.max, otherwise: .max))
      return try page("Ledger", "ledger", content, here: "/ledger", isLive: content.isNewest)
    }
    router.get("measures") { request, context in
      let query = Query(request, context)
      let days = try query.number(
        "days", in: Int64(Reader.measureDays.lowerBound)...Int64(Reader.measureDays.upperBound),
        otherwise: Int64(Reader.defaultMeasureDays))
      let view = try await reader.measures(
        service: query.text("service"), environment: query.text("environment"), days: Int(days))
      let content = MeasuresPage(view, await reader.backend.topology(), days: Int(days), now: reader.now())
      return try page("Measures", "measures", content, here: "/measures", isLive: false)
    }
    router.get("logs/:digest") { request, context in
      let digest = Query(request, context).path("digest")
      let content = LogPage(digest: digest, bytes: try await reader.log(digest))
      return try page("Log \(Short.digest(digest))", "log", content, isLive: false)
    }
  }

  private func addAssets(to router: WebRouter) {
    let assets: [(RouterPath, [UInt8], String)] = [
      ("assets/style.css", PackageResources.style_css, "text/css; charset=utf-8"),
      ("assets/plimsoll.js", PackageResources.plimsoll_js, "text/javascript; charset=utf-8"),
      ("assets/mark.svg", PackageResources.mark_svg, "image/svg+xml"),
    ]
    for (path, bytes, type) in assets {
      router.get(path) { _, _ in
        var response = Answer.bytes(bytes, type: type)
        response.headers[.cacheControl] = "max-age=60"
        return response
      }
    }
  }

  // MARK: Rendering

  /// `here` is the address of the page in the navigation; empty for pages that are not in it.
  func page(
    _ title: String, _ template: String, _ content: some Sendable, here: String = "", isLive: Bool = true,
    status: HTTPResponse.Status = .ok
  ) throws -> Response {
    let links = [
      ("/", "Overview"), ("/observations", "Observed"), ("/schemas", "Databases"), ("/flags", "Flags"),
      ("/ledger", "Ledger"), ("/measures", "Measures"),
    ]
    let sheet = Sheet(
      pageTitle: title, content: content, isLive: isLive, version: reader.backend.version,
      navigation: links.map { Link(address: $0.0, words: $0.1, isHere: $0.0 == here) })
    guard let html = library.render(sheet, withTemplate: template) else {
      throw Outage("server", "has no template \(template): a defect; please report it")
    }
    return Answer.text(html, type: "text/html; charset=utf-8", status)
  }

  func failure(_ failure: Failure, status: HTTPResponse.Status) -> Response {
    let content = FailurePage(
      heading: status == .notFound ? "There is nothing here" : "That did not work", sentence: failure.sentence)
    let answer = try? page(content.heading, "failure", content, isLive: false, status: status)
    return answer ?? Answer.text(failure.sentence, type: "text/plain; charset=utf-8", status)
  }
}

struct FailurePage: Sendable {
  let heading: String
  let sentence: String
}
