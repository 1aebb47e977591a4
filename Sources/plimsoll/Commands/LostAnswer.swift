import API
import Kernel

/// What to do when no answer came to a request that may have been decided all the same.
enum LostAnswer {
  /// - Parameter again: the options with which the command can be repeated safely; nil when nothing was seen.
  static func told<Answer>(
    by command: String, repeatWith again: String?, _ ask: () async throws -> Answer
  ) async throws -> Answer {
    do {
      return try await ask()
    } catch let outage as Outage {
      throw told(outage, command, again)
    } catch let failure as Failure where failure.kind == "unavailable" {
      throw told(Outage("server", failure.sentence), command, again)
    }
  }

  private static func told(_ outage: Outage, _ command: String, _ again: String?) -> Outage {
    guard let again else { return outage }
    return Outage(
      command, "it may have been decided although no answer came; repeat it with \(again)",
      sources: [outage.description])
  }
}
