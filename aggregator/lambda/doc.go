// Package lambda runs the aggregator as an AWS Lambda function that reads the stream of a table.
//
// The event source mapping must have the response type ReportBatchItemFailures. If a change fails, the function returns the
// first one that did; Lambda then delivers it and all later changes again, and the aggregator skips what it has counted.
//
// The function reads its configuration from the environment:
//
//	TABLE_NAME            table with the stream, to which snapshots are written
//	SNAPSHOT_WINDOWS      hourly, daily and monthly, separated by commas. Default: hourly,daily
//	USAGE_RETENTION_DAYS  days for which a snapshot is kept after its window, 1 to 3650. Default: 90
//	AUDIT_RETENTION_DAYS  days for which an audit event is kept, 1 to 3650. Default: those it was written with
//	ARCHIVE_BUCKET_NAME   S3 bucket for expired audit events. Default: they are deleted
//
// The zae-limiter command is the program of the function: it calls [Start] if [Present] returns true.
//
// Package lambda decodes events and encodes replies; it does not compute usage itself.
package lambda
