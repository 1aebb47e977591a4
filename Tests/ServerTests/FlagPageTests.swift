import ControlPlane
import Foundation
import Kernel
import Ramps
import Testing

@testable import Server

/// Pages of flags: what they show of each phase, and that nobody's text becomes a part of them.
@Suite struct FlagPageTests {
  private func check(
    _ wire: Wire, _ path: String, shows words: String..., not absent: [String] = [], status: Int = 200,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let page = try await wire.send("GET", path)
    #expect(page.status == status, sourceLocation: sourceLocation)
    for word in words { #expect(page.body.contains(word), "\(word)\n\(page.body)", sourceLocation: sourceLocation) }
    for word in absent { #expect(!page.body.contains(word), "\(word)", sourceLocation: sourceLocation) }
  }

  @Test func theListNamesWhatHasExpiredAndShowsEveryEnvironment() async throws {
    try await withServer { wire, backend in
      try await check(wire, "/flags", shows: "There is no flag yet", #"<a href="/flags" aria-current="page">Flags</a>"#)
      try await HarborFlags(backend: backend).tellAll()
      try await check(
        wire, "/flags", shows: "One flag has expired", "old-banner (marketing)", #"href="/flags/new-checkout""#,
        "1 % get on", "killed", "1 % get on, held", "on is being withdrawn", "7 flags")
      try await check(wire, "/flags?search=nothing-like-it", shows: "No flag is like that.", "all flags")
    }
  }

  @Test func aFlagShowsItsPlacesHistoryAndWhatSomebodyWouldGet() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.tellAll()
      try await check(
        wire, "/flags/new-checkout", shows: "1 % get on.", "99 % the default", "needs", "new-basket",
        "plimsoll flag advance new-checkout production --reason TEXT", "/flags/new-checkout/ramps/production",
        "Flag new-checkout was created by ann, on in staging, on in production")
      try await check(
        wire, "/flags/new-checkout?environment=production&context=%7B%22country%22:%22SE%22%7D",
        shows: "on, which is true", "Its targeting chose on.")
      try await check(
        wire, "/flags/new-checkout?environment=production&context=%7Boops", shows: "Line 1, column 2")
      try await check(
        wire, "/flags/payments-fallback", shows: "Killed by bob: the bank answers with the wrong sums.",
        "plimsoll flag on payments-fallback production --reason TEXT", not: ["plimsoll flag kill payments-fallback"])
      try await check(wire, "/flags/new-chekout", shows: "did you mean new-checkout?", status: 404)
    }
  }

  @Test func theEvidencePageSaysWhyTheVariantWasSwitchedOff() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.tellAll()
      try await check(
        wire, "/flags/fast-search/ramps/production", shows: "Why it was switched off", "errors at 1 %:",
        "The coin became", "1 % sees 5x errors", "Without on: 998 of 1,000 clients", "10.0.0.7 (python)",
        "Share of on over time", "stopped here")
      try await flags.tell("fast-search", .announced(id: "flag/fast-search/production/ramp-1", target: 0))
      try await check(wire, "/flags/fast-search/ramps/production", shows: "Who was told", "Receiver 1 was told")
      try await check(wire, "/flags/beta-docs/ramps/production", shows: "was not ramped in production", status: 404)
      try await check(wire, "/flags/fast-search/ramps/prodution", shows: "did you mean production?", status: 404)
      try await check(
        wire, "/flags/price-engine/ramps/production", shows: "held by bob", "nothing is known of its usual traffic",
        not: ["What to look at"])
      await backend.setRemarks(["11 of 100 units were shown <both> variants in one stage."])
      try await check(
        wire, "/flags/price-engine/ramps/production", shows: "What to look at",
        "11 of 100 units were shown &lt;both&gt;")
      try await check(wire, "/v1/flags/price-engine", shows: #""remarks":["11 of 100 units"#)
    }
  }

  @Test func nobodysTextBecomesPartOfAPage() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      let evil = "<script>alert(1)</script>"
      try await flags.create(
        "evil",
        #"""
        {"owner": "\#(evil)", "variants": {"\#(evil)": "\#(evil)", "off": "x"}, "defaultVariant": "off",
         "metadata": {"\#(evil)": "\#(evil)"}}
        """#, by: .init(actor: evil, reason: evil))
      let plan = RampPlan(environment: Harbor.production, variant: evil, policy: HarborFlags.policy)
      try await flags.tell("evil", .startRamp(plan, .init(actor: evil, reason: evil)))
      try await flags.tell("evil", .trafficTold(Harbor.production, ramp: 1, []))
      try await flags.tell("evil", .hold(Harbor.production, .init(actor: evil, reason: evil)))
      for path in [
        "/flags", "/flags/evil", "/flags/evil/ramps/production", "/flags?search=\(evil.replacing("<", with: "%3C"))",
        "/flags/evil?environment=production&context=\(evil.replacing("<", with: "%3C"))", "/ledger?stream=flag:evil",
      ] {
        try await check(wire, path, shows: "</html>", not: [evil])
      }
    }
  }
}
