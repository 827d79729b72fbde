package schema

import (
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// Reserved is the namespace of the registry of namespaces and of the schema record. No id of a namespace begins with '_'.
const Reserved = "_"

// Index partitions that list a whole namespace.
const (
	EntitiesIndex  = "|entities"
	ResourcesIndex = "|resources"
	AuditIndex     = "|audit"
)

const (
	bucketSort   = "bucket"
	entitySort   = "entity"
	limitsSort   = "limits"
	limitsPrefix = "limits|"
	childPrefix  = "child|"
	deletionSort = "deletion"
	adoptionSort = "adoption"
	schemaName   = "schema"
)

// Bucket is the key of the bucket of an entity and a resource, and its place in the index: its entity.
// Place and key share one string.
func Bucket(namespace, entity, resource string) (backend.Key, backend.Place) {
	entity = escape(entity)
	partition := "b|e|" + entity + "|" + resource
	end := len("b|e|") + len(entity)
	return BucketAt(namespace, partition), backend.Place{Partition: partition[len("b|"):end], Sort: partition[end+1:]}
}

// BucketAt is the key of a bucket by its partition.
func BucketAt(namespace, partition string) backend.Key {
	return backend.Key{Namespace: namespace, Partition: partition, Sort: bucketSort}
}

// BucketOf tells entity and resource of a bucket's key; false for other kinds of keys.
func BucketOf(k backend.Key) (entity, resource string, ok bool) {
	entity, resource, ok = bucketParts(k)
	return unescape(entity), resource, ok
}

// bucketParts is BucketOf with the entity as it stands in the key.
func bucketParts(k backend.Key) (entity, resource string, ok bool) {
	rest, ok := strings.CutPrefix(k.Partition, "b|e|")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "|")
}

// PlaceOf is the place in the index of a bucket's key.
func PlaceOf(k backend.Key) backend.Place {
	entity, resource, _ := bucketParts(k)
	return backend.Place{Partition: k.Partition[len("b|") : len("b|e|")+len(entity)], Sort: resource}
}

// EntityPartition holds the entity's record, its limits and its children; it is also the index partition of its buckets.
func EntityPartition(entity string) string { return "e|" + escape(entity) }

// Entity is the key of an entity's record, and its place in the index, of which EntityOf reads the sort.
func Entity(namespace, entity string) (backend.Key, backend.Place) {
	return backend.Key{Namespace: namespace, Partition: EntityPartition(entity), Sort: entitySort},
		backend.Place{Partition: EntitiesIndex, Sort: escape(entity)}
}

// Child is the key of the marker by which a parent lists its children.
func Child(namespace, parent, child string) backend.Key {
	return backend.Key{Namespace: namespace, Partition: EntityPartition(parent), Sort: childPrefix + escape(child)}
}

// ChildRange bounds the sorts of a parent's child markers: from ≤ sort < to.
func ChildRange() (from, to string) { return childPrefix, after(childPrefix) }

// ChildOf is the child of a marker's key.
func ChildOf(k backend.Key) string { return unescape(strings.TrimPrefix(k.Sort, childPrefix)) }

// EntityLimits is the key of an entity's limits for a resource ("": its default), and its place in the index.
func EntityLimits(namespace, entity, resource string) (backend.Key, backend.Place) {
	return backend.Key{Namespace: namespace, Partition: EntityPartition(entity), Sort: limitsPrefix + resource},
		backend.Place{Partition: LimitsIndex(resource), Sort: escape(entity)}
}

// LimitsIndex lists the entities that have limits of their own for a resource ("": a default); EntityOf reads the sorts.
func LimitsIndex(resource string) string { return "l|" + resource }

// LimitsRange bounds the sorts of an entity's limits: from ≤ sort < to.
func LimitsRange() (from, to string) { return limitsPrefix, after(limitsPrefix) }

// ResourceOf is the resource of an entity's limits by their key.
func ResourceOf(k backend.Key) string { return strings.TrimPrefix(k.Sort, limitsPrefix) }

// Resource is the key of a resource's default limits, and its place in the index.
func Resource(namespace, resource string) (backend.Key, backend.Place) {
	return backend.Key{Namespace: namespace, Partition: "r|" + resource, Sort: limitsSort},
		backend.Place{Partition: ResourcesIndex, Sort: resource}
}

// System is the key of the system's default limits.
func System(namespace string) backend.Key {
	return backend.Key{Namespace: namespace, Partition: "s|", Sort: limitsSort}
}

// AuditPartition lists the audit events of an entity; "" those that belong to none.
func AuditPartition(entity string) string { return "a|" + escape(entity) }

// AuditedOf is the entity of an audit event's key, "" where it belongs to none.
func AuditedOf(k backend.Key) string {
	return unescape(strings.TrimPrefix(k.Partition, AuditPartition("")))
}

// Audit is the key of an audit event, and its place in the index. ULIDs sort by time.
func Audit(namespace, entity, ulid string) (backend.Key, backend.Place) {
	return backend.Key{Namespace: namespace, Partition: AuditPartition(entity), Sort: ulid},
		backend.Place{Partition: AuditIndex, Sort: ulid}
}

// Deletion is the key of the mark that an entity is being deleted.
func Deletion(namespace, entity string) backend.Key {
	return backend.Key{Namespace: namespace, Partition: "d|" + escape(entity), Sort: deletionSort}
}

// Adoption is the key of the mark that grows with each child that an entity is given.
func Adoption(namespace, parent string) backend.Key {
	return backend.Key{Namespace: namespace, Partition: "d|" + escape(parent), Sort: adoptionSort}
}

// NamespacesPartition lists the registered namespaces, in the reserved namespace.
const NamespacesPartition = "n|"

// Namespace is the key of a namespace's registration.
func Namespace(name string) backend.Key {
	return backend.Key{Namespace: Reserved, Partition: NamespacesPartition, Sort: name}
}

// Version is the key of the record that tells the version of this schema.
func Version() backend.Key {
	return backend.Key{Namespace: Reserved, Partition: schemaName + "|", Sort: schemaName}
}

// Standing is the place in the index that this package gives to the record of a key; false if it gives none. Whoever lists
// the index can tell by it what somebody else has put there.
func Standing(k backend.Key) (p backend.Place, ok bool) {
	kind, rest, _ := strings.Cut(k.Partition, "|")
	switch {
	case kind == "b" && k.Sort == bucketSort && strings.HasPrefix(rest, "e|"):
		return PlaceOf(k), true
	case kind == "e" && k.Sort == entitySort:
		return backend.Place{Partition: EntitiesIndex, Sort: rest}, true
	case kind == "e" && strings.HasPrefix(k.Sort, limitsPrefix):
		return backend.Place{Partition: LimitsIndex(ResourceOf(k)), Sort: rest}, true
	case kind == "r" && k.Sort == limitsSort:
		return backend.Place{Partition: ResourcesIndex, Sort: rest}, true
	case kind == "a":
		return backend.Place{Partition: AuditIndex, Sort: k.Sort}, true
	case kind == "u":
		entity, resource, w, start, known := UsageOf(k)
		if known {
			_, p = Usage(k.Namespace, entity, resource, w, start)
		}
		return p, known
	}
	return p, false
}

// after is the smallest sort behind all those that begin with prefix, which ends in '|'.
func after(prefix string) string { return prefix[:len(prefix)-1] + "}" }

// LayoutOf tells the layout of a key's record by its kind, nil for a kind that this version does not know.
func LayoutOf(k backend.Key) *backend.Layout {
	kind, _, _ := strings.Cut(k.Partition, "|")
	switch kind {
	case "b":
		return BucketLayout
	case "e":
		return entityPartitionLayout(k.Sort)
	case "r", "s":
		return ConfigLayout
	case "a":
		return AuditLayout
	case "d":
		return MarkLayout
	case "m":
		return ManagedLayout
	case "w":
		return MarkLayout
	case "u":
		return UsageLayout
	case "n":
		return NamespaceLayout
	case schemaName:
		return VersionLayout
	}
	return nil
}

func entityPartitionLayout(sort string) *backend.Layout {
	switch {
	case sort == entitySort:
		return EntityLayout
	case strings.HasPrefix(sort, limitsPrefix):
		return ConfigLayout
	case strings.HasPrefix(sort, childPrefix):
		return MarkLayout
	}
	return nil
}
