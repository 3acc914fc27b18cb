/// From which major version on PostgreSQL does something differently that backups and restores have to know of.
package enum PostgreSQLMajor {
  /// Servers where PUBLIC may create nothing in the schema `public`. pg_dump of this major and newer says how a database differs from that.
  package static let firstWithClosedPublic = 15
  /// pg_dump and pg_restore that set `transaction_timeout`, which an older server does not know.
  package static let firstThatSetsTransactionTimeout = 17
}
