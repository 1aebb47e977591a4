import ControlPlane
import Kernel
import Migrations

extension SimulatedDispatcher {
  /// As in `Performer.surveyInterval`.
  static let surveyInterval = Span.seconds(60)

  func perform(_ effect: DatabaseSchema.Effect, _ errand: Errand) {
    switch effect {
    case .watch(let place): watch(place, errand)
    case .examine(let order):
      call(errand, within: 0.2...3, at: { [world] in world.schemas.examine(order) }) { answer in
        switch answer {
        case .examined(let examination, let migrations):
          .schema(.examined(number: order.number, examination, migrations: migrations))
        case .unexaminable(let why, let ofPlace):
          .schema(.unexaminable(number: order.number, why: why, ofPlace: ofPlace))
        }
      }
    case .migrate(let order, let number):
      arriveAgain { [world] in _ = world.schemas.apply(order, fence: errand.fence) }
      call(errand, within: 0.1...2, at: { [world] in world.schemas.apply(order, fence: errand.fence) }) { outcome in
        .schema(.migrated(number: number, outcome))
      }
    case .adopt(let adoption, let policy, let number):
      call(errand, at: { [world] in world.schemas.adopt(adoption, in: policy.place, fence: errand.fence) }) { answer in
        switch answer {
        case .adopted(let survey, let marks): .schema(.adopted(number: number, survey, marks: marks))
        case .unadoptable(let why): .schema(.unadoptable(number: number, why: why))
        }
      }
    }
  }

  /// Standing: tells the schema at the start and at every look.
  private func watch(_ place: SchemaPlace, _ errand: Errand) {
    guard errand.isWanted else { return }
    if world.chance.happens(world.faults.refused) {
      return world.agenda.after(.seconds(0.1)) { [self] in fail(errand, "the database is away") }
    }
    world.agenda.after(world.chance.span(0.01, 0.3)) { [self] in
      guard errand.isWanted else { return }
      guard let survey = world.schemas.survey(place) else { return fail(errand, "the database is away") }
      observe(errand, .schema(.surveyed(survey)))
      world.agenda.after(Self.surveyInterval) { [self] in watch(place, errand) }
    }
  }
}
