import API
import Foundation
import Kernel
import Testing

@testable import plimsoll

/// Half of all requests must be good in 30 days: more than half bad is a spent budget, and no pace ever pages.
private let objectives = """
  apiVersion: openslo/v1
  kind: SLO
  metadata: { name: orders, displayName: Orders are taken }
  spec:
    service: harbor
    indicator:
      spec:
        ratioMetric:
          counter: true
          bad: { metricSource: { type: Prometheus, spec: { query: 'sum(http_requests_total{code="500"})' } } }
          total: { metricSource: { type: Prometheus, spec: { query: sum(http_requests_total) } } }
    timeWindow: [{ duration: 30d, isRolling: true }]
    objectives: [{ target: 0.5 }]
  """

/// A process of the test's own, ended with it.
private final class Owned {
  let process = Process()
  let output = Pipe()
  init(_ arguments: [String], in folder: URL, isRead: Bool = false) throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.standardOutput = isRead ? output : FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
  }
  func end() {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
  deinit { end() }
}

@Suite("Error budgets, end to end", .serialized) struct BudgetTests {
  /// What a query gives now; nil for nothing.
  private func value(_ query: String, at port: Int) -> Double? {
    let plain = CharacterSet.alphanumerics
    guard let asked = query.addingPercentEncoding(withAllowedCharacters: plain),
      let answer = ask(port, "/api/v1/query?query=\(asked)"), answer.status == 200,
      let json = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any],
      let result = (json["data"] as? [String: Any])?["result"] as? [[String: Any]],
      let text = (result.first?["value"] as? [Any])?.last as? String
    else { return nil }
    return Double(text)
  }

  @Test("a spent budget of a real Prometheus holds the place through restarts and lost evidence, until it recovers")
  func spent() async throws {
    try await withSmallHarbor { harbor in
      let page = try Owned(["python3", "-c", shop], in: harbor.folder, isRead: true)
      let line = String(decoding: page.output.fileHandleForReading.availableData, as: UTF8.self)
      let pagePort = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines)))
      _ = ask(pagePort, "/now?v1=100,1")
      let port = try #require(freePort())
      let settings = """
        global: { scrape_interval: 1s, scrape_timeout: 1s }
        scrape_configs:
          - job_name: shop
            static_configs: [{ targets: ['127.0.0.1:\(pagePort)'] }]
        """
      try settings.write(to: harbor.folder.appending(path: "prom.yml"), atomically: true, encoding: .utf8)
      let command = [
        "prometheus", "--config.file=prom.yml", "--storage.tsdb.path=prom", "--web.listen-address=127.0.0.1:\(port)",
      ]
      let first = try Owned(command, in: harbor.folder)
      let share = #"sum(increase(http_requests_total{code="500"}[5m])) / sum(increase(http_requests_total[5m]))"#
      _ = try await wait("Prometheus to know of the errors") { value(share, at: port).flatMap { $0 > 0.9 ? $0 : nil } }

      try objectives.write(to: harbor.folder.appending(path: "slo.yaml"), atomically: true, encoding: .utf8)
      let file = harbor.folder.appending(path: "plimsoll.yaml")
      let text = try String(contentsOf: file, encoding: .utf8)
        .replacingOccurrences(of: "slo: { p99: 250ms }", with: "slo: { p99: 250ms, open-slo: slo.yaml }")
      try (text + "\nprometheus: { url: 'http://127.0.0.1:\(port)' }\n")
        .write(to: file, atomically: true, encoding: .utf8)
      let checked = try harbor.runHere("check")
      #expect(checked.code == 0, "\(checked.errors)")
      #expect(checked.output.contains("slo.yaml, 'orders': 50% over 30d, taken as slo.availability 50%."))

      try await harbor.start()
      let frozen = try await wait("the budget to freeze the place") {
        try harbor.production().flatMap { $0.freeze == nil ? nil : $0 }
      }
      #expect(frozen.freeze?.actor == "error budget" && frozen.budgets.first?.gate == "spent")
      _ = try await wait("the first version to wait") {
        try harbor.production().flatMap { $0.sentence.contains("waits, because this place is frozen") ? $0 : nil }
      }
      let shown = try harbor.run("rollout", "harbor", "production")
      #expect(shown.output.contains("it is overspent by"), "\(shown.output)")

      // Neither a restart nor losing Prometheus opens it, and both are told apart.
      harbor.killServer()
      first.end()
      try await harbor.start()
      let unknown = try await wait("what is missing to be shown") {
        try harbor.production().flatMap { $0.budgets.first?.inconclusive == nil ? nil : $0 }
      }
      #expect(unknown.freeze == frozen.freeze && unknown.budgets.first?.gate == "spent")
      #expect(unknown.budgets.first?.inconclusive?.source == "Prometheus")
      let told = try harbor.run("rollout", "harbor", "production")
      #expect(told.output.contains("nothing is known of the error budget of orders since"), "\(told.output)")

      harbor.killServer()
      _ = ask(pagePort, "/now?v1=100000,0")
      let second = try Owned(command, in: harbor.folder)
      defer { second.end() }
      _ = try await wait("Prometheus to know that it is well") {
        value(share, at: port).flatMap { $0 < 0.2 ? $0 : nil }
      }
      try await harbor.start()
      try await harbor.firstVersionServes()
      #expect(try harbor.production()?.freeze == nil)
      let verified = try harbor.run("ledger", "verify")
      #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
    }
  }
}

extension SmallHarbor {
  /// A command that takes no data folder.
  fileprivate func runHere(_ arguments: String...) throws -> Binary.Ended { try Binary.run(arguments, in: folder) }
}
