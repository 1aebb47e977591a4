import CZlib

/// Unpacks gzip and zlib bodies, as exporters send them when they are told to compress.
enum Inflation {
  enum Failure: Error, Equatable { case broken, tooLarge }

  private static let piece = 64 << 10

  /// - Parameter limit: bytes that may come out; a small body may hold a thousand times its size.
  static func inflated(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
    var stream = z_stream()
    guard plimsoll_inflate_init(&stream) == Z_OK else { throw .broken }
    defer { inflateEnd(&stream) }
    var source = bytes
    var out: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: piece)
    let end = source.withUnsafeMutableBufferPointer { input -> Int32 in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      while true {
        let (status, count) = buffer.withUnsafeMutableBufferPointer { output -> (Int32, Int) in
          stream.next_out = output.baseAddress
          stream.avail_out = UInt32(output.count)
          let status = inflate(&stream, Z_NO_FLUSH)
          return (status, output.count - Int(stream.avail_out))
        }
        out += buffer[..<count]
        // Nothing read and nothing written: the body is cut short.
        guard status == Z_OK, out.count <= limit, count > 0 || stream.avail_in > 0 else { return status }
      }
    }
    guard out.count <= limit else { throw .tooLarge }
    guard end == Z_STREAM_END else { throw .broken }
    return out
  }
}
