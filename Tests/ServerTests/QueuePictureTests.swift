import API
import Foundation
import Kernel
import Testing

@testable import Server

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct QueuePictureTests {
  private static let now = Instant(milliseconds: 600_000)

  private func entry(_ number: Int, lanes: [String] = []) -> EntryView {
    EntryView(
      entry: number, branch: "b\(number)", head: "", author: "ada", title: "t", place: number, priority: "normal",
      lanes: lanes, unit: [], activity: "testing", submittedAtMs: 0, sinceMs: 0, reason: "", waits: [], forecast: nil,
      stall: nil)
  }

  private func build(
    _ members: [Int], without: [Int] = [], state: String = "running", purpose: String = "speculation",
    log: String? = nil, sentence: String = "It stands on main."
  ) -> QueueBuildView {
    QueueBuildView(
      build: members.last ?? 0, members: members, without: without, purpose: purpose, state: state, sinceMs: 420_000,
      log: log, sentence: sentence)
  }

  private func queue(_ entries: [EntryView], _ builds: [QueueBuildView], trunk: String = "main") -> QueueView {
    QueueView(
      repository: "harbor", trunk: trunk, head: nil, headline: "", slots: 2, mode: "auto", hold: nil,
      entries: entries, builds: builds, finished: [], troubles: [])
  }

  private func drawn(_ entries: [EntryView], _ builds: [QueueBuildView], trunk: String = "main") -> QueuePicture {
    QueuePicture(queue(entries, builds, trunk: trunk), now: Self.now)
  }

  private func count(_ what: String, in picture: QueuePicture) -> Int {
    picture.fragment.components(separatedBy: what).count - 1
  }

  @Test func dotsForMembersAndRingsForWhatIsLeftOut() {
    func check(
      _ builds: [QueueBuildView], dots: Int, rings: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let picture = drawn((1...4).map { entry($0) }, builds)
      #expect(count("class=\"dot ", in: picture) == dots, sourceLocation: sourceLocation)
      #expect(count("class=\"ring\"", in: picture) == rings, sourceLocation: sourceLocation)
      #expect(picture.hasRows == !builds.isEmpty, sourceLocation: sourceLocation)
    }
    check([], dots: 0, rings: 0)
    check([build([1]), build([1, 2])], dots: 3, rings: 0)
    check([build([1, 3, 4], without: [2])], dots: 3, rings: 1)
    check([build([2], without: [1])], dots: 1, rings: 1)
    // What left the line has no column.
    check([build([9, 4], without: [8])], dots: 1, rings: 0)
  }

  @Test func everyStateHasItsSymbolAndWord() {
    func check(
      _ state: String, _ purpose: String, _ words: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let fragment = drawn([entry(1)], [build([1], state: state, purpose: purpose)]).fragment
      #expect(fragment.contains(">\(words)</text>"), "\(fragment)", sourceLocation: sourceLocation)
    }
    check("running", "head", "● testing 3 min")
    check("running", "retry", "● again, testing 3 min")
    check("running", "search", "● culprit search, testing 3 min")
    check("waiting", "hotfix", "○ hotfix, waits for a slot")
    check("merging", "head", "◌ merging")
    check("passed", "head", "✓ passed")
    check("failed", "head", "✕ failed")
    check("conflicted", "head", "✕ does not merge")
  }

  @Test func noMoreThanTwelveColumns() {
    let picture = drawn((1...30).map { entry($0) }, [build(Array(1...30)), build([29, 30])])
    #expect(count("class=\"dot ", in: picture) == 12)
    #expect(picture.fragment.contains(">#12<") && !picture.fragment.contains(">#13<"))
    #expect(count("<g>", in: picture) == 1)
  }

  @Test func aLongLineSaysHowManyMoreWait() {
    let long = queue((1...130).map { entry($0) }, [])
    let page = QueuePage(long, waits: nil, now: Self.now)
    #expect(page.beyondPicture == "118 more wait behind these.")
    #expect(page.entries.count == 100 && page.beyondRows?.hasPrefix("30 more: ") == true)
    let first = OverviewPage(Overview(services: [], queues: [long], promotions: [], troubles: []), now: Self.now)
    #expect(first.queues[0].entries.count == 20 && first.queues[0].beyond == "110 more wait")
    let short = QueuePage(queue([entry(1)], []), waits: nil, now: Self.now)
    #expect(short.beyondPicture == nil && short.beyondRows == nil)
  }

  @Test func namesAreNeverMarkup() throws {
    let lanes = ["<b>&\"quay\""]
    let picture = drawn(
      [entry(1, lanes: lanes), entry(2, lanes: lanes), entry(3, lanes: ["lock", "pier"])],
      [build([1, 2], log: "sha256:00\"", sentence: "It <holds> & \"tests\".")], trunk: "<m>\"&")
    let fragment = picture.fragment
    for hostile in ["<b>", "<holds>", "<m>"] { #expect(!fragment.contains(hostile), "\(hostile)") }
    // Neighbours of one lane share a band.
    #expect(count("class=\"band\"", in: picture) == 2)
    #expect(fragment.contains("lock +1"))
    let document = try XMLDocument(xmlString: fragment)
    #expect(document.rootElement()?.name == "svg")
    #expect(document.rootElement()?.attribute(forName: "aria-label")?.stringValue?.contains("<holds>") ?? false)
  }

  @Test func aWaitBarSumsToTheWhole() {
    let bar = WaitBar([
      WaitView(cause: "runningCI", words: "running CI", ms: 90_000),
      WaitView(cause: "waitingForSlot", words: "waiting for a slot", ms: 30_000),
    ])
    #expect(bar.parts.map(\.start) == [0, 750])
    #expect(bar.parts.map(\.width) == [750, 250])
    #expect(bar.words.hasPrefix("2 min in all: ") && bar.words.hasSuffix("30 s waiting for a slot"), "\(bar.words)")
    #expect(!WaitBar([]).hasParts)
  }
}
