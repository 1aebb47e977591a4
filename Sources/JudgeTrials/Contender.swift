/// Who judges a deploy.
package enum Contender: String, CaseIterable, Codable, Sendable {
  case plimsoll, articleRule, argoDocumented, argoFastest, flaggerDocumented, flaggerFastest, kayenta

  /// Milliseconds from the deploy's begin until it is rolled back; nil when it never is.
  package func rolledBackMs(_ deploy: Deploy) -> Int? {
    switch self {
    case .plimsoll: return JudgedDeploy.conviction(deploy, usage: DeployUsage(seed: deploy.seed))?.atMs
    case .articleRule:
      var rule = ArticleRule(baselineRate: JudgedDeploy.baseline(deploy).errorRate)
      return firstSecond(deploy) { rule.rollsBack(after: $0) }
    case .argoDocumented: return argo(deploy, .documented)
    case .argoFastest: return argo(deploy, .fastest)
    case .flaggerDocumented: return flagger(deploy, .documented)
    case .flaggerFastest: return flagger(deploy, .fastest)
    case .kayenta:
      let isBad = KayentaJudge.rollsBack(canary: seconds(deploy.canary), control: seconds(deploy.control))
      return isBad ? Deploy.watchSeconds * 1000 : nil
    }
  }

  private func argo(_ deploy: Deploy, _ settings: ArgoAnalysis.Settings) -> Int? {
    var analysis = ArgoAnalysis(settings)
    return firstSecond(deploy) { analysis.rollsBack(after: $0) }
  }

  private func flagger(_ deploy: Deploy, _ settings: FlaggerLoop.Settings) -> Int? {
    var loop = FlaggerLoop(settings)
    return firstSecond(deploy) { loop.rollsBack(after: $0) }
  }

  private func firstSecond(_ deploy: Deploy, _ rollsBack: (Deploy.Counts) -> Bool) -> Int? {
    seconds(deploy.canary).firstIndex(where: rollsBack).map { ($0 + 1) * 1000 }
  }

  private func seconds(_ slots: [Deploy.Counts]) -> [Deploy.Counts] {
    stride(from: 0, to: slots.count, by: Deploy.slotsASecond).map { from in
      var second = Deploy.Counts()
      for slot in slots[from..<from + Deploy.slotsASecond] { second.add(slot) }
      return second
    }
  }
}
