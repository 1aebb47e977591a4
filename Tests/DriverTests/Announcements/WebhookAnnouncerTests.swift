import Foundation
import Kernel
import Synchronization
import Testing

@testable import Drivers

@Suite("Announcements") struct WebhookAnnouncerTests {
  /// A receiver that keeps what comes and answers by script; the last answer stays.
  private final class Receiver: HTTPTransport {
    private let state: Mutex<(answers: [Int], posts: [(headers: [String], body: [UInt8])])>
    init(answering answers: [Int]) { state = Mutex((answers, [])) }

    func post(_ url: String, headers: [(name: String, value: String)], body: [UInt8], timeLimit: Span)
      async throws(Outage) -> (status: Int, body: [UInt8])
    {
      state.withLock { state in
        state.posts.append((headers.map { "\($0.name): \($0.value)" }, body))
        let status = state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        return (status, Array((status == 400 ? "invalid_blocks" : "ok").utf8))
      }
    }
    var posts: [(headers: [String], body: [UInt8])] { state.withLock { $0.posts } }
  }

  private static func announcement() throws -> Announcement {
    Announcement(
      id: "harbor/production/2/rolled-back", kind: "rolled-back",
      service: try #require(ServiceName(rawValue: "harbor")),
      environment: try #require(EnvironmentName(rawValue: "production")),
      headline: "harbor in production was rolled back", reason: "41 of 812 requests failed & <3 % were expected.",
      facts: [Announcement.Fact("cause", "logic"), Announcement.Fact("requests hurt", "47")],
      path: "/rollouts/harbor/production/2", at: Instant(milliseconds: 1_700_000_003_600))
  }

  private static let drawn = DrawnEvidence(
    svg: Array("<svg viewBox=\"0 0 76 40\" xmlns=\"http://www.w3.org/2000/svg\"/>".utf8),
    trend: ["new ▁▁▂▇█▁", "old ▁▁▁▁▁▁"], scale: "Bad responses a second; █ is 8 a second.")

  private func announce(
    _ format: WebhookTarget.Format, from address: String, drawn: DrawnEvidence? = Self.drawn,
    _ rasteriser: SVGRasteriser = SVGRasteriser(), answering answers: [Int] = [200]
  ) async throws -> [(headers: [String], body: [UInt8])] {
    let receiver = Receiver(answering: answers)
    let announcer = WebhookAnnouncer(
      transport: receiver, address: address, rasteriser: rasteriser, drawn: { _ in drawn },
      target: { _ in WebhookTarget(format: format, url: "http://127.0.0.1:1/secret") })
    try await announcer.announce(Self.announcement(), to: 0)
    return receiver.posts
  }

  private func check(
    _ body: [UInt8]?, _ golden: String, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let value = try JSONSerialization.jsonObject(with: Data(try #require(body, sourceLocation: location)))
    let pretty = try JSONSerialization.data(
      withJSONObject: value, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    #expect(String(decoding: pretty, as: UTF8.self) == golden, sourceLocation: location)
  }

  @Test("JSON carries the picture and its link") func json() async throws {
    let posts = try await announce(.json, from: "http://127.0.0.1:7878")
    #expect(
      posts.map(\.headers) == [["content-type: application/json", "idempotency-key: harbor/production/2/rolled-back"]])
    try check(
      posts.first?.body,
      """
      {
        "atMs" : 1700000003600,
        "environment" : "production",
        "facts" : [
          {
            "label" : "cause",
            "value" : "logic"
          },
          {
            "label" : "requests hurt",
            "value" : "47"
          }
        ],
        "headline" : "harbor in production was rolled back",
        "id" : "harbor/production/2/rolled-back",
        "kind" : "rolled-back",
        "link" : "http://127.0.0.1:7878/rollouts/harbor/production/2",
        "picture" : {
          "base64" : "PHN2ZyB2aWV3Qm94PSIwIDAgNzYgNDAiIHhtbG5zPSJodHRwOi8vd3d3LnczLm9yZy8yMDAwL3N2ZyIvPg==",
          "link" : "http://127.0.0.1:7878/rollouts/harbor/production/2.svg",
          "mediaType" : "image/svg+xml"
        },
        "reason" : "41 of 812 requests failed & <3 % were expected.",
        "service" : "harbor"
      }
      """)
  }

  @Test("a picture too large for a message is a link alone, and so is none") func jsonWithoutPicture() async throws {
    func hasPicture(_ bytes: Int?) async throws -> Bool {
      let drawn = bytes.map {
        DrawnEvidence(svg: [UInt8](repeating: 0x20, count: $0), trend: ["new ▁"], scale: "None.")
      }
      let body = try #require(try await announce(.json, from: "http://127.0.0.1:7878", drawn: drawn).first?.body)
      #expect(body.count < 100_000)
      let object = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
      let picture = try #require(object?["picture"] as? [String: String])
      #expect(picture["link"] == "http://127.0.0.1:7878/rollouts/harbor/production/2.svg")
      return picture["base64"] != nil
    }
    #expect(try await hasPicture(JSONMessage.inlineLimit))
    #expect(try await !hasPicture(JSONMessage.inlineLimit + 1))
    #expect(try await !hasPicture(nil))
  }

  private static let slack = """
    {
      "blocks" : [
        {
          "text" : {
            "text" : "harbor in production was rolled back",
            "type" : "plain_text"
          },
          "type" : "header"
        },
        {
          "text" : {
            "text" : "41 of 812 requests failed &amp; &lt;3 % were expected.",
            "type" : "mrkdwn"
          },
          "type" : "section"
        },
        {
          "text" : {
            "text" : "```new ▁▁▂▇█▁\\nold ▁▁▁▁▁▁```\\nBad responses a second; █ is 8 a second.",
            "type" : "mrkdwn"
          },
          "type" : "section"
        },{image}
        {
          "fields" : [
            {
              "text" : "*cause*\\nlogic",
              "type" : "mrkdwn"
            },
            {
              "text" : "*requests hurt*\\n47",
              "type" : "mrkdwn"
            }
          ],
          "type" : "section"
        },
        {
          "elements" : [
            {
              "text" : "<{link}|the evidence> · <{link}.svg|the picture> · harbor/production/2/rolled-back",
              "type" : "mrkdwn"
            }
          ],
          "type" : "context"
        }
      ],
      "text" : "harbor in production was rolled back: 41 of 812 requests failed &amp; &lt;3 % were expected."
    }
    """
  private static let image = """

        {
          "alt_text" : "The evidence as a picture. Bad responses a second; █ is 8 a second.",
          "image_url" : "https://plimsoll.example.org/v1/rollouts/harbor/production/2/evidence.png",
          "type" : "image"
        },
    """
  private static func slack(from address: String, image: String) -> String {
    slack.replacing("{link}", with: "\(address)/rollouts/harbor/production/2").replacing("{image}", with: image)
  }

  @Test("Slack gets the bars, and the picture from an address that others reach") func slackMessages() async throws {
    let seen = "https://plimsoll.example.org"
    try check(try await announce(.slack, from: seen).first?.body, Self.slack(from: seen, image: Self.image))
    let hidden = "http://127.0.0.1:7878"
    try check(try await announce(.slack, from: hidden).first?.body, Self.slack(from: hidden, image: ""))
  }

  @Test("a picture that cannot be drawn is not offered") func noProgram() async throws {
    let rasteriser = SVGRasteriser(searchPath: "/nowhere")
    let seen = "https://plimsoll.example.org"
    let posts = try await announce(.slack, from: seen, rasteriser)
    #expect(posts.count == 1)
    try check(posts.first?.body, Self.slack(from: seen, image: ""))
  }

  @Test("a picture that Slack cannot fetch does not cost the message") func unreachablePicture() async throws {
    let seen = "https://plimsoll.example.org"
    let posts = try await announce(.slack, from: seen, answering: [400, 200])
    #expect(posts.count == 2)
    try check(posts.first?.body, Self.slack(from: seen, image: Self.image))
    try check(posts.last?.body, Self.slack(from: seen, image: ""))
  }

  @Test("a receiver that refuses is an outage that keeps the address to itself") func refused() async throws {
    for (format, answers, said) in [
      (WebhookTarget.Format.slack, [400, 400], "answered 400: invalid_blocks"), (.slack, [500], "answered 500"),
      (.json, [404], "answered 404"),
    ] {
      let outage = await #expect(throws: Outage.self) {
        _ = try await announce(format, from: "https://plimsoll.example.org", answering: answers)
      }
      #expect(outage?.sentence.contains(said) == true, "\(answers)")
      #expect(outage?.sentence.contains("secret") == false)
    }
  }

  @Test("evidence that cannot be read does not cost the message") func noEvidence() async throws {
    let receiver = Receiver(answering: [200])
    let announcer = WebhookAnnouncer(
      transport: receiver, address: "https://plimsoll.example.org", rasteriser: SVGRasteriser(),
      drawn: { _ throws(Outage) in throw Outage("ledger", "cannot be read") },
      target: { _ in WebhookTarget(format: .slack, url: "http://127.0.0.1:1") })
    try await announcer.announce(Self.announcement(), to: 0)
    #expect(receiver.posts.count == 1)
  }

  @Test("which addresses only this machine reaches") func addresses() {
    for hidden in [
      "http://127.0.0.1:7878", "http://127.9.9.9", "https://localhost", "http://Plimsoll.Localhost:80/x",
      "http://[::1]:7878", "http://0.0.0.0:7878", "http://localhost.", "ftp://plimsoll.example.org", "http://", "",
    ] {
      #expect(WebhookAnnouncer.isOfThisMachine(hidden), "\(hidden)")
    }
    for seen in [
      "https://plimsoll.example.org", "http://10.0.0.7:7878", "http://[2001:db8::1]:7878", "http://127.example.org",
      "https://localhost.example.org/plimsoll",
    ] {
      #expect(!WebhookAnnouncer.isOfThisMachine(seen), "\(seen)")
    }
  }
}
