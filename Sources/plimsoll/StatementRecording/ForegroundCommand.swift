import Foundation
import Kernel

/// A command that runs in place of this process as far as its terminal can tell: same standard streams, same group, so
/// that Ctrl-C reaches it; SIGTERM is handed on.
struct ForegroundCommand: Sendable {
  private let arguments: [String]
  private let environment: [String: String]

  init(_ arguments: [String], environment: [String: String]) {
    self.arguments = arguments
    self.environment = environment
  }

  /// - Returns: the exit code; 128 and its number for a signal, as a shell says it.
  /// - Throws: `Refusal` when there is no such command.
  func run() async throws -> Int32 {
    // Both are the command's to act on; the recording is written when it has ended.
    signal(SIGINT, SIG_IGN)
    signal(SIGTERM, SIG_IGN)
    let pid = try spawn()
    let forwarding = Interruption([SIGTERM]) { _ in kill(pid, SIGTERM) }
    defer { forwarding.end() }
    return await withCheckedContinuation { continuation in
      // Waiting blocks a thread, so it has one of its own.
      Thread.detachNewThread {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signalled = status & 0x7F
        continuation.resume(returning: signalled == 0 ? (status >> 8) & 0xFF : 128 + signalled)
      }
    }
  }

  private func spawn() throws(Refusal) -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // What this process ignores would be ignored by the command too.
    var defaults = sigset_t()
    sigemptyset(&defaults)
    for number in [SIGINT, SIGTERM, SIGPIPE] { sigaddset(&defaults, number) }
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    // So would what this thread blocks, and those that tasks run on block everything.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var words = arguments.map { strdup($0) } + [nil]
    var variables = environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in words + variables { free(word) } }
    var pid: pid_t = 0
    let failure = posix_spawnp(&pid, arguments[0], nil, &attributes, &words, &variables)
    guard failure == 0 else {
      throw Refusal(
        .unknown, "'\(arguments[0])' cannot be run (\(String(cString: strerror(failure)))); name a command behind '--'."
      )
    }
    return pid
  }
}
