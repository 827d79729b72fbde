// Package lambda is the aggregator as an AWS Lambda function behind the stream of a table.
//
// The stream's event source mapping must report batch item failures. Of a batch in which something failed the function
// names the first change that did: Lambda then sends it and all behind it again, and what was counted is skipped.
//
// The function is set up by its environment:
//
//	TABLE_NAME            table with the snapshots, that of the stream
//	SNAPSHOT_WINDOWS      kinds of windows, of hourly, daily and monthly, joined by commas. Default: hourly,daily
//	USAGE_RETENTION_DAYS  how long a snapshot is kept after its window, 1 to 3650. Default: 90
//	AUDIT_RETENTION_DAYS  how long an audit event is kept, 1 to 3650. Default: as long as it was written for
//	ARCHIVE_BUCKET_NAME   S3 bucket for expired audit events. Default: they are gone
//
// The command line is the function's program: it calls [Start] where [Present] says so.
//
// Package lambda decodes, calls the aggregator and encodes; it counts nothing itself.
package lambda
