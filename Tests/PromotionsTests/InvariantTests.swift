import Kernel
import Testing

@testable import Promotions

/// Each broken promise, planted, must be seen.
@Suite("Promotion invariants") struct InvariantTests {
  func check(_ planted: Promotion.Phase, _ violation: String, at location: SourceLocation = #_sourceLocation) {
    let found = Promotion.violations(in: Promotion.State(phase: planted))
    #expect(found.contains(violation), "\(found)", sourceLocation: location)
  }

  /// A course whose first `passed` stages have passed.
  func course(passed: Int, _ change: (inout Promotion.Course) -> Void = { _ in }) -> Promotion.Course {
    var course = Promotion.Course(order: order(), build: build())
    for index in 0..<passed {
      course.stages[index].builder = "plimsoll"
      course.stages[index].attempts = 1
      course.stages[index].servedAt = at(1)
      course.stages[index].passedAt = at(2)
    }
    change(&course)
    return course
  }

  @Test("an environment is asked only after its gate, and in order")
  func gates() {
    check(
      .promoting(course(passed: 0), stage: 0, .requested), "integration was asked before its gate was passed")
    check(.promoting(course(passed: 0), stage: 2, .verifying), "production is not the next stage")
    check(.promoting(course(passed: 1), stage: 0, .verifying), "integration is not the next stage")
    check(.promoting(course(passed: 0), stage: 3, .verifying), "it is promoted to a stage that does not exist")
  }

  @Test("nothing passes that was not served, verified and checked")
  func passing() {
    check(
      .halted(course(passed: 1) { $0.stages[0].builder = nil }, reason: ""), "integration passed without provenance")
    check(.halted(course(passed: 1) { $0.stages[0].servedAt = nil }, reason: ""), "integration passed without serving")
    check(
      .halted(course(passed: 1) { $0.stages[0].setback = .condemned(reason: "") }, reason: ""),
      "integration passed while condemned")
    check(
      .halted(
        course(passed: 1) { $0.stages[0].checks = [Promotion.CheckResult(name: smoke, report: report(passed: false))] },
        reason: ""), "integration passed with a failed check")
    check(.promoting(course(passed: 1), stage: 1, .checking(1)), "checks are not run one after another")
    check(.promoting(course(passed: 1), stage: 1, .checking(2)), "a check runs that does not exist")
    check(.promoting(course(passed: 1), stage: 1, .soaking(until: at(9))), "staging soaks before its checks passed")
  }

  @Test("where there is a database, it has its word")
  func databases() {
    func fitted(_ passed: Int, _ change: (inout Promotion.Course) -> Void = { _ in }) -> Promotion.Course {
      var course = Promotion.Course(order: order(stages: stagesWithDatabase), build: build())
      let known = self.course(passed: passed)
      for index in 0..<passed { course.stages[index] = known.stages[index] }
      change(&course)
      return course
    }
    check(.promoting(fitted(1), stage: 1, .fitting), "the database of staging was asked before its provenance")
    check(.promoting(course(passed: 0), stage: 0, .fitting), "integration fits to no database")
    check(.promoting(fitted(1), stage: 1, .requested), "staging was asked without the word of its database")
    check(.halted(fitted(2), reason: ""), "staging passed without the word of its database")
  }

  @Test("the end is the end of every stage, with a digest that may be used")
  func ends() {
    check(.completed(course(passed: 2)), "completed with a stage that has not passed")
    check(.completed(course(passed: 3) { $0.distrust = "twice" }), "completed with a digest that may not be used")
    check(
      .promoting(course(passed: 1) { $0.distrust = "twice" }, stage: 1, .verifying),
      "a digest that may not be used is promoted")
    let twice = order(stages: [staging, staging].map { Promotion.Stage(environment: $0, checks: [], soak: .zero) })
    check(.building(twice), "an environment appears twice in the order")
  }
}
