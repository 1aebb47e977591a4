import Foundation
import Kernel
import Subprocess

/// A short tool run to its end with captured output: `git`, `haproxy -c`. Never for services or CI commands, whose
/// output may be without bound.
///
/// The tool gets exactly the environment given, an own process group, and no standard input unless bytes are given.
/// When the time limit passes or the calling task is cancelled the whole group is killed.
package struct ProcessExecution: Sendable {
  /// Longest captured output of one stream, in bytes: a `git log` of 100,000 commits is about 15 MB.
  package static let outputLimitBytes = 64 << 20
  /// How long a tool may take to clean up after SIGTERM before SIGKILL (git removes its lock files in well under it).
  package static let terminationGrace = Span.seconds(1)

  package let executable: String
  /// Sorted or not; the last of equal names wins.
  package let environment: [EnvironmentVariable]
  package let workingDirectory: String?

  /// - Parameter executable: an absolute path, or a name looked up in the `PATH` of `environment`.
  package init(_ executable: String, environment: [EnvironmentVariable], workingDirectory: String? = nil) {
    self.executable = executable
    self.environment = environment
    self.workingDirectory = workingDirectory
  }

  package struct Finished: Sendable {
    /// The exit code; 128 + the signal's number when a signal ended it, as shells say.
    package let code: Int
    package let output: [UInt8]
    package let errorOutput: [UInt8]
    package var text: String { String(decoding: output, as: UTF8.self) }
    /// What the tool said, for a person: standard error, or standard output when that is empty; at most 2,000
    /// characters on one line.
    package var words: String { words { $0 } }
    /// The same, cut only after `conceal` took out what people must not see.
    func words(_ conceal: (String) -> String) -> String {
      let said = errorOutput.isEmpty ? output : errorOutput
      let lines = String(decoding: said, as: UTF8.self).split(whereSeparator: \.isNewline)
      return String(conceal(lines.joined(separator: " | ")).prefix(2000))
    }
  }

  /// Runs the tool to its end. A non-zero exit code is an answer, not an error.
  ///
  /// - Parameter deed: what the tool is asked to do, for the words of an outage; nil names the tool and its first argument.
  /// - Throws: `Outage` when it cannot be started, does not end within `timeLimit`, says more than
  ///   `outputLimitBytes`, or the calling task is cancelled.
  package func run(
    _ arguments: [String], input: [UInt8] = [], timeLimit: Span, for deed: String? = nil
  ) async throws(Outage) -> Finished {
    if let finished = try await runWithinLimit(arguments, input: input, timeLimit: timeLimit, for: deed) {
      return finished
    }
    throw Outage(name, "\(deed ?? said(arguments)) said more than \(Self.outputLimitBytes >> 20) MiB and was cut off")
  }

  /// As `run`, but nil when it said more than `outputLimitBytes` and was killed for it.
  package func runWithinLimit(
    _ arguments: [String], input: [UInt8] = [], timeLimit: Span, for deed: String? = nil
  ) async throws(Outage) -> Finished? {
    let deed = deed ?? said(arguments)
    do {
      return try await withThrowingTaskGroup(of: Finished?.self) { group in
        group.addTask { try await launch(arguments, input: input) }
        group.addTask {
          try await Task.sleep(for: .milliseconds(timeLimit.milliseconds))
          return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let finished = first else {
          throw Outage(name, "\(deed) did not end within \(timeLimit.seconds) s and was killed; try again")
        }
        return finished
      }
    } catch let outage as Outage {
      throw outage
    } catch is CancellationError {
      throw Outage(name, "\(deed) was cancelled before it ended")
    } catch let error as SubprocessError where error.code == .outputLimitExceeded {
      return nil
    } catch {
      throw Outage(name, "\(deed) could not be run; check that \(name) is installed", sources: ["\(error)"])
    }
  }

  private var name: String { executable.split(separator: "/").last.map(String.init) ?? executable }
  private func said(_ arguments: [String]) -> String { "\(name) \(arguments.first ?? "")" }

  private func launch(_ arguments: [String], input: [UInt8]) async throws -> Finished {
    if input.isEmpty { return try await launch(arguments, from: .none) }
    // From a file, not through a pipe of ours: a tool that ends before it has read all costs this call only, where a
    // broken pipe would end the process (swift-subprocess 1.0.2 traps on it).
    let file = try Self.unnamedFile(holding: input)
    return try await launch(arguments, from: .fileDescriptor(.init(rawValue: file), closeAfterSpawningProcess: true))
  }

  /// A file that nobody else can open, gone with its descriptor, at its beginning.
  private static func unnamedFile(holding bytes: [UInt8]) throws(Outage) -> Int32 {
    var path = Array((NSTemporaryDirectory() + "/plimsoll-input-XXXXXX").utf8CString)
    let file = mkstemp(&path)
    guard file >= 0 else { throw Outage("disk", "no temporary file can be made: \(String(cString: strerror(errno)))") }
    unlink(path)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(file, $0.baseAddress?.advanced(by: written), bytes.count - written) }
      guard count > 0 || (count < 0 && errno == EINTR) else {
        let why = String(cString: strerror(errno))
        close(file)
        throw Outage("disk", "a temporary file cannot be written: \(why); make room and try again")
      }
      written += max(count, 0)
    }
    lseek(file, 0, SEEK_SET)
    return file
  }

  private func launch(_ arguments: [String], from input: some InputProtocol) async throws -> Finished {
    var platform = PlatformOptions()
    platform.processGroupID = 0
    platform.teardownSequence = [
      .gracefulShutDown(
        toProcessGroup: true,
        allowedDurationToNextStep: .milliseconds(Self.terminationGrace.milliseconds))
    ]
    let result = try await Subprocess.run(
      executable.hasPrefix("/") ? .path(.init(executable)) : .name(executable),
      arguments: Arguments(arguments),
      environment: .custom(environment.map { rawEntry($0) }),
      workingDirectory: workingDirectory.map { .init($0) },
      platformOptions: platform,
      input: input,
      output: .bytes(limit: Self.outputLimitBytes),
      error: .bytes(limit: Self.outputLimitBytes))
    try Task.checkCancellation()
    let code =
      switch result.terminationStatus {
      case .exited(let code): Int(code)
      case .signaled(let number): 128 + Int(number)
      }
    return Finished(code: code, output: result.standardOutput, errorOutput: result.standardError)
  }
}

/// `NAME=value` with the terminating NUL that swift-subprocess expects of raw entries.
package func rawEntry(_ variable: EnvironmentVariable) -> [UInt8] {
  Array("\(variable.name)=\(variable.value)".utf8) + [0]
}

/// Where Debian keeps its programs; the server's own `PATH` is not trusted to be clean.
package let standardSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
