import Kernel

/// What one supervision knows of its release folder.
struct ReleaseWatch: Sendable {
  let folder: ReleaseFolder
  /// The artifact's own paths; nil until they are known.
  var own: [String]?
  /// Of the folder as it was last measured to be right; nil when it could not be put right.
  var fingerprint: Int?
  var nextLook: ContinuousClock.Instant
  var nextMeasure: ContinuousClock.Instant
  /// Why nothing is started from it; nil when it is right.
  var fault: String?
}

extension LocalPlatform {
  /// How often a folder that is run from is compared with what it was, by the files' times and sizes.
  static let usualReleaseLook = Duration.seconds(5)
  /// How often it is hashed whole, which finds what leaves no trace there. A quarter of a gigabyte costs about a second.
  static let releaseMeasure = Duration.seconds(600)

  func release(of deployment: Deployment) -> ReleaseFolder {
    ReleaseFolder(path: releaseFolder(deployment.id), digest: deployment.digest, artifacts: artifacts)
  }

  /// Unpacks when there is nothing, measures when there is something: a folder is never trusted for being there.
  /// - Returns: also what to report when it was changed by someone else; nil when a later call took over.
  /// - Throws: `Outage` when there is no folder and none can be made.
  func watchRelease(of deployment: Deployment, _ generation: Int) async throws(Outage)
    -> (ReleaseWatch, PlatformReport?)?
  {
    try await turnstile(deployment.id).pass { () async throws(Outage) in
      guard await self.isCurrent(deployment.id, generation) else { return nil }
      return try await self.takeUp(deployment)
    }
  }

  /// Looks whether the folder is still what was measured, and puts it right when it is not.
  /// - Returns: what to report, once for each change.
  func look(at watch: ReleaseWatch, _ deployment: DeploymentID, _ generation: Int) async
    -> (ReleaseWatch, PlatformReport?)
  {
    await turnstile(deployment).pass {
      // Waiting may have taken until the folder was retired: it must not come back.
      guard await self.isCurrent(deployment, generation) else { return (watch, nil) }
      return await self.lookAlone(at: watch)
    }
  }

  private func takeUp(_ deployment: Deployment) async throws(Outage) -> (ReleaseWatch, PlatformReport?) {
    var watch = ReleaseWatch(
      folder: release(of: deployment), nextLook: .now + releaseLook, nextMeasure: .now + Self.releaseMeasure)
    let finding = await watch.folder.measure(own: nil)
    if case .absent = finding {
      await settle(&watch, own: try await watch.folder.unpack())
      return (watch, nil)
    }
    let report = await settle(&watch, finding)
    return (watch, report)
  }

  private func lookAlone(at watch: ReleaseWatch) async -> (ReleaseWatch, PlatformReport?) {
    var watch = watch
    watch.nextLook = .now + releaseLook
    // A fault is looked at again by measuring: the store, or a person, may have put it right.
    if watch.fault == nil, .now < watch.nextMeasure, let own = watch.own, let before = watch.fingerprint,
      await watch.folder.fingerprint(of: own) == before
    {
      return (watch, nil)
    }
    watch.nextMeasure = .now + Self.releaseMeasure
    let report = await settle(&watch, await watch.folder.measure(own: watch.own))
    return (watch, report)
  }

  private func settle(_ watch: inout ReleaseWatch, _ finding: ReleaseFolder.Finding) async -> PlatformReport? {
    switch finding {
    case .intact(let own):
      await settle(&watch, own: own)
      return nil
    case .absent: return await putRight(&watch, found: nil)
    case .changed(let found): return await putRight(&watch, found: found)
    case .unknown(let outage):
      return fail(
        &watch, found: nil,
        "the release folder \(watch.folder.path) does not hold the artifact alone, and whether the artifact's files were "
          + "changed cannot be told: \(outage.sentence)")
    }
  }

  /// It is right.
  private func settle(_ watch: inout ReleaseWatch, own: [String]) async {
    watch.own = own
    watch.fault = nil
    watch.fingerprint = await watch.folder.fingerprint(of: own)
  }

  private func putRight(_ watch: inout ReleaseWatch, found: Digest?) async -> PlatformReport? {
    let name = "the release folder \(watch.folder.path)"
    do throws(Outage) {
      let repair = try await watch.folder.restore()
      await settle(&watch, own: repair.own)
      guard let words = repair.words else { return nil }
      let aside = repair.aside.map { ", and what was in the way is in \($0)" } ?? ""
      return .altered(
        digest: found,
        sentence: """
          someone else changed \(name): \(words). It was put right from the store\(aside); instances that ran meanwhile \
          may have read it
          """)
    } catch {
      return fail(&watch, found: found, "\(name) was changed and cannot be put right: \(error.sentence)")
    }
  }

  /// - Returns: what to report, once for each fault.
  private func fail(_ watch: inout ReleaseWatch, found: Digest?, _ fault: String) -> PlatformReport? {
    let before = watch.fault
    watch.fault = fault
    watch.fingerprint = nil
    guard before != fault else { return nil }
    return .altered(digest: found, sentence: "\(fault). Instances that run go on; none is started from it")
  }
}
