package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// LimitedPartition lists the resources for which entities have limits: a mark for each of these lists of limits, by resource.
const LimitedPartition = "w|"

// Limited is the key of the mark that an entity has limits for a resource. Its sort holds a digest of the entity, which
// together with a resource could be too long for a key.
func Limited(namespace, entity, resource string) backend.Key {
	digest := sha256.Sum256([]byte(entity))
	return backend.Key{Namespace: namespace, Partition: LimitedPartition, Sort: resource + "|" + hex.EncodeToString(digest[:16])}
}

// LimitedResource is the resource of a mark, and the smallest sort behind all marks of that resource.
func LimitedResource(sort string) (resource, next string) {
	resource, _, _ = strings.Cut(sort, "|")
	return resource, after(resource + "|")
}
