import Foundation

/// How busy the machine is, whoever makes it so: a figure of time means little without it.
enum LoadAverage {
  /// Of one minute; 0 where the system does not say.
  static var now: Double {
    let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
    return text.split(separator: " ").first.flatMap { Double($0) } ?? 0
  }
}
