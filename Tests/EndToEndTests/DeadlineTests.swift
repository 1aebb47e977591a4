import Foundation
import Testing

@testable import plimsoll

@Suite("What people write to freeze and approve") struct DeadlineTests {
  @Test("a freeze ends after a time or at one") func deadlines() {
    let now = Date(timeIntervalSince1970: 1_800_000_000)
    func check(_ text: String, _ expected: Int64?) { #expect(Deadline.parse(text, from: now) == expected, "\(text)") }
    check("2h", 1_800_007_200_000)
    check("3d", 1_800_259_200_000)
    check("2026-12-01T08:00Z", 1_796_112_000_000)
    check("2026-12-01T08:00:00Z", 1_796_112_000_000)
    check("2026-12-01T09:00+01:00", 1_796_112_000_000)
    check("2026-13-01T08:00Z", nil)
    check("2026-12-01", nil)
    check("tomorrow", nil)
    check("", nil)
  }

  @Test("an approval names rollout and step as people count them") func stands() {
    func check(_ text: String, _ expected: ApproveCommand.Stand?) {
      #expect(ApproveCommand.Stand(text) == expected, "\(text)")
    }
    check("4/2", ApproveCommand.Stand(rollout: 4, step: 2))
    for wrong in ["4", "4/", "/2", "4/0", "0/1", "-4/2", "4/2/1", "a/b", ""] { check(wrong, nil) }
  }
}
