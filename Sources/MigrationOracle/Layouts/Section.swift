/// The part of a file that goes forward, where a tool keeps both ways in one file.
struct Section {
  let up: String
  let down: String
  /// Words on a marker's line that switch the transaction off.
  let withoutTransaction: String

  static let goose = Section(up: "+goose up", down: "+goose down", withoutTransaction: "+goose no transaction")
  static let sqlMigrate = Section(up: "+migrate up", down: "+migrate down", withoutTransaction: "notransaction")
  static let dbmate = Section(up: "migrate:up", down: "migrate:down", withoutTransaction: "transaction:false")

  func begins(in text: String) -> Bool {
    text.split(whereSeparator: \.isNewline).contains { Self.comment($0)?.hasPrefix(up) ?? false }
  }

  /// The way forward; all else is blanked, so that lines and columns stay those of the file.
  func forward(of text: String) -> (text: String, hasTransaction: Bool) {
    var isForward = false
    var hasTransaction = true
    var kept = ""
    kept.reserveCapacity(text.utf8.count)
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      if let comment = Self.comment(line) {
        if comment.hasPrefix(up) { isForward = true }
        if comment.hasPrefix(down) { isForward = false }
        // goose has a line of its own for it, anywhere; dbmate and sql-migrate say it behind the marker.
        if comment.contains(withoutTransaction), isForward || !comment.hasPrefix(down) { hasTransaction = false }
      } else if isForward {
        kept += line
      }
      kept += "\n"
    }
    return (kept, hasTransaction)
  }

  /// The words of a line that is only a comment, in lower case.
  private static func comment(_ line: Substring) -> String? {
    let words = line.drop(while: \.isWhitespace)
    guard words.hasPrefix("--") else { return nil }
    return words.dropFirst(2).drop(while: \.isWhitespace).lowercased()
  }
}
