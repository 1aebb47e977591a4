/// The hand-kept description of `/v1`, compiled in so that it travels with the binary.
public enum OpenAPI {
  /// OpenAPI 3.1, YAML.
  public static let document = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
}
