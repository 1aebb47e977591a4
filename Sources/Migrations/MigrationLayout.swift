/// How a tool lays out migrations in a folder.
package enum MigrationLayout: String, Codable, CaseIterable, Equatable, Sendable {
  /// `*.sql`, by number and then by name; also sqlx without down files.
  case plain
  /// `V1.2__what.sql`, then `R__what.sql`; `U…` and `B…` are passed over.
  case flyway
  /// `0001_what.up.sql` with `.down.sql`; also sqlx with down files.
  case golangMigrate = "golang-migrate"
  /// One file with `-- +goose Up` and `-- +goose Down`.
  case goose
  /// One file with `-- migrate:up` and `-- migrate:down`.
  case dbmate
  /// One file with `-- +migrate Up` and `-- +migrate Down`.
  case sqlMigrate = "sql-migrate"
  /// Folders with `up.sql`, `down.sql` and perhaps `metadata.toml`.
  case diesel
  /// Folders with `migration.sql`.
  case prisma
}
