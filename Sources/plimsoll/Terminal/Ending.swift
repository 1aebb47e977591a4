import API
import ArgumentParser
import Foundation
import Kernel
import PlimsollFile

/// How a command that threw ends: its words and its exit code.
struct Ending {
  let code: Int32
  let message: String
  let isError: Bool

  init(_ error: any Error) {
    switch error {
    case let refusal as Refusal:
      (code, message, isError) = (refusal.kind == .notNow ? 1 : 2, refusal.sentence, true)
    case let unreached as Unreached: (code, message, isError) = (3, unreached.outage.description, true)
    case let outage as Outage: (code, message, isError) = (3, outage.description, true)
    case let problems as Problems: (code, message, isError) = (1, problems.description, true)
    case let failure as Failure:
      let codes: [String: Int32] = ["notNow": 1, "unavailable": 3]
      (code, message, isError) = (codes[failure.kind] ?? 2, failure.sentence, true)
    case let exit as ExitCode: (code, message, isError) = (exit.rawValue, "", true)
    default:
      let given = Plimsoll.exitCode(for: error)
      // ArgumentParser's own code for misuse is 64 (EX_USAGE); ours is 2.
      code = given == .success ? 0 : given == .validationFailure ? 2 : 3
      message = given == .failure ? "\(error)" : Plimsoll.fullMessage(for: error)
      isError = given != .success
    }
  }

  func exit() -> Never {
    if !message.isEmpty {
      let text = isError && code != 0 && !message.hasPrefix("Error:") ? "plimsoll: \(message)\n" : "\(message)\n"
      FileHandle(fileDescriptor: isError ? 2 : 1).write(Data(text.utf8))
    }
    Foundation.exit(code)
  }
}
