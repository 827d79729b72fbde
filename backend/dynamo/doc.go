// Package dynamo is a store in one DynamoDB table, for any number of processes.
//
// # Requests
//
// A single write is one UpdateItem or DeleteItem with a condition. The reply has the item after the write, or the item on
// which the condition failed, so that a refusal needs no read. A write with conditions alone is a consistent read, which
// costs half as much. A commit is one TransactWriteItems with its token. Reads are consistent, and are retried a few times.
//
// Writes are sent once, because only a caller who can recognize a write may send it again, and the SDK cannot. The one
// exception is a write whose signature DynamoDB rejects because of its time: it was certainly not applied, and is sent a
// second time, signed by DynamoDB's clock.
//
// # The table
//
// The partition and sort keys are PK and SK. One index, GSI1, has the keys GSI1PK and GSI1SK and projects keys only:
//
//	PK       NAMESPACE/PARTITION of the key, with '%' and '/' in the namespace written as %25 and %2F
//	SK       the sort of the key
//	GSI1PK   NAMESPACE/PARTITION of the place; for a long partition, ~ and a digest of 128 bits
//	GSI1SK   the sort of the place
//	ttl      the expiry in seconds since the Unix epoch, if there is one
//	others   the fields, by their names
//
// The item _/schema| has the version of the schema. Updates of buckets change no key of the index, so that they cost no
// write units of the index.
//
// # Expressions
//
// If an attribute is missing, every comparison is false except <>, which is true, as the contract demands.
//
//	Present          attribute_exists(#a)
//	Absent           attribute_not_exists(#a)
//	Equal, NotEqual  #a = :c, #a <> :c
//	Less … AtLeast   #a < :c, #a <= :c, #a >= :c
//	Between          #a BETWEEN :c AND :d
//	OrAbsent         (attribute_not_exists(#a) OR …)
//	Set              SET #a=:e
//	SetIfAbsent      SET #a=if_not_exists(#a,:e)
//	Add              ADD #a :e, with a base SET #a=if_not_exists(#a,:b)+:e
//	Unset            REMOVE #a
//	AddFrom          refused: no expression decides which of two numbers is greater
//
// DynamoDB limits the significant digits of a number, and the contract limits all digits. So a write that adds a number of
// more than 64 bits gets a condition that bounds the sum, unless it has one. A record may grow to DynamoDB's 400 KB, beyond
// [backend.MaxRecord].
//
// # Consistency
//
// Reads by key and primary listings are consistent, index listings lag. All processes must use the table in one region: the
// replicas of a global table check conditions independently, and would admit the same tokens twice.
//
// Package dynamo creates no infrastructure except tables for tests, and knows nothing of limits.
package dynamo
