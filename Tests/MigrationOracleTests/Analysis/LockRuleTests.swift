import Migrations
import Testing

@testable import MigrationOracle

/// What is said of locks depends on what is known of the table.
struct LockRuleTests {
  private func check(
    _ script: String, _ expected: String..., on catalog: Catalog? = RuleTests.shop,
    location: SourceLocation = #_sourceLocation
  ) {
    let locks = MigrationRule.standard.filter { $0.nature == .locks && $0 != .noLockTimeout }
    #expect(RuleTests.rules(script, on: catalog, locks) == expected, sourceLocation: location)
  }

  @Test func scansAndIndexes() {
    check("alter table customers add constraint c check (points > 0)", "validating-constraint")
    check("alter table customers add constraint c check (points > 0) not valid")
    check("alter table orders add foreign key (customer_id) references customers (id)", "validating-constraint")
    check("alter table settings add check (key > 'a')")
    check("alter table customers alter nick set not null", "set-not-null-scan")
    check("alter table customers alter phone set not null")
    check("alter table customers add unique (phone)", "unique-constraint-index")
    check("alter table customers add constraint u unique using index customers_nick_once")
    check("alter table customers add primary key using index customers_nick_once", "primary-key-using-index")
    check("alter table customers add primary key using index customers_email_key")
    check("alter table orders add exclude using gist (total with =)", "exclusion-constraint-index")
    check("create index i on customers (nick)", "index-not-concurrent")
    check("create index i on settings (key)")
    check("create index concurrently i on customers (nick)")
    check("drop index customers_nick", "drop-index-not-concurrent")
    check("reindex table customers", "reindex-not-concurrent")
    check("reindex table concurrently customers")
    check("alter table orders detach partition customers", "detach-not-concurrent")
  }

  @Test func rewrites() {
    check("alter table customers alter points type bigint", "type-change-rewrite")
    check("alter table customers alter email type text")
    check("alter table settings alter key type bytea using key::bytea")
    check("alter table customers add column a bigserial", "column-rewrite")
    check("alter table customers add column a uuid default gen_random_uuid()", "column-rewrite")
    check("alter table customers add column a timestamptz default now()")
    check("alter table customers add column a int generated always as (points * 2) stored", "column-rewrite")
    check("vacuum full customers", "table-rewrite")
    check("vacuum customers")
    check("cluster customers", "table-rewrite")
    check("alter table customers set unlogged", "table-rewrite")
    check(
      "alter table customers alter points type bigint; alter table customers alter id type text",
      "type-change-rewrite", "work-under-exclusive-lock", "type-change-rewrite", "combine-alters")
  }

  @Test func rowsThatAreCopied() {
    check("create table archive (a int); insert into archive select total from orders", "unbatched-backfill")
    check(
      "create table archive (a int); insert into archive select 1 from settings s join orders o on true",
      "unbatched-backfill")
    check("insert into settings select key from settings")
    check("insert into settings (key) values ('a')")
  }

  @Test func whatIsLongUnderAnExclusiveLock() {
    check("alter table customers add column a int; update customers set a = 1", "work-under-exclusive-lock")
    check("begin; alter table customers add column a int; commit; update customers set a = 1")
    check("alter table settings add column a int; update settings set a = 1")
    check("create table t (a int); update t set a = 1")
  }

  @Test func bigTablesWantATimeout() {
    let timeout: Set = [MigrationRule.noLockTimeout]
    #expect(RuleTests.rules("alter table orders add column a int", timeout) == ["no-lock-timeout"])
    #expect(RuleTests.rules("set lock_timeout = '1s'; alter table orders add column a int", timeout) == [])
    #expect(
      RuleTests.rules("select set_config('lock_timeout', '1s', true); alter table orders add a int", timeout) == [])
    #expect(RuleTests.rules("alter table customers add column a int", timeout) == [])
    #expect(RuleTests.rules("alter table customers add unique (nick)", timeout) == ["no-lock-timeout"])
    #expect(RuleTests.rules("create index concurrently i on orders (total)", timeout) == [])
  }

  @Test func tasteIsAskedFor() {
    func check(_ script: String, _ expected: String..., location: SourceLocation = #_sourceLocation) {
      #expect(RuleTests.rules(script) == [], sourceLocation: location)
      let taste = Set(MigrationRule.allCases.filter { $0.nature == .taste })
      #expect(RuleTests.rules(script, taste) == expected, sourceLocation: location)
    }
    check("create table t (a json)", "json-column")
    check("create table t (a jsonb, b text, c bigint, d timestamptz)")
    check("create type t as enum ('a')", "new-enum")
    check("create table t (a bigint references customers (id))", "foreign-key-without-index")
    check("create table t (a bigint references customers (id)); create index on t (a)")
    check("create domain d as text check (value <> '')", "constrained-domain")
    check("create table t (a bigserial)", "serial-column")
    check("create table t (a int)", "narrow-integer")
    check("create table t (a timestamp)", "timestamp-without-zone")
    check("create table t (a varchar(9))", "limited-text")
    check("create table \(String(repeating: "x", count: 64)) (a text)", "identifier-too-long")
  }
}

extension RuleTests {
  static func rules(_ script: String, _ kinds: Set<MigrationRule>) -> [String] { rules(script, on: shop, kinds) }
}
