import Kernel
import Ramps
import Testing

@testable import Measures

@Suite("Kills of flags, as measures count them") struct FlagKillTests {
  private func kill(_ number: Int?, in environment: EnvironmentName = production) -> Fact {
    let by = FeatureFlag.Signed(actor: "Ada", reason: "orders fail", at: minute(30))
    let kill = FeatureFlag.Kill(by: by, attributed: number.map { .init(service: harbor, digest: digest($0)) })
    return .flag(
      StreamID(.flag, "new-checkout"), .killed(environment, kill, epoch: 2, announceTargets: 0))
  }

  @Test("a kill that names a deployment makes that a failed change, once; another kill does not")
  func blamed() {
    let cases: [([Fact], Double, [Position])] = [
      ([kill(2)], 0.5, [10]), ([kill(2), kill(2)], 0.5, [10]), ([kill(nil)], 0, []), ([kill(9)], 0, []),
      ([kill(2, in: staging)], 0, []),
    ]
    for (facts, rate, positions) in cases {
      var teller = Teller()
      teller.begun(1, 1, ordinal: 1, landed: 0)
      teller.started(1, 1, ordinal: 1, 2, at: 1)
      teller.completed(1, 1, 3, at: 5)
      teller.started(2, 2, ordinal: 2, 4, at: 10)
      teller.completed(2, 2, 5, at: 15)
      for (index, fact) in facts.enumerated() { teller.tell(fact, Position(10 + index), 30) }
      let figure = Book(teller.told).report(window: day).changeFailureRate
      #expect(figure.value == rate)
      #expect(figure.positions == positions)
    }
  }
}
