import Kernel
import Ramps

/// The ports that effects are carried out through.
package struct Ports: Sendable {
  package let forge: any Forge
  package let runner: any Runner
  package let artifacts: any ArtifactStore
  package let platform: any Platform
  package let router: any Router
  package let telemetry: any Telemetry
  package let observed: any ObservedTelemetry
  package let announcer: any Announcer
  package let blobs: any BlobStore
  package let sealer: any Sealer
  package let catalog: any Catalog
  package let queries: any QuerySource
  package let history: any HistorySource
  package let schemas: any SchemaServer
  package let audience: any FlagAudience
  package let ramps: any RampEvidence
  package let folders: any FlagFolders
  package init(
    forge: any Forge, runner: any Runner, artifacts: any ArtifactStore, platform: any Platform, router: any Router,
    telemetry: any Telemetry, observed: any ObservedTelemetry = NothingObserved(), announcer: any Announcer,
    blobs: any BlobStore, sealer: any Sealer, catalog: any Catalog, queries: any QuerySource,
    history: any HistorySource = NoHistorySource(), schemas: any SchemaServer = NoSchemaServer(),
    audience: any FlagAudience = NoFlagAudience(), ramps: any RampEvidence = NoRampEvidence(),
    folders: any FlagFolders = NoFlagFolders()
  ) {
    self.forge = forge
    self.runner = runner
    self.artifacts = artifacts
    self.platform = platform
    self.router = router
    self.telemetry = telemetry
    self.observed = observed
    self.announcer = announcer
    self.blobs = blobs
    self.sealer = sealer
    self.catalog = catalog
    self.queries = queries
    self.history = history
    self.schemas = schemas
    self.audience = audience
    self.ramps = ramps
    self.folders = folders
  }
}
