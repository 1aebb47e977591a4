import Kernel
import Mustache

/// The templates, compiled into the binary so that it works wherever it is copied.
enum TemplateLibrary {
  static func load() throws(Outage) -> MustacheLibrary {
    var library = MustacheLibrary()
    for (name, bytes) in sources {
      do {
        try library.register(String(decoding: bytes, as: UTF8.self), named: name)
      } catch {
        throw Outage("server", "cannot read its template \(name): a defect; please report it", sources: ["\(error)"])
      }
    }
    return library
  }

  private static var sources: [(String, [UInt8])] {
    [
      ("head", PackageResources.head_mustache), ("foot", PackageResources.foot_mustache),
      ("moment", PackageResources.moment_mustache), ("stages", PackageResources.stages_mustache),
      ("overview", PackageResources.overview_mustache), ("queue", PackageResources.queue_mustache),
      ("change", PackageResources.change_mustache),
      ("artifact", PackageResources.artifact_mustache), ("rollout", PackageResources.rollout_mustache),
      ("service", PackageResources.service_mustache), ("ledger", PackageResources.ledger_mustache),
      ("measures", PackageResources.measures_mustache), ("log", PackageResources.log_mustache),
      ("failure", PackageResources.failure_mustache), ("ask", PackageResources.ask_mustache),
      ("frozen", PackageResources.frozen_mustache), ("flagfolders", PackageResources.flagfolders_mustache),
      ("observations", PackageResources.observations_mustache),
      ("observation", PackageResources.observation_mustache),
      ("schemas", PackageResources.schemas_mustache), ("schema", PackageResources.schema_mustache),
      ("findings", PackageResources.findings_mustache),
      ("flags", PackageResources.flags_mustache), ("flag", PackageResources.flag_mustache),
      ("ramp", PackageResources.ramp_mustache), ("flagask", PackageResources.flagask_mustache),
      ("flagproof", PackageResources.flagproof_mustache),
    ]
  }
}
