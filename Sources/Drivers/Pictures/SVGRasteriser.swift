import Crypto
import Foundation
import Kernel

/// SVG to PNG by librsvg's `rsvg-convert`, for receivers that show no SVG. Kind: *by content*: the same picture is drawn
/// once and kept in memory for whoever asks next.
///
/// Pictures are drawn one at a time. Whoever can read pages can ask for one, so the work, the memory and the queue are
/// bounded.
package actor SVGRasteriser {
  /// In pixels; a picture fits inside with its own proportions. Twice the width of the evidence's picture, which is 760.
  package static let width = 1520
  /// With the width it bounds the canvas: 12 MB at four bytes a pixel.
  package static let height = 2000
  /// Bytes of SVG; the evidence's picture has about 40,000.
  package static let longestInput = 1 << 20
  /// A picture takes about 0.1 s. Chats fetch it while the message is posted and wait up to 10 s.
  package static let timeLimit = Span.seconds(5)
  /// Newest pictures kept, each about 100 kB.
  static let keptPictures = 16
  /// Asked for and not drawn yet.
  static let longestQueue = 8

  static let program = "rsvg-convert"
  private static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  private let searchPath: String
  private let turnstile = Turnstile()
  /// Newest last.
  private var kept: [(content: String, png: [UInt8])] = []
  private(set) var waiting = 0

  /// - Parameter searchPath: folders separated by colons; looked through at each picture, so that a program installed
  ///   meanwhile is found.
  package init(searchPath: String = standardSearchPath) { self.searchPath = searchPath }

  /// - Throws: `Outage` when the program is missing, fails, takes longer than `timeLimit`, or when too many wait.
  package func png(of svg: [UInt8]) async throws(Outage) -> [UInt8] {
    guard svg.count <= Self.longestInput else {
      throw Outage("picture", "the picture has \(svg.count) bytes, more than the \(Self.longestInput) that are drawn")
    }
    let content = hex(SHA256.hash(data: svg))
    if let png = known(content) { return png }
    guard waiting < Self.longestQueue else {
      throw Outage("picture", "\(waiting) pictures are waiting to be drawn already; ask again in a moment")
    }
    waiting += 1
    defer { waiting -= 1 }
    return try await turnstile.pass { () async throws(Outage) in
      // Whoever passed before may have drawn the same one.
      if let png = await self.known(content) { return png }
      let png = try await self.draw(svg)
      await self.keep(png, content)
      return png
    }
  }

  private func known(_ content: String) -> [UInt8]? { kept.last { $0.content == content }?.png }

  private func keep(_ png: [UInt8], _ content: String) {
    kept.append((content, png))
    if kept.count > Self.keptPictures { kept.removeFirst() }
  }

  private nonisolated func draw(_ svg: [UInt8]) async throws(Outage) -> [UInt8] {
    let places = searchPath.split(separator: ":").map { "\($0)/\(Self.program)" }
    guard let program = places.first(where: { access($0, X_OK) == 0 }) else {
      throw Outage(
        "picture",
        "\(Self.program) is not installed, so there is no PNG: run scripts/setup, or apt-get install librsvg2-bin "
          + "fonts-dejavu-core; the same picture as SVG needs neither")
    }
    let tool = ProcessExecution(
      program, environment: [EnvironmentVariable(name: "PATH", value: searchPath)], workingDirectory: "/")
    let finished = try await tool.run(
      ["--format=png", "--width=\(Self.width)", "--height=\(Self.height)", "--keep-aspect-ratio"], input: svg,
      timeLimit: Self.timeLimit)
    guard finished.code == 0, finished.output.starts(with: Self.signature) else {
      throw Outage(
        "picture",
        "\(Self.program) drew nothing (exit \(finished.code)): \(finished.words); the same picture as SVG is "
          + "there")
    }
    return finished.output
  }
}
