import Foundation

/// Removes a folder whose inner folders may be read-only (module caches, unpacked releases); absent is fine.
func removeTree(at path: String) throws {
  let files = FileManager.default
  var facts = stat()
  guard lstat(path, &facts) == 0 else { return }
  if facts.st_mode & S_IFMT == S_IFDIR {
    chmod(path, 0o755)
    let inside = files.enumerator(atPath: path)
    while let relative = inside?.nextObject() as? String {
      var inner = stat()
      if lstat("\(path)/\(relative)", &inner) == 0, inner.st_mode & S_IFMT == S_IFDIR {
        chmod("\(path)/\(relative)", 0o755)
      }
    }
  }
  try files.removeItem(atPath: path)
}

/// The path from the root, without `..` and trailing slash: tools run in other folders than the server.
func absolutePath(_ path: String) -> String {
  URL(fileURLWithPath: path, isDirectory: true).standardizedFileURL.path
}
