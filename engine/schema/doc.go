// Package schema owns the records that limiters share through a store: their keys, their fields and their packed values.
//
// Ids hold no '|', so parts joined by it cannot meet. Kinds of records and where they stand:
//
//	bucket          b|e|ENTITY|RESOURCE  bucket          index: e|ENTITY, RESOURCE
//	entity          e|ENTITY             entity          index: |entities, ENTITY
//	entity's limits e|ENTITY             limits|RESOURCE index: l|RESOURCE, ENTITY   (RESOURCE empty: its default)
//	child           e|PARENT             child|ENTITY
//	resource        r|RESOURCE           limits          index: |resources, RESOURCE
//	system          s|                   limits
//	audit event     a|ENTITY             ULID            index: |audit, ULID         (ENTITY empty: not of one entity)
//	deletion        d|ENTITY             deletion
//	managed record  m|MANIFEST           its id                                          (see Managed)
//
// and in the reserved namespace "_":
//
//	namespace       n|                   NAME
//	schema          schema|              schema
//
// Package schema translates only: it decides nothing and does no I/O.
package schema
