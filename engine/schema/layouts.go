package schema

import (
	"strconv"

	"github.com/zeroae/zae-limiter-go/backend"
)

// MaxLimits is how many limits a bucket may hold.
const MaxLimits = 16

// CurrentVersion is the version of this schema, written to the record of [VersionLayout] by those who create a store.
const CurrentVersion = 1

// BucketLayout has the fields of a bucket; names are short because each is paid for with every record.
var BucketLayout = backend.NewLayout("bucket", bucketFields()...)

// Slots of a bucket that do not depend on its limits.
var (
	Ver   = BucketLayout.MustSlot("v") // now (ns) at creation, +1 per write
	Born  = BucketLayout.MustSlot("b") // random, drawn by the write that began this life of the record
	At    = BucketLayout.MustSlot("a") // the last writer's now, ns since the Unix epoch
	Acq   = BucketLayout.MustSlot("q") // number of acquires
	Path  = BucketLayout.MustSlot("p") // version of the entity's record, 0 if there is none
	Conv  = BucketLayout.MustSlot("m") // instant of the last conversion, ns since the Unix epoch
	Nonce = BucketLayout.MustSlot("n") // of the last charge
	L     = BucketLayout.MustSlot("l") // packed limits, see Pack
)

// Tat is the arrival time of the i-th limit in L, 0 ≤ i < MaxLimits.
func Tat(i int) backend.Slot { return firstLimit + backend.Slot(2*i) }

// Used is the number of tokens ever consumed and not refunded of the i-th limit in L.
func Used(i int) backend.Slot { return firstLimit + backend.Slot(2*i+1) }

// Tat(0), checked against the names by a test.
const firstLimit backend.Slot = 6

func bucketFields() []backend.Field {
	fields := []backend.Field{{Name: "l", Kind: backend.Bytes}}
	for _, name := range []string{"v", "b", "a", "q", "p", "m"} {
		fields = append(fields, backend.Field{Name: name})
	}
	for i := range MaxLimits {
		fields = append(fields, backend.Field{Name: "t" + strconv.Itoa(i)}, backend.Field{Name: "u" + strconv.Itoa(i)})
	}
	return append(fields, backend.Field{Name: "n"}) // last: stores without I/O have none, and records are as long as their last number
}

// EntityLayout has the fields of an entity.
var EntityLayout = backend.NewLayout("entity",
	backend.Field{Name: "ver"}, backend.Field{Name: "created"}, backend.Field{Name: "cascade"},
	backend.Field{Name: "name", Kind: backend.Text}, backend.Field{Name: "parent", Kind: backend.Text},
	backend.Field{Name: "meta", Kind: backend.Text}, backend.Field{Name: "manifest", Kind: backend.Text})

// Slots of an entity.
var (
	EntityVer      = EntityLayout.MustSlot("ver")     // max(now in ns, the version before + 1)
	EntityCreated  = EntityLayout.MustSlot("created") // ns since the Unix epoch
	EntityCascade  = EntityLayout.MustSlot("cascade") // 0 or 1
	EntityName     = EntityLayout.MustSlot("name")
	EntityParent   = EntityLayout.MustSlot("parent")   // absent: none
	EntityMetadata = EntityLayout.MustSlot("meta")     // JSON object of strings
	EntityManifest = EntityLayout.MustSlot("manifest") // the manifest that manages this record, if any
)

// ConfigLayout has the fields of limits stored at any level.
var ConfigLayout = backend.NewLayout("config",
	backend.Field{Name: "ver"}, backend.Field{Name: "unavailable"},
	backend.Field{Name: "l", Kind: backend.Bytes}, backend.Field{Name: "manifest", Kind: backend.Text})

// Slots of stored limits.
var (
	ConfigVer         = ConfigLayout.MustSlot("ver")         // max(now in ns, the version before + 1)
	ConfigUnavailable = ConfigLayout.MustSlot("unavailable") // the engine's Policy; system level only
	ConfigLimits      = ConfigLayout.MustSlot("l")           // packed, see Pack; absent: only a policy is stored
	ConfigManifest    = ConfigLayout.MustSlot("manifest")    // the manifest that manages this record, if any
)

// AuditLayout has the fields of an audit event; its ULID and entity are in its key.
var AuditLayout = backend.NewLayout("audit",
	backend.Field{Name: "time"},
	backend.Field{Name: "action", Kind: backend.Text}, backend.Field{Name: "resource", Kind: backend.Text},
	backend.Field{Name: "principal", Kind: backend.Text}, backend.Field{Name: "before", Kind: backend.Text},
	backend.Field{Name: "after", Kind: backend.Text})

// Slots of an audit event.
var (
	AuditTime      = AuditLayout.MustSlot("time") // ns since the Unix epoch
	AuditAction    = AuditLayout.MustSlot("action")
	AuditResource  = AuditLayout.MustSlot("resource")
	AuditPrincipal = AuditLayout.MustSlot("principal")
	AuditBefore    = AuditLayout.MustSlot("before") // JSON, absent: nothing
	AuditAfter     = AuditLayout.MustSlot("after")  // JSON, absent: nothing
)

// NamespaceLayout has the fields of a namespace's registration.
var NamespaceLayout = backend.NewLayout("namespace",
	backend.Field{Name: "ver"}, backend.Field{Name: "created"}, backend.Field{Name: "deleted"},
	backend.Field{Name: "state", Kind: backend.Text})

// Slots of a namespace's registration.
var (
	NamespaceVer     = NamespaceLayout.MustSlot("ver")
	NamespaceCreated = NamespaceLayout.MustSlot("created") // ns since the Unix epoch
	NamespaceDeleted = NamespaceLayout.MustSlot("deleted") // ns since the Unix epoch; absent: active
	NamespaceState   = NamespaceLayout.MustSlot("state")   // active, deleted, purging
)

// ManagedLayout has the field of an entry in a manifest's list.
var ManagedLayout = backend.NewLayout("managed", backend.Field{Name: "id", Kind: backend.Text})

// ManagedText is the id of the record that the entry stands for.
var ManagedText = ManagedLayout.MustSlot("id")

// MarkLayout is for records that say what they say by being there.
var MarkLayout = backend.NewLayout("mark", backend.Field{Name: "at"})

// MarkAt is when a mark was set, ns since the Unix epoch; of a mark that grows, 1 more for each time it was set again.
var MarkAt = MarkLayout.MustSlot("at")

// VersionLayout has the version of the schema. The name of the stack is a deployment's own word, by which it knows its table
// again; the engine does not read it.
var VersionLayout = backend.NewLayout("schema", backend.Field{Name: "version"}, backend.Field{Name: "stack", Kind: backend.Text})

// VersionNumber is the version of the schema that the store was made with.
var VersionNumber = VersionLayout.MustSlot("version")
