import Hummingbird
import Kernel

/// Parameters of a request, parsed or refused by name.
struct Query {
  let request: Request
  let context: BasicRequestContext

  init(_ request: Request, _ context: BasicRequestContext) {
    self.request = request
    self.context = context
  }

  /// A part of the path; the router has matched it, percent-encoding still in it.
  func path(_ name: String) -> String {
    let raw = context.parameters.get(name) ?? ""
    return raw.removingPercentEncoding ?? raw
  }

  /// Nil when absent or empty.
  func text(_ name: String) -> String? {
    guard let value = request.uri.queryParameters.get(name), !value.isEmpty else { return nil }
    return value
  }

  func number(_ name: String, in range: ClosedRange<Int64>, otherwise usual: Int64) throws -> Int64 {
    guard let text = text(name) else { return usual }
    guard let number = Int64(text), range.contains(number) else {
      let most = range.upperBound == .max ? "\(range.lowerBound) or more" : "\(range.lowerBound) to \(range.upperBound)"
      throw Refusal(.malformed, "The parameter '\(name)' is '\(Lookup.shown(text))': give \(most).")
    }
    return number
  }
}
