import Foundation

/// What files look like: their length, their words, the files of a machine and the cases of a phase.
enum ShapeRules {
  /// STYLE.md: most files have 100 to 250 lines; none has more than this.
  static let longestFile = 600
  /// How a file begins that a script writes (scripts/generate-flagd); nobody reads it downwards.
  static let generated = "// DO NOT EDIT."

  static func filesAreShort(_ tree: SourceTree) -> [Finding] {
    (tree.texts(in: "Sources/", ending: ".swift") + tree.texts(in: "Tests/", ending: ".swift")).compactMap {
      if $0.text.hasPrefix(generated) { return nil }
      let count = lines(of: $0.text).count - ($0.text.hasSuffix("\n") ? 1 : 0)
      guard count > longestFile else { return nil }
      return Finding(
        path: $0.path, line: longestFile + 1, sentence: "\(count) lines; a file has at most \(longestFile)")
    }
  }

  // Split, so that this file does not break its own rules.
  static let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "try" + "!", "fatalError(\"un" + "implemented"]

  static func nothingIsUnfinished(_ tree: SourceTree) -> [Finding] {
    mentions(of: unfinished, in: tree.texts(in: "Sources/") + tree.texts(in: "Tests/") + tree.texts(in: "scripts/")) {
      "`\($0)`: finish it, or write a decision note"
    }
  }

  // The names of programs that write programs, and folders of one machine: neither says anything to a reader.
  static let foreign = [
    "Cla" + "ude", "Anthro" + "pic", "Open" + "AI", "ChatG" + "PT", "GP" + "T", "Copi" + "lot", "LL" + "M",
    "/wo" + "rk/", "/ro" + "ot/", "/op" + "t/swift",
  ]

  static func nothingForeignIsNamed(_ tree: SourceTree) -> [Finding] {
    mentions(of: foreign, in: tree.texts()) { "`\($0)` does not belong in the project" }
  }

  static func noPlaceholders(_ tree: SourceTree) -> [Finding] {
    tree.texts(in: "", ending: "_Placeholder.swift").map {
      Finding(path: $0.path, line: 1, sentence: "a placeholder: replace it by what the target is for, or delete it")
    }
  }

  /// Folder to its machine.
  static let machines = [
    "MergeQueues": "MergeQueue", "Promotions": "Promotion", "Rollouts": "Rollout",
    "Rollouts/Observation": "Observation",
  ]
  static let machineParts = ["", "+Inputs", "+Events", "+Decide", "+Evolve", "+Effects", "+Invariants"]

  static func machinesHaveTheirFiles(_ tree: SourceTree) -> [Finding] {
    machines.sorted { $0.key < $1.key }.flatMap { target, machine -> [Finding] in
      guard tree.places.contains("Sources/\(target)") else { return [] }
      return machineParts.map { "Sources/\(target)/\(machine)\($0).swift" }
        .filter { !tree.places.contains($0) }
        .map { Finding(path: $0, line: 1, sentence: "missing: every machine's folder has the same seven files") }
    }
  }

  static func switchesAreExhaustive(_ tree: SourceTree) -> [Finding] {
    let rules = tree.sources(of: TargetRules.pure.sorted()).filter {
      $0.path.contains("+Decide") || $0.path.contains("+Evolve")
    }
    return rules.flatMap { path, text in
      lines(of: text).filter { code($0.text).trimmingCharacters(in: .whitespaces).hasPrefix("default:") }.map {
        Finding(path: path, line: $0.number, sentence: "`default:` hides a case from the rules; name every case")
      }
    }
  }

  static func phasesSayHowTheyAreLeft(_ tree: SourceTree) -> [Finding] {
    tree.texts(in: "Sources/", ending: ".swift").flatMap { path, text -> [Finding] in
      var found: [Finding] = []
      var closing: String?
      var comment = ""
      for (number, line) in lines(of: text) {
        let words = code(line)
        if let end = closing {
          let trimmed = line.trimmingCharacters(in: .whitespaces)
          if words.hasPrefix(end) {
            closing = nil
          } else if trimmed.hasPrefix("///") {
            comment += trimmed
          } else {
            // Cases stand one level inside; deeper ones belong to a switch.
            if line.hasPrefix(end.dropLast() + "  case "), !comment.contains("Leaves to:") {
              found.append(Finding(path: path, line: number, sentence: "a phase without `/// Leaves to:`"))
            }
            comment = ""
          }
        } else if has("enum Phase", in: words) {
          closing = String(line.prefix { $0 == " " }) + "}"
          comment = ""
        }
      }
      return found
    }
  }

  /// Like `findings`, over whole lines: comments and strings count, and so does any case of the letters of a word.
  private static func mentions(
    of words: [String], in files: [(path: String, text: String)], _ sentence: (String) -> String
  ) -> [Finding] {
    files.flatMap { path, text in
      let present = words.filter { text.range(of: $0, options: .caseInsensitive) != nil }
      guard !present.isEmpty else { return [Finding]() }
      return lines(of: text).flatMap { number, line in
        let lowered = line.lowercased()
        return present.filter { has($0.lowercased(), in: lowered) }
          .map { Finding(path: path, line: number, sentence: sentence($0)) }
      }
    }
  }
}
