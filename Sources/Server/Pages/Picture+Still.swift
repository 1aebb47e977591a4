import Foundation

/// The picture for those who know less of SVG than a browser: chats, mail, librsvg.
extension Picture {
  /// DejaVu, the font that is there, is a tenth wider than what the labels are placed for.
  private static let narrower = ".mark-name,.step-name{font-size:11px}"

  /// A whole document in the light style: without variables, media queries and the page's background, which librsvg
  /// does not know (2.54, Debian 12).
  var still: [UInt8] {
    let (style, paper) = Self.stillStyle(of: String(decoding: PackageResources.picture_css, as: UTF8.self))
    return Array(
      document("<style>\(style)\(Self.narrower)</style><rect width=\"100%\" height=\"100%\" fill=\"\(paper)\"/>").utf8)
  }

  /// The variables of the first rule, put where they are used, and the colour behind everything.
  ///
  /// Relies on the form of `picture.css`: one block a line, the light variables in the first, the dark ones in a media
  /// query.
  static func stillStyle(of css: String) -> (style: String, paper: String) {
    var style = css.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("@media") }.joined(separator: "\n")
    var paper = "white"
    let block = style.prefix { $0 != "}" }.drop { $0 != "{" }.dropFirst()
    for declaration in block.split(separator: ";") where declaration.hasPrefix("--") {
      let parts = declaration.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      style = style.replacing("\(declaration);", with: "").replacing("var(\(parts[0]))", with: parts[1])
      if parts[0] == "--back" { paper = String(parts[1]) }
    }
    return (style, paper)
  }
}
