import NIOCore

/// Status lines and headers as bytes.
package enum ResponseHead {
  static let usualSize = 256
  package static let json: StaticString = "application/json"
  package static let text: StaticString = "text/plain; charset=utf-8"

  private static let reasons: [Int: StaticString] = [
    200: "200 OK", 202: "202 Accepted", 204: "204 No Content", 304: "304 Not Modified", 400: "400 Bad Request",
    401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found", 405: "405 Method Not Allowed",
    406: "406 Not Acceptable", 408: "408 Request Timeout", 413: "413 Content Too Large",
    415: "415 Unsupported Media Type", 429: "429 Too Many Requests", 500: "500 Internal Server Error",
    503: "503 Service Unavailable",
  ]

  /// - Parameters:
  ///   - length: nil for an answer that has no body by its status.
  ///   - isOld: for a client of HTTP/1.0, which has to be told that the connection stays.
  static func write(
    _ status: Int, type: StaticString?, headers: [(name: StaticString, value: String)], length: Int?,
    keepsAlive: Bool, isOld: Bool, to out: inout ByteBuffer
  ) {
    if status == 200 {
      out.writeStaticString("HTTP/1.1 200 OK\r\n")
    } else {
      out.writeStaticString("HTTP/1.1 ")
      if let reason = reasons[status] { out.writeStaticString(reason) } else { out.writeString("\(status) ") }
      out.writeStaticString("\r\n")
    }
    if let type {
      out.writeStaticString("content-type: ")
      out.writeStaticString(type)
      out.writeStaticString("\r\n")
    }
    for (name, value) in headers {
      out.writeStaticString(name)
      out.writeStaticString(": ")
      out.writeString(value)
      out.writeStaticString("\r\n")
    }
    if let length {
      out.writeStaticString("content-length: ")
      writeDecimal(length, to: &out)
      out.writeStaticString("\r\n")
    }
    if !keepsAlive {
      out.writeStaticString("connection: close\r\n")
    } else if isOld {
      out.writeStaticString("connection: keep-alive\r\n")
    }
    out.writeStaticString("\r\n")
  }

  static func writeStream(to out: inout ByteBuffer) {
    // nginx holds answers back unless it is told not to.
    out.writeStaticString(
      """
      HTTP/1.1 200 OK\r
      content-type: text/event-stream\r
      cache-control: no-store\r
      x-accel-buffering: no\r
      transfer-encoding: chunked\r
      \r

      """)
  }

  static func writeChunk(_ bytes: [UInt8], to out: inout ByteBuffer) {
    out.writeString(String(bytes.count, radix: 16))
    out.writeStaticString("\r\n")
    out.writeBytes(bytes)
    out.writeStaticString("\r\n")
  }

  private static func writeDecimal(_ number: Int, to out: inout ByteBuffer) {
    var divisor = 1
    while number / divisor >= 10 { divisor *= 10 }
    while divisor > 0 {
      out.writeInteger(UInt8(0x30 + number / divisor % 10))
      divisor /= 10
    }
  }
}
