import Foundation
import Kernel

#if canImport(Glibc)
  import Glibc
#endif

/// A process of our own that must outlive us: its own session, no inherited descriptors, output to a file.
///
/// swift-subprocess is refused here on purpose: it ties the child's life to the calling task.
enum DetachedProcess {
  /// `POSIX_SPAWN_SETSID` of glibc's spawn.h, which hides it behind `__USE_GNU`.
  private static let setSession: Int16 = 0x80

  /// Extensions of glibc 2.29 and 2.34 that its headers show only to `_GNU_SOURCE`, which Swift's module map lacks.
  private enum Extension {
    typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>
    static var addFolder: (@convention(c) (Actions, UnsafePointer<CChar>) -> Int32)? {
      dlsym(nil, "posix_spawn_file_actions_addchdir_np").map {
        unsafeBitCast($0, to: (@convention(c) (Actions, UnsafePointer<CChar>) -> Int32).self)
      }
    }
    static var addCloseFrom: (@convention(c) (Actions, Int32) -> Int32)? {
      dlsym(nil, "posix_spawn_file_actions_addclosefrom_np").map {
        unsafeBitCast($0, to: (@convention(c) (Actions, Int32) -> Int32).self)
      }
    }
  }

  /// Starts `arguments[0]` (a path) and returns its process id, which is also its session id.
  ///
  /// The child gets exactly `environment`, default signal actions and an empty signal mask. It stays our child until we
  /// die; `ProcessTable.isAlive` reaps it.
  /// - Throws: `Outage` when the program, the folder or the output file cannot be used.
  static func start(_ arguments: [String], environment: [String], folder: String, output: String) throws(Outage)
    -> Int32
  {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // Both are refused rather than left out: a descriptor that leaks would keep our sockets and locks alive.
    guard let addFolder = Extension.addFolder, let addCloseFrom = Extension.addCloseFrom,
      addFolder(&actions, folder) == 0, addCloseFrom(&actions, 3) == 0
    else { throw Outage("libc", "lacks posix_spawn's addchdir_np or addclosefrom_np; run on glibc 2.34 or later") }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    var all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(
      &attributes, setSession | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))

    var words = arguments.map { strdup($0) } + [nil]
    var variables = environment.map { strdup($0) } + [nil]
    defer {
      words.forEach { free($0) }
      variables.forEach { free($0) }
    }
    var pid: pid_t = 0
    let failure = posix_spawn(&pid, arguments[0], &actions, &attributes, &words, &variables)
    guard failure == 0 else {
      throw Outage(
        arguments[0], "could not be started in \(folder): \(String(cString: strerror(failure))); check that both exist")
    }
    return pid
  }
}
