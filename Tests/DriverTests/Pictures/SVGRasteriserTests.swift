import Foundation
import Kernel
import Testing

@testable import Drivers

/// The real `rsvg-convert`, which `scripts/setup` installs: without it these tests fail.
@Suite("Pictures") struct SVGRasteriserTests {
  private static func svg(_ inside: String, width: Int = 760, height: Int = 400) -> [UInt8] {
    Array(
      """
      <svg viewBox="0 0 \(width) \(height)" xmlns="http://www.w3.org/2000/svg">\
      <style>text{font:12px system-ui,sans-serif;fill:#1b2530}</style>\(inside)</svg>
      """.utf8)
  }

  /// Width and height out of the header chunk (PNG, W3C, section 11.2.1).
  private static func size(_ png: [UInt8]) -> [Int] {
    guard png.count > 24, png.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) else { return [] }
    return [16, 20].map { start in png[start..<start + 4].reduce(0) { $0 << 8 | Int($1) } }
  }

  private func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "plimsoll-pictures-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
  }

  @Test("a picture is twice as wide as it was, and never larger than the canvas") func sizes() async throws {
    let rasteriser = SVGRasteriser()
    let usual = try await rasteriser.png(of: Self.svg("<rect width=\"9\" height=\"9\"/>"))
    #expect(Self.size(usual) == [SVGRasteriser.width, 800])
    let tall = try await rasteriser.png(of: Self.svg("", width: 100, height: 100_000))
    #expect(Self.size(tall) == [2, SVGRasteriser.height])
  }

  @Test("there is a font, so that words are drawn") func words() async throws {
    let rasteriser = SVGRasteriser()
    let with = try await rasteriser.png(of: Self.svg("<text x=\"9\" y=\"99\">Bad responses a second</text>"))
    let without = try await rasteriser.png(of: Self.svg("<text x=\"9\" y=\"99\"></text>"))
    #expect(with.count > without.count + 500)
  }

  @Test("what is no picture is an outage") func broken() async throws {
    let rasteriser = SVGRasteriser()
    let outage = await #expect(throws: Outage.self) { try await rasteriser.png(of: Array("<svg".utf8)) }
    #expect(outage?.sentence.contains("drew nothing") == true)
    let long = [UInt8](repeating: 0x20, count: SVGRasteriser.longestInput + 1)
    await #expect(throws: Outage.self) { try await rasteriser.png(of: long) }
  }

  @Test("without the program it is an outage that says what to install") func missing() async throws {
    try await withFolder { folder in
      let rasteriser = SVGRasteriser(searchPath: folder.path)
      let outage = await #expect(throws: Outage.self) { try await rasteriser.png(of: Self.svg("")) }
      #expect(outage?.sentence.contains("scripts/setup") == true)
      #expect(outage?.sentence.contains("librsvg2-bin") == true)
    }
  }

  @Test("the same picture is drawn once, until others took its place") func kept() async throws {
    try await withFolder { folder in
      let program = folder.appending(path: "rsvg-convert")
      // Counts its runs by a letter each, and draws the count.
      try Self.install(
        """
        cat > /dev/null
        printf x >> '\(folder.path)/runs'
        printf '\\211PNG\\r\\n\\032\\n'
        cat '\(folder.path)/runs'
        """, at: program)
      let rasteriser = SVGRasteriser(searchPath: "\(folder.path):/usr/bin:/bin")
      let first = try await rasteriser.png(of: Self.svg("a"))
      #expect(try await rasteriser.png(of: Self.svg("a")) == first)
      #expect(try await rasteriser.png(of: Self.svg("b")) != first)
      for other in 1..<SVGRasteriser.keptPictures { _ = try await rasteriser.png(of: Self.svg("\(other)")) }
      #expect(try await rasteriser.png(of: Self.svg("a")) != first)
    }
  }

  @Test("too many at once are refused, and those that wait are drawn") func queue() async throws {
    try await withFolder { folder in
      try Self.install(
        """
        cat > /dev/null
        while [ ! -e '\(folder.path)/go' ]; do sleep 0.01; done
        printf '\\211PNG\\r\\n\\032\\n'
        """, at: folder.appending(path: "rsvg-convert"))
      let rasteriser = SVGRasteriser(searchPath: "\(folder.path):/usr/bin:/bin")
      let waiting = (0..<SVGRasteriser.longestQueue).map { number in
        Task { try await rasteriser.png(of: Self.svg("\(number)")) }
      }
      let deadline = ContinuousClock.now + .seconds(4)
      while await rasteriser.waiting < SVGRasteriser.longestQueue, ContinuousClock.now < deadline { await Task.yield() }
      let outage = await #expect(throws: Outage.self) { try await rasteriser.png(of: Self.svg("one more")) }
      #expect(outage?.sentence.contains("ask again") == true)
      try Data().write(to: folder.appending(path: "go"))
      for task in waiting { #expect(try await task.value.count == 8) }
      #expect(try await rasteriser.png(of: Self.svg("one more")).count == 8)
    }
  }

  private static func install(_ script: String, at program: URL) throws {
    try Data("#!/bin/sh\n\(script)\n".utf8).write(to: program)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
  }
}
