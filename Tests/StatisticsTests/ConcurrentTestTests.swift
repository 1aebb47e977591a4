import RealModule
import Statistics
import Testing

struct ConcurrentTestTests {
  /// Seconds until the evidence reaches 1 in 100; both arms' rates are raised in the second half, where the share moves
  /// too, as when an incident comes with the next step.
  private func crossing(worsening: Double, _ chance: inout Seeded) -> Int? {
    let test = ConcurrentTest()
    var whole = test.begin
    var recent = test.begin
    for second in 0..<300 {
      let isLater = second >= 150
      let (first, other) = isLater ? (50, 50) : (10, 90)
      let rate = isLater ? 0.1 : 0.01
      test.absorb(
        events: chance.events(among: first, rate: rate * worsening),
        besideEvents: chance.events(among: other, rate: rate),
        share: Double(first) / Double(first + other), into: &whole, &recent)
      if test.logEvidence(whole) >= -Double.log(0.01) { return second }
    }
    return nil
  }

  @Test func armsThatAreAlikeAreToldApartWithinTheBudgetWhateverBefallsBoth() {
    var chance = Seeded(31)
    let alarms = (0..<400).count { _ in crossing(worsening: 1, &chance) != nil }
    #expect(Double(alarms) / 400 <= slack(0.01, runs: 400), "\(alarms) of 400")
  }

  @Test func aWorseArmIsFound() {
    var chance = Seeded(37)
    let found = (0..<100).map { _ in crossing(worsening: 5, &chance) ?? .max }.sorted()
    #expect(found[50] < 30 && found[95] < 90, "\(found[50]), \(found[95])")
  }

  @Test func oneArmAloneTellsNothing() {
    let test = ConcurrentTest()
    var whole = test.begin
    var recent = test.begin
    test.absorb(events: 9, besideEvents: 0, share: 1, into: &whole, &recent)
    test.absorb(events: 0, besideEvents: 9, share: 0, into: &whole, &recent)
    #expect(abs(test.logEvidence(whole)) < 1e-12 && whole == recent)
  }
}
