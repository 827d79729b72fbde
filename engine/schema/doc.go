// Package schema owns the records that limiters share through a store: their keys, their fields and their packed values.
//
// Parts are joined by '|', which no id holds: in an entity's id '%' and '|' are written %25 and %7C, those of other ids are
// not legal. So no two can meet. Kinds of records and where they stand:
//
//	bucket          b|e|ENTITY|RESOURCE  bucket          index: e|ENTITY, RESOURCE
//	entity          e|ENTITY             entity          index: |entities, ENTITY
//	entity's limits e|ENTITY             limits|RESOURCE index: l|RESOURCE, ENTITY   (RESOURCE empty: its default)
//	child           e|PARENT             child|ENTITY
//	resource        r|RESOURCE           limits          index: |resources, RESOURCE
//	system          s|                   limits
//	audit event     a|ENTITY             ULID            index: |audit, ULID         (ENTITY empty: not of one entity)
//	deletion        d|ENTITY             deletion
//	adoption        d|PARENT             adoption
//	limited         w|                   RESOURCE|DIGEST                                 (see Limited)
//	managed record  m|MANIFEST           its id                                          (see Managed)
//	usage           u|ENTITY             W|START|RESOURCE  index: u|W|RESOURCE|PART, START|ENTITY
//
// and in the reserved namespace "_":
//
//	namespace       n|                   NAME
//	schema          schema|              schema
//
// Of a snapshot of usage W is the kind of window (h, d, m), START ten digits of seconds since the Unix epoch, and PART one of
// eight, by the entity: at the beginning of an hour every entity that uses a resource gets a snapshot, and one partition of
// DynamoDB's index takes a thousand new entries in a second. Further counting changes no key, so the index costs one unit
// for each snapshot and no more.
//
// Package schema translates only: it decides nothing and does no I/O.
package schema
