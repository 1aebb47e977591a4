import API
import Foundation
import Kernel
import Migrations

/// The article's migrations, on a harbor of its own that keeps its bookings in PostgreSQL: a safe one is applied on the way
/// to production, one that breaks what serves is refused before it lands, and the same change in steps passes.
final class MigrationScene {
  private let example: String
  private let folder: String
  private let began: Instant
  private let terminal = Terminal.standard
  private var claims: [DemoReport.Claim] = []

  static let safe = "a safe migration is applied and its version serves production"
  static let refused =
    "a migration that breaks what serves is refused with statement, version, SQLSTATE, line and the safe way"
  static let untouched = "nothing of a refused migration reaches the database"
  static let steps = "the same change in steps is applied and serves production"
  static let whole = "no request failed while the schema changed"

  /// Bookings and quotes each second: few, so that the judge of three rollouts is not the story.
  private static let rate = 100.0
  private static let patience = Span.seconds(100)
  private static let look = Duration.milliseconds(200)

  /// - Parameter folder: made here, and gone in the end.
  init(example: String, folder: String, began: Instant) {
    self.example = example
    self.folder = folder
    self.began = began
  }

  /// What held. Leaves nothing running.
  func play() async throws -> [DemoReport.Claim] {
    let database = try await HarborDatabase.start()
    do {
      try await play(on: database)
    } catch {
      await database.stop()
      throw error
    }
    await database.stop()
    return claims
  }

  private func play(on database: HarborDatabase) async throws {
    var options = HarborWorld.Options()
    options.environments = ["production"]
    (options.steps, options.stepMinimum, options.finalWatch) = ([50, 100], "2s", "2s")
    (options.versions, options.database) = (["v40"], database)
    let world = try await HarborWorld(example: example, folder: folder, options: options)
    let traffic = TrafficDriver(base: world.productionURL, shapes: Self.shapes)
    do {
      try await tell(world, traffic, database)
    } catch {
      await end(world, traffic)
      throw error
    }
    await end(world, traffic)
    claim(
      Self.whole, traffic.failed == 0 && traffic.count > 0, "\(traffic.count) requests, \(traffic.failed) failed")
  }

  private func end(_ world: HarborWorld, _ traffic: TrafficDriver) async {
    await traffic.stop()
    await world.stopEverything()
    world.remove()
  }

  // MARK: The story

  private func tell(_ world: HarborWorld, _ traffic: TrafficDriver, _ database: HarborDatabase) async throws {
    say("a harbor that keeps its bookings in PostgreSQL; its pages are at \(world.client.base)")
    traffic.start(perSecond: 0, seed: 2)
    // The very first deployment has nobody to serve before it: traffic begins when production answers.
    try await until("production answers") { () async throws -> Void? in
      let view: EnvironmentView = try await world.client.get("/v1/services/harbor/production")
      return view.shares.isEmpty ? nil : ()
    }
    traffic.change(perSecond: Self.rate)
    _ = try await followed(world) { $0.title == "trunk as found" }

    let landed = try await submitted("v41", by: "Ada", to: world)
    let shipped = try await followed(world) { landed.commit != nil && $0.commit == landed.commit }
    let columns = try await database.columns(of: "bookings")
    claim(
      Self.safe, landed.outcome == "landed" && shipped.phase == "completed" && columns.contains("phone"),
      "\(landed.sentence) \(shipped.sentence)")
    guard let serving = shipped.digest else { throw Outage("demo", "v41 reached production without a digest") }

    try await breaking(world, serving: serving)
    let after = try await database.columns(of: "bookings")
    claim(Self.untouched, after == columns, "bookings has \(after.joined(separator: ", "))")

    let mended = try await submitted("v42-safe", by: "Ben", to: world)
    let served = try await followed(world) { mended.commit != nil && $0.commit == mended.commit }
    let grown = try await database.columns(of: "bookings")
    claim(
      Self.steps, mended.outcome == "landed" && served.phase == "completed" && grown.contains("payer"),
      "\(mended.sentence) \(served.sentence)")
  }

  /// The article's NOT NULL column: v41 serves and knows nothing of it.
  private func breaking(_ world: HarborWorld, serving: String) async throws {
    let finished = try await submitted("v42", by: "Ben", to: world)
    var report: MigrationReport?
    if let digest = finished.log {
      let text = try await world.client.text("/v1/logs/\(component(digest))")
      report = try? JSONDecoder().decode(MigrationReport.self, from: Data(text.utf8))
    }
    let finding = report?.findings.first { $0.kind == .breaks && $0.statement?.version == serving }
    let names = finding.map { finding in
      finding.sqlState == "23502" && finding.statement?.text.hasPrefix("INSERT INTO bookings") == true
        && finding.migration?.file.hasSuffix("0042_payer.sql") == true && finding.instead != nil
    }
    claim(Self.refused, finished.outcome == "ejected" && names == true, finished.sentence)
    guard let finding else { return }
    for (label, text) in [
      ("migration", finding.migration.map { "\($0.file):\($0.line)  \($0.text ?? "")" }),
      ("statement", finding.statement?.text), ("version", finding.statement.map { String($0.version.prefix(19)) }),
      ("SQLSTATE", finding.sqlState), ("instead", finding.instead),
    ] {
      if let text { terminal.line("        \(label.padding(toLength: 10, withPad: " ", startingAt: 0))\(text)") }
    }
  }

  // MARK: Parts

  private func submitted(_ version: String, by author: String, to world: HarborWorld) async throws -> FinishedView {
    try await world.pushVersion(version, author: author)
    let receipt: Receipt = try await world.client.post("/v1/changes", SubmitRequest(branch: version))
    say("\(author) submits '\(version)'")
    let finished = try await Following(client: world.client, quiet: false).entry(receipt.entry ?? 0, branch: version)
    say(finished.sentence, finished.outcome == "landed" ? .good : .warning)
    return finished
  }

  private func followed(
    _ world: HarborWorld, _ isIt: @escaping (PromotionView) -> Bool
  ) async throws -> PromotionView {
    let ended = try await until("its version serves production") { () async throws -> PromotionView? in
      let promotions = try await world.client.get("/v1/promotions", as: PromotionsView.self).promotions
      guard let promotion = promotions.first(where: isIt) else { return nil }
      self.terminal.progress("\(self.clock)  \(promotion.sentence)")
      return ["completed", "halted", "unbuilt"].contains(promotion.phase) ? promotion : nil
    }
    say("\(ended.title): \(ended.sentence)", ended.phase == "completed" ? .good : .bad)
    return ended
  }

  private func until<Value>(_ what: String, _ look: () async throws -> Value?) async throws -> Value {
    let deadline = Instant.now + Self.patience
    while Instant.now < deadline {
      if let value = try await look() { return value }
      try await Task.sleep(for: Self.look)
    }
    throw Outage("demo", "after \(Int(Self.patience.seconds)) s it is still not so that \(what); the pages say why")
  }

  private func claim(_ claim: String, _ held: Bool, _ detail: String) {
    claims.append(DemoReport.Claim(claim: claim, held: held, detail: detail))
  }

  private var clock: String { String(format: "%6.1f s", (Instant.now - began).seconds) }

  private func say(_ text: String, _ tone: Terminal.Tone? = nil) {
    terminal.clearProgress()
    terminal.line("\(terminal.paint(clock, .quiet))  \(tone.map { terminal.paint(text, $0) } ?? text)")
  }

  // MARK: Traffic

  /// More than are sent, so that bookings are written all the time.
  private static let bookings = 4000
  /// Few enough boats a night that the harbor's 48 berths never fill.
  private static let days = 2000

  /// Half bookings, each under its own reference, half quotes.
  private static var shapes: [RequestShape] {
    let calendar = Calendar(identifier: .gregorian)
    let first = DateComponents(calendar: calendar, timeZone: .gmt, year: 2027, month: 1, day: 1).date ?? .distantFuture
    return (0..<bookings).flatMap { number -> [RequestShape] in
      let day = first.addingTimeInterval(Double(number % days) * 86_400).formatted(.iso8601.year().month().day())
      let body = """
        {"reference":"demo-\(number)","boat":"Boat \(number)","length":9,"draft":1,"arrival":"\(day)","nights":2}
        """
      return [
        RequestShape(method: "POST", path: "/bookings", body: body),
        RequestShape(method: "GET", path: "/quote?length=9&nights=\(1 + number % 28)", body: nil),
      ]
    }
  }
}
