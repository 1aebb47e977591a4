import Drivers
import Kernel
import PlimsollFile

extension ObservedPages {
  /// Every observed place of the file, its addresses looked up.
  /// - Throws: `Outage` when the server's environment or a file does not have an address.
  static func all(of file: PlimsollFile, _ catalog: ServiceCatalog) throws(Outage) -> [ObservedPages] {
    var pages: [ObservedPages] = []
    for place in file.observed {
      pages.append(
        ObservedPages(
          place.policy.service, place.policy.environment, source: place.policy.versions,
          urls: try catalog.pages(of: place),
          mapping: place.mapping.map { MetricsMapping($0, excluding: place.probes) }, excludedRoutes: place.probes))
    }
    return pages
  }
}
