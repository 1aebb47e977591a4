import Foundation
import Kernel

import struct Crypto.SHA256

extension MigrationText {
  /// As a file of a layout has it, below `folder`.
  init(_ file: MigrationFile, in folder: String) {
    let prefix = folder.hasSuffix("/") ? folder : folder + "/"
    let name = file.path.hasPrefix(prefix) ? String(file.path.dropFirst(prefix.count)) : file.path
    self.init(name: name, text: file.text, isTransactional: Self.isTransactional(file))
  }

  /// A file that says BEGIN and COMMIT once around all of it is as good as one that leaves both to its tool.
  private static func isTransactional(_ file: MigrationFile) -> Bool {
    switch file.transaction {
    case .one: true
    case .none: false
    case .own: MigrationScript.unwrapped(file.statements) != nil
    }
  }

  var mark: MigrationMark { MigrationMark(name: name, content: .of(Array(text.utf8))) }

  /// As the oracle reads it.
  var file: MigrationFile {
    let own = MigrationFile(path: name, text: text)
    if own.transaction == .own { return own }
    return MigrationFile(path: name, text: text, transaction: isTransactional ? .one : MigrationFile.Transaction.none)
  }
}

/// A migration, ready to be run.
struct MigrationScript: Sendable {
  let mark: MigrationMark
  /// Without a BEGIN and a COMMIT around all of it where it is transactional.
  let statements: [MigrationStatement]
  let isTransactional: Bool

  init(_ text: MigrationText) {
    mark = text.mark
    isTransactional = text.isTransactional
    let all = text.file.statements
    statements = text.isTransactional ? Self.unwrapped(all) ?? all : all
  }

  /// nil where it is not one BEGIN, statements that may stand in a transaction, and one COMMIT.
  static func unwrapped(_ statements: [MigrationStatement]) -> [MigrationStatement]? {
    let places = statements.indices.filter {
      statements[$0].tree.map { $0.opensTransaction || $0.closesTransaction } ?? false
    }
    guard places.count == 2, let first = statements[places[0]].tree, let last = statements[places[1]].tree,
      first.opensTransaction, last.fields(of: "TransactionStmt")?.string("kind") == "TRANS_STMT_COMMIT",
      statements[..<places[0]].allSatisfy({ $0.metaCommand != nil }),
      statements[(places[1] + 1)...].allSatisfy({ $0.metaCommand != nil }),
      !statements.contains(where: { $0.tree?.refusesTransaction ?? false })
    else { return nil }
    return statements.indices.filter { !places.contains($0) }.map { statements[$0] }
  }
}

extension Digest {
  /// SHA-256 of the bytes.
  package static func of(_ bytes: [UInt8]) -> Digest {
    let hex = SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    return hashed(hex)
  }

  /// - Parameter hex: 64 hexadecimal digits of our own making.
  static func hashed(_ hex: String) -> Digest {
    guard let digest = Digest(rawValue: "sha256:\(hex)") else { preconditionFailure("SHA-256 has 64 digits: \(hex)") }
    return digest
  }
}
