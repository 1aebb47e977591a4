import QueueTrials
import Testing

struct FarmTests {
  @Test("Waits at a part are the smallest that the part does not exceed")
  func waits() {
    let waits = Waits([4, 1, 3, 2])
    #expect(waits.at(0.5) == 2)
    #expect(waits.at(0.51) == 3)
    #expect(waits.at(1) == 4)
    #expect(Waits([]).at(0.5) == 0)
  }
}
