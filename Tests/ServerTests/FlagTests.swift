import API
import ControlPlane
import Foundation
import Kernel
import Ramps
import Testing

@testable import Server

/// Flags over the real machine: what people may ask of them, and what they are told.
@Suite struct FlagTests {
  private func check(
    _ wire: Wire, _ path: String, _ body: String? = nil, headers: [(String, String)] = [], answers status: Int = 200,
    saying words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let answer = try await wire.send(
      body == nil ? "GET" : "POST", "/v1/flags\(path)", headers: authorized + headers, body: body)
    #expect(answer.status == status, "\(path) \(answer.body)", sourceLocation: sourceLocation)
    for word in words { #expect(answer.body.contains(word), "\(word)\n\(answer.body)", sourceLocation: sourceLocation) }
  }

  @Test func whatIsLeftOutIsFilledInAndSaid() async throws {
    try await withServer { wire, backend in
      try await check(
        wire, "", #"{"key": "new-checkout", "reason": "first", "environments": {"staging": true}}"#,
        saying: "It expires on 2026-01-31, in 30 days, because no expiry was named.", "Its owner is api",
        "variants on (true) and off (false)", #""revision":1"#, "created by api, on in staging: first.")
      let shown = try await wire.send("GET", "/v1/flags/new-checkout")
      #expect(shown.headers["etag"] == "\"1\"")
      let view = try JSONDecoder().decode(FlagView.self, from: Data(shown.body.utf8))
      #expect(view.variants == ["on", "off"] && view.type == "release" && !view.expired)
      #expect(view.environments.map(\.environment) == ["integration", "staging", "production"])
      #expect(view.environments.map(\.on) == [false, true, false])
      // Asked again under the same name, with the answer lost: nothing is made twice.
      let named = [("Plimsoll-Request", "r-1")]
      for _ in 0..<2 {
        try await check(wire, "", #"{"key": "other", "reason": "x"}"#, headers: named, saying: #""revision":1"#)
      }
    }
  }

  @Test func badInputIsRefusedWithItsPlaceAndTheNearestMatch() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.create("new-basket")
      try await flags.create("retired", on: [])
      try await flags.tell("retired", .archive(HarborFlags.ann))
      func refused(_ body: String, _ status: Int = 400, _ words: String...) async throws {
        let answer = try await wire.send("POST", "/v1/flags", headers: authorized, body: body)
        #expect(answer.status == status, "\(body)\n\(answer.body)")
        for word in words { #expect(answer.body.contains(word), "\(word)\n\(answer.body)") }
      }
      try await refused("{\"key\": \"a\",\n  oops}", 400, "Line 2, column 3")
      try await refused("[]", 400, "the body is no JSON object")
      try await refused(#"{"reason": "x"}"#, 400, "field 'key' is missing")
      try await refused(#"{"key": "a b", "reason": "x"}"#, 400, "'a b' is no key of a flag")
      try await refused(#"{"key": "a", "key": "b", "reason": "x"}"#, 400, "has `key` twice")
      try await refused(
        "{\"key\": \"a\", \"reason\": \"x\",\n\"varients\": {\"on\": true}}", 400, "Line 2, column 13",
        "did you mean variants?")
      try await refused(
        "{\"key\": \"a\", \"reason\": \"x\",\n\"variants\": {\"on\": true, \"off\": \"no\"}}", 400,
        "Line 2, column 33", "variants of different types")
      try await refused(
        #"{"key": "a", "reason": "x", "variants": {"on": true, "off": false}, "defaultVariant": "onn"}"#, 400,
        "did you mean on?")
      try await refused(
        #"{"key": "a", "reason": "x", "targeting": {"iff": [true, "on"]}}"#, 400, "Line 1, column 43",
        "did you mean if?")
      try await refused(#"{"key": "a", "reason": "x", "targeting": {"segment": "staff"}}"#, 400, "segment `staff`")
      try await refused(#"{"key": "a", "reason": "x", "expiry": "tomorrow"}"#, 400, "`expiry` that is no moment")
      try await refused(#"{"key": "a", "reason": "x", "type": "relase"}"#, 400, "did you mean release?")
      try await refused(#"{"key": "a", "reason": "x", "ramp": {}}"#, 400, "plimsoll flag ramp")
      try await refused(
        #"{"key": "a", "reason": "x", "environments": {"prodution": true}}"#, 404, "did you mean production?")
      try await refused(#"{"key": "a", "reason": "x", "environments": {"staging": "on"}}"#, 400, "true nor false")
      func needing(_ flag: String) -> String {
        #"{"key": "a", "reason": "x", "prerequisites": [{"flag": "\#(flag)", "variants": ["on"]}]}"#
      }
      try await refused(needing("new-baskt"), 400, "did you mean new-basket?")
      try await refused(needing("retired"), 400, "it is archived")
      try await refused(needing("a"), 400, "in a circle")
      try await refused(#"{"key": "a", "reason": ""}"#, 400, "reason")
      try await refused(#"{"key": "a", "reason": "x", "definition": "{\n \"owner\": 3}"}"#, 400, "Line 2")
      try await refused(#"{"key": "a", "reason": "x", "definition": {}, "owner": "b"}"#, 400, "both `definition`")
      try await refused(
        #"{"key": "a", "reason": "x", "metadata": {"m": "\#(String(repeating: "m", count: 70_000))"}}"#, 400,
        "more than 65536")
      try await refused(
        #"{"key": "a", "reason": "\#(String(repeating: "r", count: 140_000))"}"#, 413, "longer than 131072 bytes")
      #expect(await flags.state("a") == nil)
      try await refused(#"{"key": "new-basket", "reason": "x"}"#, 409, "exists already")
      try await check(wire, "/new-baskte", answers: 404, saying: "did you mean new-basket?")
    }
  }

  @Test func prerequisitesGoInNoCircleAndAreNotArchived() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.create("first")
      try await flags.create("second", #"{"prerequisites": [{"flag": "first", "variants": ["on"]}]}"#)
      try await flags.create("third", #"{"prerequisites": [{"flag": "second", "variants": ["on"]}]}"#)
      try await check(
        wire, "/first/edit",
        #"{"over": 1, "reason": "x", "prerequisites": [{"flag": "third", "variants": ["on"]}]}"#, answers: 400,
        saying: "in a circle", "third")
      try await check(
        wire, "/first/archive", #"{"reason": "x"}"#, answers: 409, saying: "prerequisite of second")
      try await check(wire, "/third/archive", #"{"reason": "done"}"#, saying: "archived third: done.")
    }
  }

  @Test func timesThatNoClockHoldsAreRefusedAndChangeNothing() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      await backend.setTraffic(HarborFlags.traffic)
      try await flags.create("new-checkout")
      let end = "\(Int64.max)"
      let ramps = [
        (#""leastMs": \#(end)"#, "more than 365 days"), (#""patienceMs": \#(end)"#, "more than 365 days"),
        (#""patienceMs": -1"#, "cannot be negative"), (#""leastMs": -1"#, "below 0"),
        (#""guardrails": [{"measure": "conversion", "withinMs": \#(end)}]"#, "more than 365 days"),
        (#""guardrails": [{"measure": "latency", "slowerThanMs": \#(end)}]"#, "more than 365 days"),
        (#""guardrails": [{"measure": "latency", "slowerThanMs": -1}]"#, "cannot be negative"),
        (#""guardrails": [{"measure": "errors", "limit": 1e308}]"#, "factors are at most"),
      ]
      for (times, words) in ramps {
        let ramp = #"{"environment": "production", "variant": "on", "reason": "go", \#(times)}"#
        try await check(wire, "/new-checkout/ramp", ramp, answers: 400, saying: words)
        try await check(
          wire, "/new-checkout/schedule", #"{"atMs": 1767261600000, "reason": "later", "ramp": \#(ramp)}"#,
          answers: 400, saying: words)
      }
      try await check(
        wire, "/new-checkout/schedule", #"{"atMs": \#(end), "environment": "production", "on": false, "reason": "x"}"#,
        answers: 400, saying: "more than 365 days ahead")
      for (expiry, words) in [
        ("9999-12-31", "more than 100 years ahead"), ("292277026596-01-01", "no moment"), ("0001-01-01", "expired"),
      ] {
        try await check(
          wire, "", #"{"key": "far", "reason": "x", "expiry": "\#(expiry)"}"#, answers: 400, saying: words)
      }
      let state = await flags.state("new-checkout")
      #expect(state?.scheduled == [] && state?.nextRamp == 1)
    }
  }

  @Test func whatOthersRestOnIsNotEditedAway() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      func needs(_ flag: String, _ variant: String = "on") -> String {
        #""prerequisites": [{"flag": "\#(flag)", "variants": ["\#(variant)"]}]"#
      }
      let renamed = #""variants": {"yes": true, "no": false}, "defaultVariant": "no""#
      func edit(_ key: String, _ over: Int, _ members: String, _ status: Int = 200, _ words: String = "") async throws {
        try await check(
          wire, "/\(key)/edit", #"{"over": \#(over), "reason": "try", \#(members)}"#, answers: status,
          saying: words.isEmpty ? key : words)
      }
      try await flags.create("low")
      try await flags.create("high", "{\(needs("low"))}")
      try await edit("low", 1, renamed, 409, "waits for variant `on` of `low`")
      #expect(await flags.state("low")?.revision == 1)
      // Of an older revision nobody says less: it may close a circle, or lack what others have come to need.
      try await edit("high", 1, #""owner": "ann""#)
      try await edit("low", 1, needs("high"))
      try await check(wire, "/high/restore", #"{"revision": 1, "reason": "x"}"#, answers: 400, saying: "in a circle")
      try await flags.create("base")
      try await edit("base", 1, renamed)
      try await flags.create("top", "{\(needs("base", "yes"))}")
      try await check(
        wire, "/base/restore", #"{"revision": 1, "reason": "x"}"#, answers: 409, saying: "waits for variant `yes`")
      #expect(await flags.state("base")?.revision == 2)
      try await flags.create("shown", on: [Harbor.staging])
      try await check(
        wire, "/shown/place",
        #"{"environment": "staging", "reason": "try", "override": "{\"defaultVariant\": \"on\"}"}"#)
      try await edit("shown", 1, renamed, 409, "overridden in staging")
      try await check(
        wire, "/shown/place", #"{"environment": "staging", "reason": "try", "override": "{}"}"#)
      try await edit("shown", 1, renamed)
    }
  }

  @Test func aRuleMayNameASegmentOfAFolder() async throws {
    try await withServer { wire, backend in
      let folder = StreamID.flagFolder(Harbor.repository, Harbor.trunk)
      let commit = Harbor.commit("segments")
      let staff = FlagDefinition.Member(name: "staff", json: #"{"items": ["ann"]}"#)
      let policy = FlagFolder.Policy(
        repository: Harbor.repository, trunk: Harbor.trunk, path: "flags", environments: [Harbor.production])
      try await backend.tell(folder, .flagFolder(.configure(policy)))
      try await backend.tell(folder, .flagFolder(.trunkAt(commit)))
      try await backend.tell(
        folder, .flagFolder(.found(.init(commit: commit, author: "ann", definitions: [], segments: [staff]))))
      try await check(
        wire, "",
        #"{"key": "inside", "reason": "x", "environments": {"production": true}, "targeting": {"if": [{"segment": "staff"}, "on"]}}"#,
        saying: #""revision":1"#)
      try await check(
        wire, "/inside/evaluate?environment=production&context=%7B%22targetingKey%22:%22ann%22%7D",
        saying: #""variant":"on""#)
    }
  }

  @Test func ofTwoWhoEditNeitherLosesWhatTheOtherWrote() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.create("new-checkout", #"{"owner": "payments"}"#)
      let edit =
        #"{"reason": "default on", "owner": "payments", "expiry": "2026-03-01", "defaultVariant": "on", "variants": {"on": true, "off": false}}"#
      try await check(wire, "/new-checkout/edit", edit, answers: 428, saying: "If-Match")
      try await check(
        wire, "/new-checkout/edit", edit, headers: [("If-Match", "\"seven\"")], answers: 400, saying: "If-Match")
      try await check(
        wire, "/new-checkout/edit", edit, headers: [("If-Match", "\"1\"")], saying: #""revision":2"#)
      try await check(
        wire, "/new-checkout/edit", edit.replacing("default on", with: "again"), headers: [("If-Match", "\"1\"")],
        answers: 409, saying: "revision 2 by now, not 1")
      // What is shown can be sent again, and changes nothing.
      let shown = try JSONDecoder().decode(
        FlagView.self, from: Data(try await wire.send("GET", "/v1/flags/new-checkout").body.utf8))
      let same = String(decoding: try JSONEncoder().encode(shown.definition), as: UTF8.self)
      try await check(
        wire, "/new-checkout/edit", #"{"over": 2, "reason": "same", "definition": \#(same)}"#, saying: #""decided":[]"#,
        #""revision":2"#)
      let history = try JSONDecoder().decode(
        FlagHistoryView.self, from: Data(try await wire.send("GET", "/v1/flags/new-checkout/history").body.utf8))
      let newest = try #require(history.events.first)
      #expect(newest.reason == "default on" && newest.actor == "api")
      #expect(
        newest.changes.first { $0.member == "defaultVariant" }
          == FlagChangeView(member: "defaultVariant", before: "\"off\"", after: "\"on\""))
      #expect(newest.changes.map(\.member).sorted().contains("expiry"))
      try await check(
        wire, "/new-checkout/restore", #"{"revision": 1, "reason": "too early"}"#,
        saying: "restored revision 1 of new-checkout as 3")
      try await check(wire, "/new-checkout/restore", #"{"revision": 9, "reason": "x"}"#, answers: 404, saying: "not 9")
      #expect(await flags.state("new-checkout")?.definition == flags.state("new-checkout")?.revisions.last?.definition)
    }
  }

  @Test func anEnvironmentIsSwitchedAndOverridden() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.create("new-checkout", on: [])
      func place(_ more: String) -> String { #"{"environment": "staging", "reason": "try", \#(more)}"# }
      try await check(
        wire, "/new-checkout/place", place(#""on": true"#), saying: "has new-checkout on in staging: try.")
      #expect(await backend.asked?.lane == .progress)
      try await check(
        wire, "/new-checkout/place", place(#""override": "{\"defaultVariant\": \"on\"}""#), saying: "of its own there")
      try await check(
        wire, "/new-checkout/evaluate?environment=staging", saying: #""variant":"on""#, #""value":"true""#, "STATIC")
      try await check(
        wire, "/new-checkout/evaluate?environment=production", saying: "DISABLED", "off in production")
      try await check(
        wire, "/new-checkout/evaluate?environment=staging&context=%7Boops", answers: 400, saying: "column 2")
      for (override, words) in [
        (#"{\"defaultVariant\": \"onn\"}"#, "did you mean on?"), (#"{\"targetin\": {}}"#, "did you mean targeting?"),
        (#"{\"targeting\": {\"iff\": [1]}}"#, "did you mean if?"), ("[", "Line 1"),
      ] {
        try await check(
          wire, "/new-checkout/place", place(#""override": "\#(override)""#), answers: 400, saying: words)
      }
      try await check(wire, "/new-checkout/place", place(#""on": false"#), saying: "off in staging")
      #expect(await backend.asked?.lane == .protect)
      try await check(
        wire, "/new-checkout/schedule",
        #"{"atMs": 1767261600000, "environment": "production", "on": true, "reason": "launch"}"#,
        saying: "wants to switch on in production")
      try await check(
        wire, "/new-checkout/schedule", #"{"atMs": 1, "environment": "production", "on": true, "reason": "x"}"#,
        answers: 400, saying: "has passed")
      try await check(wire, "/new-checkout/unschedule", #"{"number": 1, "reason": "later"}"#, saying: "took back")
      try await check(wire, "/new-checkout/unschedule", #"{"number": 7, "reason": "x"}"#, answers: 404, saying: "7")
    }
  }

  @Test func aRampSaysWhatItWillSeeAndIsHeldAdvancedAndStopped() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      await backend.setTraffic(HarborFlags.traffic)
      try await flags.create("new-checkout")
      func ramp(_ more: String) -> String { #"{"environment": "production", "reason": "go", \#(more)}"# }
      try await check(
        wire, "/new-checkout/ramp", ramp(#""variant": "onn""#), answers: 404, saying: "did you mean on")
      try await check(
        wire, "/new-checkout/ramp", ramp(#""variant": "on", "stages": [5, 1]"#), answers: 400, saying: "rise")
      try await check(
        wire, "/new-checkout/ramp", ramp(#""variant": "on", "stages": [0, 101]"#), answers: 400,
        saying: "'stages' has 0")
      try await check(
        wire, "/new-checkout/ramp", ramp(#""variant": "on", "guardrails": [{"measure": "erors"}]"#), answers: 404,
        saying: "did you mean errors?")
      try await check(
        wire, "/new-checkout/ramp", ramp(#""variant": "on""#), saying: "through 1, 5, 25, 100 %", "1 % sees 5x errors",
        #""percent":25"#)
      try await flags.tell(
        "new-checkout", .trafficTold(Harbor.production, ramp: 1, HarborFlags.traffic))
      try await check(
        wire, "/new-checkout/ramp", ramp(#""variant": "off""#), answers: 409, saying: "is being ramped in production")
      try await flags.watch("new-checkout", seconds: 30)
      try await check(wire, "/new-checkout", saying: #""phase":"watching""#, "1 % get on.", #""standing":"now""#)
      func order(_ more: String = "") -> String { #"{"environment": "production", "reason": "because"\#(more)}"# }
      try await check(wire, "/new-checkout/advance", order(), answers: 400, saying: "'stage' is missing")
      try await check(wire, "/new-checkout/advance", order(#", "stage": 3"#), answers: 409, saying: "at stage 0 by now")
      try await check(wire, "/new-checkout/advance", order(#", "stage": 0"#), saying: "5 % of production")
      try await check(wire, "/new-checkout/hold", order(), saying: "is held: because.")
      try await check(wire, "/new-checkout", saying: #""phase":"holding""#, "held by api")
      try await check(wire, "/new-checkout/resume", order(), saying: "lets the ramp")
      try await check(wire, "/new-checkout/stop", order(), saying: "on of new-checkout was switched off in production")
      #expect(await backend.asked?.lane == .protect)
      #expect(await flags.state("new-checkout")?.placement(in: Harbor.production)?.allocation == FlagAllocation.none)
      try await check(
        wire, "/new-checkout/stop", #"{"environment": "prod", "reason": "x"}"#, answers: 404, saying: "environment")
    }
  }

  @Test func aKillIsInTheProtectLaneAndSaysWhoHasNotHeard() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.create("new-checkout", on: [Harbor.staging, Harbor.production])
      try await check(
        wire, "/new-checkout/kill", #"{"reason": "x", "service": "harbr", "attributed": "abcd"}"#, answers: 404,
        saying: "did you mean harbor?")
      let version = Harbor.digest("artifact of \(Harbor.commit("first"))")
      try await check(
        wire, "/new-checkout/kill",
        #"{"reason": "wrong sums", "service": "harbor", "attributed": "\#(version.hex.prefix(10))"}"#,
        saying: "killed new-checkout in production, because of harbor \(version.short): wrong sums.",
        "killed new-checkout in staging")
      #expect(await backend.asked?.lane == .protect)
      try await check(
        wire, "/new-checkout/clients?environment=production", saying: "Off: nobody has been asked yet.")
      await backend.setClients(HarborFlags.standing(lacking: 2, of: 1000, at: backend.harbor.now))
      try await check(
        wire, "/new-checkout/clients?environment=production", saying: "Off: 998 of 1,000 clients after",
        "these 2 not: 10.0.0.7 (python), 10.0.0.8 (python)", #""delivered":500"#, #""complete":false"#)
      await backend.setClients(nil)
      try await flags.prove("new-checkout", lacking: 0)
      try await check(
        wire, "/new-checkout/clients?environment=production",
        saying: "Off everywhere: 1,000 of 1,000 clients after 0.0 s")
      try await check(wire, "/new-checkout/clients", answers: 400, saying: "'environment' is missing")
    }
  }

  @Test func aListIsNarrowedSearchedAndPaged() async throws {
    try await withServer { wire, backend in
      let flags = HarborFlags(backend: backend)
      try await flags.tellAll()
      func keys(_ query: String) async throws -> [String] {
        let answer = try await wire.send("GET", "/v1/flags?\(query)")
        return try JSONDecoder().decode(FlagsView.self, from: Data(answer.body.utf8)).flags.map(\.key)
      }
      #expect(try await keys("owner=payments") == ["new-checkout", "payments-fallback"])
      #expect(try await keys("search=BASK") == ["new-basket"])
      #expect(try await keys("type=kill-switch") == ["payments-fallback"])
      #expect(try await keys("expiry=expired") == ["old-banner"])
      #expect(try await keys("environment=staging") == ["new-basket", "new-checkout"])
      #expect(try await keys("environment=production&phase=watching") == ["new-checkout"])
      #expect(try await keys("phase=killed") == ["payments-fallback"])
      #expect(try await keys("environment=production&phase=off") == ["beta-docs"])
      #expect(try await keys("archived=true") == [])
      #expect(try await keys("limit=2") == ["beta-docs", "fast-search"])
      #expect(try await keys("limit=2&after=fast-search") == ["new-basket", "new-checkout"])
      try await check(wire, "?limit=3", saying: #""total":7"#, #""next":"new-basket""#)
      try await check(wire, "?phase=watchin", answers: 404, saying: "did you mean watching?")
      try await check(wire, "?environment=prodction", answers: 404, saying: "did you mean production?")
      try await check(wire, "?limit=0", answers: 400, saying: "1 to 500")
    }
  }
}
