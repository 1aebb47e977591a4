import API
import ArgumentParser
import Foundation
import Kernel

struct PromoteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promote", abstract: "Show a commit's way through the environments, or send it on after a halt.",
    discussion: "Without --reason it only shows. A gate that was not passed is never skipped.")

  @Argument(help: "The service.")
  var service: String
  @Argument(help: "The commit, or its first digits; the newest when left out.")
  var commit: String?
  @Option(name: .long, help: "Why it should go on; this makes it a request.")
  var reason: String?
  @Option(name: .long, help: "To this environment; the next one when left out.")
  var environment: String?
  @Flag(name: .long, help: "Accept that the digest was condemned there.")
  var override = false
  @OptionGroup var options: ServerOptions

  func run() async throws {
    let client = try options.client()
    let target: String
    if let commit { target = commit } else { target = try await newest(client) }
    let path = "/v1/promotions/\(component(service))/\(component(target))"
    if let reason {
      let receipt: Receipt = try await client.post(
        path, PromoteRequest(environment: environment, override: override, reason: reason))
      return try options.show(receipt)
    }
    if environment != nil || override {
      throw Refusal(.malformed, "A promotion needs a reason that people can read later; add --reason TEXT.")
    }
    let promotion: PromotionView = try await client.get(path)
    if options.json { return try printJSON(promotion) }
    show(promotion)
  }

  private func newest(_ client: Client) async throws -> String {
    let promotions = try await client.get("/v1/promotions", as: PromotionsView.self).promotions
    guard let newest = promotions.first(where: { $0.service == service }) else {
      throw Refusal(.unknown, "\(service) has no promotion yet; land a change with 'plimsoll submit BRANCH'.")
    }
    return newest.commit
  }

  private func show(_ promotion: PromotionView) {
    let terminal = Terminal.standard
    terminal.line(
      terminal.paint("\(promotion.service) \(promotion.commit.prefix(10))", .strong) + "  \(promotion.title)")
    terminal.line("\(promotion.phase): \(promotion.sentence)")
    if let digest = promotion.digest { terminal.line("digest \(digest)") }
    printTable(
      ["environment", "asked", "taken", "served", "passed", "checks"],
      promotion.stages.map { stage in
        [
          stage.environment, stage.requestedAtMs.map { ago($0) } ?? "-", stage.takenAtMs.map { ago($0) } ?? "-",
          stage.servedAtMs.map { ago($0) } ?? "-", stage.passedAtMs.map { ago($0) } ?? "-",
          stage.checks.map { "\($0.name) \($0.passed ? "passed" : "failed: \($0.reason)")" }.joined(separator: "; "),
        ]
      })
  }
}
