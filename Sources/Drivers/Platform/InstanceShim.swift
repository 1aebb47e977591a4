import Kernel

/// The small `/bin/sh` between Plimsoll and a command: it outlives Plimsoll, records who it is *before* the command
/// runs, and writes the command's status *after* it ended, so that causes are known even of processes that are not our
/// children.
///
/// Race: a Plimsoll killed between spawn and record. Its successor first writes the next attempt number into the intent
/// file and then looks for processes with the instance's mark; the shim is visible by its environment before it reads
/// the intent. So either the successor sees the shim, or the shim sees the successor's number and ends: never two.
enum InstanceShim {
  /// Arguments: attempt, base path, port, command. Names are prefixed, because assigning to a variable that the
  /// configuration exports would change what the service sees.
  private static let script = """
    plimsoll_a=$1 plimsoll_b=$2 plimsoll_p=$3 plimsoll_c=$4
    read -r plimsoll_w < "$plimsoll_b.intent" || exit 0
    [ "$plimsoll_w" = "$plimsoll_a" ] || exit 0
    read -r plimsoll_s < "/proc/$$/stat" || exit 0
    set -- ${plimsoll_s##*) }
    shift 19
    printf '%s %s %s %s\\n' "$plimsoll_a" "$$" "$1" "$plimsoll_p" > "$plimsoll_b.record.new" || exit 0
    /bin/mv -f "$plimsoll_b.record.new" "$plimsoll_b.record" || exit 0
    /bin/sh -c "$plimsoll_c"
    plimsoll_x=$?
    printf '%s %s\\n' "$plimsoll_a" "$plimsoll_x" > "$plimsoll_b.exit.new"
    /bin/mv -f "$plimsoll_b.exit.new" "$plimsoll_b.exit"
    """

  /// Starts the command in its own session; the record follows within milliseconds.
  static func start(
    command: String, attempt: Int, instance: Int, port: Int, files: InstanceFiles, environment: [String],
    folder: String, log: String
  ) throws(Outage) -> Int32 {
    try DetachedProcess.start(
      ["/bin/sh", "-c", script, "plimsoll-instance", "\(attempt)", files.base(instance), "\(port)", command],
      environment: environment, folder: folder, output: log)
  }

  /// `sh` gives 128 + n for a command killed by signal n (POSIX.1-2017, XCU 2.8.2); no exit code says more.
  static func end(ofStatus status: Int, killedForMemory: Bool) -> InstanceEnd {
    let signal = status - 128
    guard (1...64).contains(signal) else { return .exited(code: status) }
    return signal == 9 && killedForMemory ? .outOfMemory : .signalled(number: signal)
  }
}
