// Package dynamo is a store in one DynamoDB table, for any number of processes.
//
// # Requests
//
// A single write is one UpdateItem (or DeleteItem) with a condition; the item comes back with it, as it is now or as it
// stood when the condition failed, so a refusal needs no read. One that only has conditions is a consistent read, which
// costs half. A commit is one TransactWriteItems with its token. Writes are sent once: whoever sends one again must be
// able to recognise it, and the SDK is not. Reads are consistent and have a few tries. Only where DynamoDB rejects a
// signature for its time is a write sent a second time, signed by DynamoDB's clock: it was certainly not applied.
//
// # The table
//
// Partition and sort key are PK and SK, one index GSI1 has GSI1PK and GSI1SK and the keys only:
//
//	PK       NAMESPACE/PARTITION of the key, in the namespace '%' and '/' written as %25 and %2F
//	SK       the key's sort
//	GSI1PK   NAMESPACE/PARTITION of the place; of a long partition ~ and a digest of 128 bits
//	GSI1SK   the place's sort
//	ttl      the expiry, seconds since the Unix epoch, where there is one
//	others   the fields by their names
//
// The item _/schema| has the version of the schema. Bucket updates change no key of the index, so they cost no index unit.
//
// # What a write says
//
// A missing attribute makes every comparison false but <>, which it makes true, as the contract wants it.
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
//	AddFrom          refused: no expression tells which of two numbers is greater
//
// DynamoDB counts significant digits where the contract counts all: what adds numbers beyond 64 bits without a bound of
// its own gets one. A record may grow to DynamoDB's 400 KB, beyond [backend.MaxRecord].
//
// # Consistency
//
// Reads by key and primary listings are consistent, index listings lag. One region: replicas of a global table judge
// conditions apart, and would both admit.
//
// Package dynamo makes no infrastructure but a table for tests, and knows nothing of limits.
package dynamo
