import Foundation
import Kernel

/// A repository's URL as it must not be said: it may hold a token (`https://user:token@host/path`), and git repeats it
/// in its words.
struct ConcealedAddress: Sendable {
  private let name: String
  /// What is replaced as it stands, longest first: the URL, and the part before its `@`, which ssh repeats alone.
  private let secrets: [String]

  init(_ url: String, of repository: RepositoryName) {
    name = repository.rawValue
    var secrets = [url]
    let authority = url.range(of: "://").map { url[$0.upperBound...].prefix { !"/?#".contains($0) } }
    if let user = authority.flatMap({ part in part.lastIndex(of: "@").map { part[..<$0] } }) {
      secrets.append("\(user)@")
      if let plain = user.removingPercentEncoding { secrets.append("\(plain)@") }
    }
    self.secrets = secrets.filter { !$0.isEmpty }.sorted { $0.count > $1.count }
  }

  /// The text with the repository's name in place of its URL and of every other URL: after a redirection git names one
  /// that holds the same token.
  func conceal(_ text: String) -> String {
    let known = secrets.reduce(text) { $0.replacingOccurrences(of: $1, with: name) }
    return known.replacingOccurrences(
      of: "[A-Za-z][A-Za-z0-9+.-]*://[^\\s'\"<>]+", with: name, options: .regularExpression)
  }
}
