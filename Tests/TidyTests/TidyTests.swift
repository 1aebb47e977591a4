import Testing

/// A rule by its name in words; PlantedTests proves that each can fail.
struct Rule: Sendable, CustomTestStringConvertible {
  let name: String
  let findings: @Sendable (SourceTree) -> [Finding]
  var testDescription: String { name }

  static let all: [Rule] = [
    Rule(name: "targets import only what the table allows", findings: TargetRules.importsInTable),
    Rule(name: "pure targets stay pure", findings: TargetRules.pureStaysPure),
    Rule(name: "public only in what is offered", findings: TargetRules.publicOnlyWhereOffered),
    Rule(name: "files are short", findings: ShapeRules.filesAreShort),
    Rule(name: "nothing is unfinished", findings: ShapeRules.nothingIsUnfinished),
    Rule(name: "nothing foreign is named", findings: ShapeRules.nothingForeignIsNamed),
    Rule(name: "no placeholders", findings: ShapeRules.noPlaceholders),
    Rule(name: "machines have their seven files", findings: ShapeRules.machinesHaveTheirFiles),
    Rule(name: "rules name every case", findings: ShapeRules.switchesAreExhaustive),
    Rule(name: "phases say how they are left", findings: ShapeRules.phasesSayHowTheyAreLeft),
    Rule(name: "links lead somewhere", findings: DocumentRules.linksLeadSomewhere),
    Rule(name: "every document is linked", findings: DocumentRules.everyDocumentIsLinked),
    Rule(name: "decisions are numbered", findings: DocumentRules.decisionsAreNumbered),
  ]
}

@Suite("The repository is tidy")
struct TidyTests {
  static let tree = Result { try SourceTree.ofThisRepository() }

  @Test("holds", arguments: Rule.all)
  func holds(_ rule: Rule) throws {
    let found = rule.findings(try Self.tree.get())
    #expect(found.isEmpty, "\(rule.name):\n\(found.map(\.description).joined(separator: "\n"))")
  }

  @Test("the tree that the rules read is this repository")
  func theTreeIsRead() throws {
    let tree = try Self.tree.get()
    #expect(tree.places.contains("Package.swift"))
    #expect(tree.sources(of: ["Kernel"]).count > 5)
    #expect(tree.places.contains { $0.hasPrefix(".build") || $0.hasPrefix(".git/") } == false)
  }

  @Test("every folder of Sources is in the import table")
  func theTableIsWhole() throws {
    let tree = try Self.tree.get()
    let targets = Set(
      tree.texts(in: "Sources/", ending: ".swift").map { String($0.path.split(separator: "/")[1]) })
    #expect(targets.subtracting(TargetRules.imports.keys) == TargetRules.importsEverything)
    #expect(TargetRules.pure.isSubset(of: TargetRules.imports.keys))
  }
}
