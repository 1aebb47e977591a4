extension OTLPBatch {
  typealias Broken = ProtobufReader.Broken

  /// An `ExportLogsServiceRequest` or `ExportTraceServiceRequest`.
  init(protobuf: [UInt8], _ signal: OTLPSignal) throws(Broken) {
    var reader = ProtobufReader(protobuf[...])
    while let (number, field) = try reader.next() {
      guard number == 1, case .bytes(let bytes) = field else { continue }
      groups.append(try Group(bytes, signal))
    }
  }
}

/// What an OTLP request carries.
package enum OTLPSignal: Sendable { case logs, traces }

extension OTLPBatch.Group {
  /// `ResourceLogs` or `ResourceSpans`: their fields have the same numbers.
  fileprivate init(_ bytes: ArraySlice<UInt8>, _ signal: OTLPSignal) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    while let (number, field) = try reader.next() {
      guard case .bytes(let part) = field else { continue }
      switch number {
      case 1: try readResource(part)
      case 2: try readScope(part, signal)
      default: continue
      }
    }
  }

  private mutating func readResource(_ bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    while let (number, field) = try reader.next() {
      if number == 1, case .bytes(let part) = field { try resource.read(part) }
    }
  }

  private mutating func readScope(_ bytes: ArraySlice<UInt8>, _ signal: OTLPSignal) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    while let (number, field) = try reader.next() {
      guard number == 2, case .bytes(let part) = field else { continue }
      switch signal {
      case .logs: logs.append(try OTLPBatch.Event(log: part))
      case .traces: spans.append(try OTLPBatch.Span(part))
      }
    }
  }
}

extension OTLPBatch.Event {
  /// A `LogRecord`.
  fileprivate init(log bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    var observed: UInt64 = 0
    while let (number, field) = try reader.next() {
      switch (number, field) {
      case (1, .fixed64(let time)): nanoseconds = time
      case (6, .bytes(let part)): try attributes.read(part)
      case (9, .bytes(let part)): trace = Array(part)
      case (11, .fixed64(let time)): observed = time
      case (12, .bytes(let part)): name = String(decoding: part, as: UTF8.self)
      default: continue
      }
    }
    if nanoseconds == 0 { nanoseconds = observed }
  }

  /// A `Span.Event`.
  fileprivate init(span bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    while let (number, field) = try reader.next() {
      switch (number, field) {
      case (1, .fixed64(let time)): nanoseconds = time
      case (2, .bytes(let part)): name = String(decoding: part, as: UTF8.self)
      case (3, .bytes(let part)): try attributes.read(part)
      default: continue
      }
    }
  }
}

extension OTLPBatch.Span {
  fileprivate init(_ bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    while let (number, field) = try reader.next() {
      switch (number, field) {
      case (1, .bytes(let part)): trace = Array(part)
      case (4, .bytes(let part)): hasParent = !part.isEmpty
      case (6, .varint(let number)): kind = Int(truncatingIfNeeded: number)
      case (7, .fixed64(let time)): began = time
      case (8, .fixed64(let time)): ended = time
      case (9, .bytes(let part)): try attributes.read(part)
      case (11, .bytes(let part)): events.append(try OTLPBatch.Event(span: part))
      case (15, .bytes(let part)): try readStatus(part)
      default: continue
      }
    }
  }

  private mutating func readStatus(_ bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    while let (number, field) = try reader.next() {
      if number == 3, case .varint(let code) = field { status = Int(truncatingIfNeeded: code) }
    }
  }
}

extension OTLPBatch.Attributes {
  /// A `KeyValue`; lists and maps say nothing here.
  fileprivate mutating func read(_ bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    var name = ""
    var value: OTLPBatch.Value?
    while let (number, field) = try reader.next() {
      guard case .bytes(let part) = field else { continue }
      switch number {
      case 1: name = String(decoding: part, as: UTF8.self)
      case 2: value = try OTLPBatch.Value(part)
      default: continue
      }
    }
    if let value { add(name, value) }
  }
}

extension OTLPBatch.Value {
  /// An `AnyValue`.
  fileprivate init?(_ bytes: ArraySlice<UInt8>) throws(OTLPBatch.Broken) {
    var reader = ProtobufReader(bytes)
    var value: OTLPBatch.Value?
    while let (number, field) = try reader.next() {
      switch (number, field) {
      case (1, .bytes(let part)): value = .text(String(decoding: part, as: UTF8.self))
      case (2, .varint(let bit)): value = .bool(bit != 0)
      case (3, .varint(let number)): value = .number(Int64(bitPattern: number))
      case (4, .fixed64(let bits)): value = .real(Double(bitPattern: bits))
      default: continue
      }
    }
    guard let value else { return nil }
    self = value
  }
}
