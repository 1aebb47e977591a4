/// The nearest of `candidates` to `word` by edit distance, when it is near enough to be a slip of the hand:
/// at most a third of the longer word's length, and at most three edits.
package func nearestMatch(to word: String, among candidates: some Sequence<String>) -> String? {
  var best: (distance: Int, candidate: String)?
  for candidate in candidates {
    let distance = editDistance(Array(word.lowercased()), Array(candidate.lowercased()))
    let allowed = min(3, max(1, max(word.count, candidate.count) / 3))
    guard distance <= allowed else { continue }
    if let best, (best.distance, best.candidate) <= (distance, candidate) { continue }
    best = (distance, candidate)
  }
  return best?.candidate
}

/// Levenshtein distance with adjacent transpositions (optimal string alignment); O(n·m).
package func editDistance(_ left: [Character], _ right: [Character]) -> Int {
  if left.isEmpty || right.isEmpty { return max(left.count, right.count) }
  var beforeLast = [Int](repeating: 0, count: right.count + 1)
  var last = Array(0...right.count)
  for row in 1...left.count {
    var current = [row] + [Int](repeating: 0, count: right.count)
    for column in 1...right.count {
      let cost = left[row - 1] == right[column - 1] ? 0 : 1
      current[column] = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + cost)
      if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
        current[column] = min(current[column], beforeLast[column - 2] + 1)
      }
    }
    beforeLast = last
    last = current
  }
  return last[right.count]
}

extension String {
  /// On one line of at most `limit` characters; what is cut is marked by an ellipsis. Looks at a bounded beginning: a
  /// driver may hand over a whole log.
  package func onOneLine(upTo limit: Int) -> String {
    let beginning = prefix(limit * 4)
    let line = beginning.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    guard line.count > limit || beginning.endIndex != endIndex else { return line }
    return line.prefix(limit - 1) + "…"
  }
}

/// `value` >= 0, rounded to `places` (0 to 2) digits behind the point.
package func decimal(_ value: Double, places: Int) -> String {
  let scale = [1, 10, 100][places]
  let scaled = Int((value * Double(scale)).rounded())
  guard places > 0 else { return "\(scaled)" }
  let fraction = "\(scaled % scale)"
  return "\(scaled / scale).\(String(repeating: "0", count: places - fraction.count))\(fraction)"
}
