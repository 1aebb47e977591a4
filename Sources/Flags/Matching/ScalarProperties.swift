/// Sets of scalars by name, as regular expressions write them: `\w`, `[:alpha:]`, `\p{Lu}`.
extension ScalarSet {
  /// Letters, marks, decimal digits, connectors and joiners (UTS 18, annex C).
  static let word = scanned { scalar in
    let properties = scalar.properties
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
  static let digit = scanned { $0.properties.generalCategory == .decimalNumber }
  static let space = scanned(\.properties.isWhitespace)

  static let asciiWord = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
  static let asciiDigit = ScalarSet([0x30...0x39])
  static let asciiSpace = ScalarSet([0x09...0x0D, 0x20...0x20])

  /// The POSIX class between `[:` and `:]`; nil for an unknown name.
  static func posix(_ name: String) -> ScalarSet? {
    switch name {
    case "alnum": ScalarSet([0x30...0x39, 0x41...0x5A, 0x61...0x7A])
    case "alpha": ScalarSet([0x41...0x5A, 0x61...0x7A])
    case "ascii": ScalarSet([0...0x7F])
    case "blank": ScalarSet([0x09...0x09, 0x20...0x20])
    case "cntrl": ScalarSet([0...0x1F, 0x7F...0x7F])
    case "digit": asciiDigit
    case "graph": ScalarSet([0x21...0x7E])
    case "lower": ScalarSet([0x61...0x7A])
    case "print": ScalarSet([0x20...0x7E])
    case "punct": ScalarSet([0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E])
    case "space": asciiSpace
    case "upper": ScalarSet([0x41...0x5A])
    case "word": asciiWord
    case "xdigit": ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])
    default: nil
    }
  }

  /// The Unicode class of `\p{name}`: a general category or one of the binary properties below; nil for others
  /// (scripts, ages and text segmentation are not carried).
  static func property(_ name: String) -> ScalarSet? {
    let name = normalised(name)
    if let categories = categories(name) { return scanned { categories.contains($0.properties.generalCategory) } }
    switch name {
    case "any": return all
    case "ascii": return ScalarSet([0...0x7F])
    case "assigned": return scanned { $0.properties.generalCategory != .unassigned }
    case "alphabetic", "alpha": return scanned(\.properties.isAlphabetic)
    case "whitespace", "wspace", "space": return space
    case "lowercase", "lower": return scanned(\.properties.isLowercase)
    case "uppercase", "upper": return scanned(\.properties.isUppercase)
    case "cased": return scanned(\.properties.isCased)
    case "caseignorable", "ci": return scanned(\.properties.isCaseIgnorable)
    case "emoji": return scanned(\.properties.isEmoji)
    case "emojipresentation", "epres": return scanned(\.properties.isEmojiPresentation)
    case "idstart", "ids": return scanned(\.properties.isIDStart)
    case "idcontinue", "idc": return scanned(\.properties.isIDContinue)
    case "xidstart", "xids": return scanned(\.properties.isXIDStart)
    case "xidcontinue", "xidc": return scanned(\.properties.isXIDContinue)
    case "ideographic", "ideo": return scanned(\.properties.isIdeographic)
    case "math": return scanned(\.properties.isMath)
    case "hexdigit", "hex": return scanned(\.properties.isHexDigit)
    case "asciihexdigit", "ahex": return ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66])
    default: return nil
    }
  }

  /// The general category of `\p{gc=name}`.
  static func category(_ name: String) -> ScalarSet? {
    categories(normalised(name)).map { wanted in scanned { wanted.contains($0.properties.generalCategory) } }
  }

  /// Loose matching of names: case, spaces, hyphens, underscores and a leading "is" do not count (UAX 44, LM3).
  static func normalised(_ name: String) -> String {
    let letters = name.lowercased().filter { $0 != " " && $0 != "_" && $0 != "-" }
    return letters.hasPrefix("is") && letters != "isc" ? String(letters.dropFirst(2)) : letters
  }

  /// Planes 3 (beyond its ideographs) to 13 hold nothing, planes 15 and 16 are private: one scalar answers for each.
  private static func scanned(_ holds: (Unicode.Scalar) -> Bool) -> ScalarSet {
    var ranges: [ClosedRange<UInt32>] = []
    func scan(_ block: ClosedRange<UInt32>) {
      var start: UInt32?
      for value in block {
        if let scalar = Unicode.Scalar(value), holds(scalar) {
          if start == nil { start = value }
        } else if let begin = start {
          ranges.append(begin...(value - 1))
          start = nil
        }
      }
      if let begin = start { ranges.append(begin...block.upperBound) }
    }
    func ask(_ scalar: Unicode.Scalar, for block: ClosedRange<UInt32>) {
      if holds(scalar) { ranges.append(block) }
    }
    scan(0...0x3_23FF)
    ask("\u{40000}", for: 0x3_2400...0xD_FFFF)
    scan(0xE_0000...0xE_0FFF)
    ask("\u{40000}", for: 0xE_1000...0xE_FFFF)
    ask("\u{F0000}", for: 0xF_0000...0xF_FFFD)
    ask("\u{40000}", for: 0xF_FFFE...0xF_FFFF)
    ask("\u{F0000}", for: 0x10_0000...0x10_FFFD)
    ask("\u{40000}", for: 0x10_FFFE...0x10_FFFF)
    return ScalarSet(ranges)
  }

  private static func categories(_ name: String) -> Set<Unicode.GeneralCategory>? {
    switch name {
    case "l", "letter":
      [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter]
    case "lc", "casedletter": [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter]
    case "lu", "uppercaseletter": [.uppercaseLetter]
    case "ll", "lowercaseletter": [.lowercaseLetter]
    case "lt", "titlecaseletter": [.titlecaseLetter]
    case "lm", "modifierletter": [.modifierLetter]
    case "lo", "otherletter": [.otherLetter]
    case "m", "mark", "combiningmark": [.nonspacingMark, .spacingMark, .enclosingMark]
    case "mn", "nonspacingmark": [.nonspacingMark]
    case "mc", "spacingmark": [.spacingMark]
    case "me", "enclosingmark": [.enclosingMark]
    case "n", "number": [.decimalNumber, .letterNumber, .otherNumber]
    case "nd", "decimalnumber", "digit": [.decimalNumber]
    case "nl", "letternumber": [.letterNumber]
    case "no", "othernumber": [.otherNumber]
    case "p", "punctuation", "punct":
      [
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation, .otherPunctuation,
      ]
    case "pc", "connectorpunctuation": [.connectorPunctuation]
    case "pd", "dashpunctuation": [.dashPunctuation]
    case "ps", "openpunctuation": [.openPunctuation]
    case "pe", "closepunctuation": [.closePunctuation]
    case "pi", "initialpunctuation": [.initialPunctuation]
    case "pf", "finalpunctuation": [.finalPunctuation]
    case "po", "otherpunctuation": [.otherPunctuation]
    case "s", "symbol": [.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol]
    case "sm", "mathsymbol": [.mathSymbol]
    case "sc", "currencysymbol": [.currencySymbol]
    case "sk", "modifiersymbol": [.modifierSymbol]
    case "so", "othersymbol": [.otherSymbol]
    case "z", "separator": [.spaceSeparator, .lineSeparator, .paragraphSeparator]
    case "zs", "spaceseparator": [.spaceSeparator]
    case "zl", "lineseparator": [.lineSeparator]
    case "zp", "paragraphseparator": [.paragraphSeparator]
    case "c", "other": [.control, .format, .surrogate, .privateUse, .unassigned]
    case "cc", "control", "cntrl": [.control]
    case "cf", "format": [.format]
    case "co", "privateuse": [.privateUse]
    case "cn", "unassigned": [.unassigned]
    default: nil
    }
  }
}
