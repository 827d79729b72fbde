package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// What a manifest can manage, as the beginning of an id in its list. The last stands for ids too long for a key.
const (
	managedSystem   = "s|"
	managedResource = "r|"
	managedEntity   = "e|"
	managedLimits   = "l|"
	managedLong     = "h|"
)

// longManaged is from how many bytes on an id is too long for a key. It is on disk.
const longManaged = 320

// ManagedPartition lists what a manifest manages.
func ManagedPartition(manifest string) string { return "m|" + manifest }

// Managed is the key by which a manifest lists a record of configuration or of an entity, and the id that is stored there:
// the sort holds it too, unless it is too long.
func Managed(namespace, manifest string, record backend.Key) (key backend.Key, id string) {
	kind, rest, _ := strings.Cut(record.Partition, "|")
	switch {
	case kind == "s":
		id = managedSystem
	case kind == "r":
		id = managedResource + rest
	case record.Sort == entitySort:
		id = managedEntity + rest
	default:
		id = managedLimits + rest + "|" + ResourceOf(record)
	}
	sort := id
	if len(sort) > longManaged {
		digest := sha256.Sum256([]byte(id))
		sort = managedLong + hex.EncodeToString(digest[:16])
	}
	return backend.Key{Namespace: namespace, Partition: ManagedPartition(manifest), Sort: sort}, id
}

// ManagedID is the id in the sort of a manifest's list; false where it is too long, and only in the record.
func ManagedID(sort string) (id string, ok bool) { return sort, !strings.HasPrefix(sort, managedLong) }

// ManagedRecord is the key of the record with an id; false for ids that Managed does not give.
func ManagedRecord(namespace, id string) (record backend.Key, ok bool) {
	kind, rest, _ := strings.Cut(id, "|")
	switch kind + "|" {
	case managedSystem:
		return System(namespace), true
	case managedResource:
		record, _ = Resource(namespace, rest)
	case managedEntity:
		record, _ = Entity(namespace, unescape(rest))
	case managedLimits:
		entity, resource, _ := strings.Cut(rest, "|")
		record, _ = EntityLimits(namespace, unescape(entity), resource)
	default:
		return backend.Key{}, false
	}
	return record, rest != ""
}

// ConfiguredBy tells the entity and the resource of the key of an entity's record or of limits, "" where it has none.
func ConfiguredBy(k backend.Key) (entity, resource string) {
	switch kind, rest, _ := strings.Cut(k.Partition, "|"); {
	case kind == "r":
		return "", rest
	case kind == "e" && strings.HasPrefix(k.Sort, limitsPrefix):
		return unescape(rest), ResourceOf(k)
	case kind == "e":
		return unescape(rest), ""
	}
	return "", ""
}
