import ArgumentParser
import Flags
import Foundation
import Kernel

struct FlagEvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Evaluate flags of a file, and say why.",
    discussion: """
      'plimsoll flag evaluate new-checkout --definitions flags.json --targeting-key user-1 --attribute country=SE'
      evaluates one flag; without a key all are evaluated.
      Exit 0 when each has its answer, 2 when the definitions or the context are malformed or a flag is unknown, 3 when \
      a flag could not be evaluated.
      """)

  @Argument(help: "Flags to evaluate; all when left out.")
  var keys: [String] = []
  @Option(name: .long, help: "Flag definitions.", completion: .file(extensions: ["json"]))
  var definitions: String
  @Option(name: .long, help: "The context: a JSON object.")
  var context: String?
  @Option(name: .long, help: "The subject: a user, a session, a machine.")
  var targetingKey: String?
  @Option(
    name: .long, parsing: .singleValue,
    help: ArgumentHelp(
      "An attribute; the value is read as JSON where it is JSON, else as text. May be repeated.",
      valueName: "name=value"))
  var attribute: [String] = []
  @Option(name: .long, help: "Evaluate as of then: 2027-01-31, 2027-01-31T12:00:00Z or seconds since 1970; else now.")
  var at: String?
  @ArgumentParser.Flag(name: .long, help: "Print JSON instead of words.")
  var json = false

  private struct Answer: Encodable {
    let key: String
    /// Nil for the caller's default.
    let value: EncodedView?
    let variant: String?
    let reason: String
    let errorCode: String?
    let why: [String]
  }

  func run() throws {
    let file = try DefinitionsFile(definitions)
    let flags = try file.flagSet()
    let context = try readContext()
    let now = try instant()
    let explanation = FlagExplanation(of: flags, text: try file.text(), context: context, now: now)
    let answers = try chosenKeys(of: flags).map { key in
      let evaluation = flags.evaluate(key, for: context, at: now)
      return Answer(
        key: key, value: flags.flagValue(of: evaluation).map(EncodedView.init),
        variant: flags.variant(of: evaluation), reason: evaluation.reason.text, errorCode: evaluation.error?.text,
        why: explanation.sentences(of: evaluation, key: key))
    }
    if json {
      try printJSON(answers)
    } else {
      for answer in answers { show(answer) }
    }
    if answers.contains(where: { $0.errorCode != nil }) { throw ExitCode(3) }
  }

  private func show(_ answer: Answer) {
    let terminal = Terminal.standard
    let words: String
    if let code = answer.errorCode {
      words = terminal.paint("\(answer.key): \(code), so the caller's own default counts", .bad)
    } else if let value = answer.value {
      words =
        "\(terminal.paint(answer.key, .strong)) = \(value.json)"
        + terminal.paint("  \(answer.reason), variant \(answer.variant ?? "")", .quiet)
    } else {
      words =
        "\(terminal.paint(answer.key, .strong)) = the caller's default"
        + terminal.paint("  \(answer.reason)", .quiet)
    }
    terminal.line(words)
    for sentence in answer.why { terminal.line("  \(sentence)") }
  }

  private func chosenKeys(of flags: FlagSet) throws(Refusal) -> [String] {
    for key in keys where flags.position(of: key) == nil {
      let near = nearestMatch(to: key, among: flags.flagKeys.sorted()).map { " Did you mean '\($0)'?" } ?? ""
      throw Refusal(.unknown, "There is no flag '\(key)' in \(definitions).\(near)")
    }
    return keys.isEmpty ? flags.flagKeys : keys
  }

  // MARK: Context

  /// `--context`, with the attributes over it, and the targeting key over both.
  private func readContext() throws -> EvaluationContext {
    var members: [String] = []
    do {
      if let context {
        let given = try EvaluationContext(json: context)
        members += withExtendedLifetime(given) {
          given.attributes.members.map { "\(JSONWriter.text(of: $0.name)):\(JSONWriter.text(of: $0.value))" }
        }
      }
      for given in attribute {
        guard let equals = given.firstIndex(of: "="), equals > given.startIndex else {
          throw Refusal(.malformed, "--attribute wants NAME=VALUE, not '\(given)'.")
        }
        let value = String(given[given.index(after: equals)...])
        members.append("\(Self.quoted(String(given[..<equals]))):\(Self.isJSON(value) ? value : Self.quoted(value))")
      }
      if let targetingKey { members.append("\"targetingKey\":\(Self.quoted(targetingKey))") }
      return try EvaluationContext(json: "{\(members.joined(separator: ","))}")
    } catch let refusal as FlagRefusal {
      throw refusal.refusal
    }
  }

  private static func isJSON(_ text: String) -> Bool {
    (try? JSONReader.tape(of: text, subject: "the attribute", limit: EvaluationContext.sizeLimit)) != nil
  }

  private static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    Array(text.utf8).withUnsafeBytes { JSONWriter.write($0, to: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func instant() throws(Refusal) -> Int64 {
    guard let at else { return Int64(Date().timeIntervalSince1970) }
    if let seconds = Int64(at) { return seconds }
    if let instant = Instant(at) { return instant.seconds }
    throw Refusal(
      .malformed, "--at is '\(at)', which is no moment; write 2027-01-31, 2027-01-31T12:00:00Z or seconds since 1970.")
  }
}

/// A JSON value of a flag within a command's answer.
struct EncodedView: Encodable {
  let view: JSONView
  /// Keeps alive what the view lies in.
  private let owner: FlagValue

  init(_ value: FlagValue) { self.init(view: value.view, of: value) }

  private init(view: JSONView, of owner: FlagValue) {
    self.view = view
    self.owner = owner
  }

  var json: String { JSONWriter.text(of: view) }

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    switch view.kind {
    case .object:
      var container = encoder.container(keyedBy: Name.self)
      for (name, value) in view.members {
        try container.encode(EncodedView(view: value, of: owner), forKey: Name(stringValue: name.string ?? ""))
      }
    case .array:
      var container = encoder.unkeyedContainer()
      for element in view.elements { try container.encode(EncodedView(view: element, of: owner)) }
    case .null, .operation:
      var container = encoder.singleValueContainer()
      try container.encodeNil()
    case .boolean: try view.isTrue.encode(to: encoder)
    case .integer: try view.asInteger.encode(to: encoder)
    case .double: try view.asDouble.encode(to: encoder)
    case .text: try (view.string ?? "").encode(to: encoder)
    }
  }
}
