import Testing

@testable import Flags

@Suite("Regular expressions in linear time")
struct LinearExpressionTests {
  private func check(
    _ pattern: String, ignoringCase: Bool = false, matches: [String] = [], not others: [String] = [],
    _ location: SourceLocation = #_sourceLocation
  ) {
    guard let expression = try? LinearExpression(pattern, ignoringCase: ignoringCase) else {
      Issue.record("\(pattern) is refused", sourceLocation: location)
      return
    }
    for text in matches { #expect(expression.matches(text), "\(pattern) on \(text)", sourceLocation: location) }
    for text in others { #expect(!expression.matches(text), "\(pattern) on \(text)", sourceLocation: location) }
  }

  private func check(refused patterns: [String], _ location: SourceLocation = #_sourceLocation) {
    for pattern in patterns {
      #expect(throws: FlagRefusal.self, "\(pattern)", sourceLocation: location) { try LinearExpression(pattern) }
    }
  }

  @Test("letters, classes, repetitions")
  func basics() {
    check("cat", matches: ["cat", "concatenate"], not: ["ca", ""])
    check("^user\\d{3}$", matches: ["user123", "user١٢٣"], not: ["user12", "xuser123"])
    check("^a{2,4}$", matches: ["aa", "aaaa"], not: ["a", "aaaaa"])
    check("^(foo|fo)$", matches: ["foo", "fo"], not: ["f", "fooo"])
    check("^(ab)?c$", matches: ["abc", "c"], not: ["ac"])
    check("^[a-c--b]$", matches: ["a", "c"], not: ["b", "-"])
    check("^[a-z&&[^aeiou]]+$", matches: ["xyz"], not: ["xay"])
    check("^[a-d~~c-f]$", matches: ["a", "f"], not: ["c", "d"])
    check("[]x]", matches: ["]"], not: ["["])
    check("^[[:alpha:]]+$", matches: ["AlphaBeta"], not: ["Alpha1", "é"])
    check("", matches: ["", "x"])
    check("a**", matches: [""])
  }

  @Test("flags, anchors, boundaries")
  func places() {
    check("(?m)^foo$", matches: ["x\nfoo\ny"], not: ["x\nfo\ny"])
    check("^foo$", matches: ["foo"], not: ["foo\n", "x\nfoo"])
    check("(?mR)^a$", matches: ["x\r\na\r\ny"], not: ["xa"])
    check("^(?s)a.b$", matches: ["a\nb"])
    check("^a.b$", matches: ["aéb"], not: ["a\nb"])
    check("\\bcat\\b", matches: ["a cat b"], not: ["écaté", "concatenate"])
    check("(?-u:\\bcat\\b)", matches: ["écaté"])
    check("e\\b{end}", matches: ["cake "], not: ["cakes"])
    check("(?x) a b # comment", matches: ["ab"], not: ["a b"])
  }

  @Test("case is folded as Unicode folds it, one letter to one")
  func folding() {
    check("k", ignoringCase: true, matches: ["K", "\u{212A}"])
    check("ſ", ignoringCase: true, matches: ["S", "s"])
    check("straße", ignoringCase: true, matches: ["STRAẞE"], not: ["STRASSE"])
    check("^[α-ω]+$", ignoringCase: true, matches: ["ΟΔΟΣ", "οδος"])
    check("ı", ignoringCase: true, matches: ["ı"], not: ["I", "i", "İ"])
    check("(?i)[^a]", matches: ["b"], not: ["a", "A"])
    check("(?i:A)b", matches: ["ab"], not: ["aB"])
  }

  @Test("Unicode's categories and some properties are known; scripts are refused")
  func properties() {
    check("^\\p{Lu}", matches: ["Éa"], not: ["éa"])
    check("^\\PL$", matches: ["7"], not: ["a"])
    check("\\p{White_Space}", matches: ["\u{2003}"], not: ["x"])
    check("^\\p{gc=Nd}+$", matches: ["٣4"], not: ["x"])
    check(refused: ["\\p{Greek}", "\\p{sc=Latin}", "\\p{Age=3.0}", "\\p{nothing}"])
  }

  @Test("what no linear time allows, and what is broken, is refused with words")
  func refusals() throws {
    check(refused: [
      "(?=a)b", "(?!a)", "(?<=a)b", "(?<!a)", "(a)\\1", "(x", "x)", "*a", "a{3,2}", "a{", "[z-a]", "[a", "\\q", "\\",
      "(?P<n>a)(?P<n>b)", "(?k)", "a{,5}", "(?-u:.)", "(?-u:\\W)", "\\x{110000}", "(?i)*", "[\\d-z]",
    ])
    let refusal = #expect(throws: FlagRefusal.self) { try LinearExpression("ab(?=c)") }
    #expect(refusal?.cause == "looks ahead or behind, which no linear time allows at letter 3")
  }

  @Test("expressions that explode elsewhere take a step for each letter and state")
  func explosions() {
    let text = String(repeating: "a", count: 5_000)
    check("(a*)*b", matches: [text + "b"], not: [text])
    check("(a|aa)+$", matches: [text], not: [text + "c"])
    check("(a|a|a|a|a)*c", not: [text])
    check("^(([a-z])+.)+[A-Z]([a-z])+$", not: [text])
    check("(x+x+)+y", not: [String(repeating: "x", count: 5_000)])
  }

  @Test("programs that grow beyond the limit are refused, not built")
  func limits() {
    check(refused: [
      "((a{1,100}){1,100}){1,100}", "a{20000}", "(?:a{1000}){1000}", String(repeating: "(", count: 300) + "a",
      "\\pL{10001}",
    ])
    check("a{2000}", matches: [String(repeating: "a", count: 2_000)], not: [String(repeating: "a", count: 1_999)])
  }
}
