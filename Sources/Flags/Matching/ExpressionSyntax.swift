/// What a regular expression says, as a tree.
indirect enum ExpressionNode {
  case empty
  case set(ScalarSet)
  case assertion(ExpressionAssertion)
  case sequence([ExpressionNode])
  case alternatives([ExpressionNode])
  /// `maximum` nil: as often as one likes.
  case repetition(ExpressionNode, minimum: Int, maximum: Int?)
}

/// A place in the text that an expression asks for.
enum ExpressionAssertion: UInt8 {
  case textStart, textEnd
  case lineStart, lineEnd
  /// Lines that end in CR, LF or CR LF (flag `R`).
  case anyLineStart, anyLineEnd
  case wordBoundary, notWordBoundary, wordStart, wordEnd, wordStartHalf, wordEndHalf
  case asciiWordBoundary, asciiNotWordBoundary, asciiWordStart, asciiWordEnd, asciiWordStartHalf, asciiWordEndHalf
}

/// Why an expression is refused: a clause about it, and the place in it.
struct ExpressionFault: Error, Equatable {
  let cause: String
  /// Scalars from the expression's beginning.
  let offset: Int
}

/// The letters of `(?ims)`. Greediness (`U`) is read and has no effect: only whether a text matches is asked.
struct ExpressionFlags {
  var ignoresCase = false
  var multipleLines = false
  var dotMatchesNewline = false
  var unicode = true
  var ignoresSpace = false
  var carriageReturn = false
  var swapsGreed = false
}
