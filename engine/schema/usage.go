package schema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// maxCounters is how many limits have counters of their own in a snapshot. A bucket has sixteen at the most, but its
// limits may change within a month; the counters of those that come later share a text.
const maxCounters = 40

// UsageLayout has the fields of a snapshot: what was used of a resource by an entity in a window.
var UsageLayout = backend.NewLayout("usage", usageFields()...)

// Slots of a snapshot that do not depend on limits.
var (
	UsageVer   = UsageLayout.MustSlot("v") // Ver of the bucket's last change that was taken in
	UsageAcq   = UsageLayout.MustSlot("q") // number of acquires
	UsageNames = UsageLayout.MustSlot("n") // names of the limits of the counters, in their order, joined by '|'
	UsageRest  = UsageLayout.MustSlot("x") // NAME=COUNT of the limits that came later, joined by '|'
)

// firstCounter is that of the first name in UsageNames, checked against the names by a test.
const firstCounter backend.Slot = 2

func usageFields() []backend.Field {
	fields := []backend.Field{{Name: "n", Kind: backend.Text}, {Name: "x", Kind: backend.Text}, {Name: "v"}, {Name: "q"}}
	for i := range maxCounters {
		fields = append(fields, backend.Field{Name: "c" + strconv.Itoa(i)})
	}
	return fields
}

// usageParts is over how many partitions of the index the snapshots of one resource and kind of window are spread: at
// the beginning of a window one of each entity is made, and a partition takes a thousand in a second.
const usageParts = 8

// UsagePartition lists the snapshots of an entity, by kind and start of their window. It is the entity's, and not the
// entity's and resource's, so that one listing finds all that is deleted with an entity, and ranges of time are exact.
func UsagePartition(entity string) string { return "u|" + escape(entity) }

// Usage is the key of a snapshot of the window that starts at start, in seconds since the Unix epoch, and its place in
// the index.
func Usage(namespace, entity, resource string, w Window, start int64) (backend.Key, backend.Place) {
	at := second(start)
	return backend.Key{Namespace: namespace, Partition: UsagePartition(entity), Sort: w.letter() + "|" + at + "|" + resource},
		backend.Place{Partition: usageIndex(w, resource, entityPart(entity)), Sort: at + "|" + escape(entity)}
}

// UsageOf reads a snapshot's key; false for keys of other kinds.
func UsageOf(k backend.Key) (entity, resource string, w Window, start int64, ok bool) {
	entity, ok = strings.CutPrefix(k.Partition, UsagePartition(""))
	parts := strings.SplitN(k.Sort, "|", 3)
	if !ok || len(parts) != 3 {
		return "", "", "", 0, false
	}
	start, err := strconv.ParseInt(parts[1], 10, 64)
	w = windowOf(parts[0])
	return unescape(entity), parts[2], w, start, err == nil && w != "" && second(start) == parts[1]
}

// UsageRange bounds the sorts of an entity's snapshots of one kind of window whose start, in seconds since the Unix epoch,
// lies in [from, to): from ≤ sort < to.
func UsageRange(w Window, from, to int64) (first, end string) {
	return w.letter() + "|" + second(from), w.letter() + "|" + second(to)
}

// UsageIndex lists the snapshots of a resource and a kind of window: each of these index partitions has a part of the
// entities, ordered by start and entity.
func UsageIndex(w Window, resource string) []string {
	parts := make([]string, usageParts)
	for i := range parts {
		parts[i] = usageIndex(w, resource, i)
	}
	return parts
}

// UsageIndexRange is UsageRange for the partitions of UsageIndex.
func UsageIndexRange(from, to int64) (first, end string) { return second(from), second(to) }

// ListsUsage reports whether a partition, of the index or not, is one that lists snapshots.
func ListsUsage(partition string) bool { return strings.HasPrefix(partition, UsagePartition("")) }

func usageIndex(w Window, resource string, part int) string {
	return "u|" + w.letter() + "|" + resource + "|" + strconv.Itoa(part)
}

// entityPart is the part of the index that an entity's snapshots stand in. It is on disk.
func entityPart(entity string) int {
	h := uint32(2166136261) // FNV-1a
	for i := range len(entity) {
		h = (h ^ uint32(entity[i])) * 16777619
	}
	return int(h % usageParts)
}

// Seconds that all have ten digits, so that they sort as numbers do.
const (
	MinSecond = 0
	MaxSecond = 9_999_999_999
)

func second(s int64) string { return fmt.Sprintf("%010d", min(max(s, MinSecond), MaxSecond)) }

// Counter is how many tokens were used of a limit.
type Counter struct {
	Name string
	N    backend.Num
}

// Counters lists the counters of a snapshot, in the order in which it got them. ErrFormat for one that this version
// cannot read.
func Counters(r *backend.Record) ([]Counter, error) {
	var all []Counter
	for i, name := range usageNames(r) {
		if i == maxCounters {
			return nil, ErrFormat
		}
		n, _ := r.Num(firstCounter + backend.Slot(i))
		all = append(all, Counter{name, n})
	}
	rest, err := usageRest(r)
	return append(all, rest...), err
}

func usageNames(r *backend.Record) []string {
	if names, _ := r.Text(UsageNames); names != "" {
		return strings.Split(names, "|")
	}
	return nil
}

func usageRest(r *backend.Record) (rest []Counter, err error) {
	text, _ := r.Text(UsageRest)
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, "|") {
		name, count, found := strings.Cut(part, "=")
		var n backend.Num
		if !found || n.UnmarshalText([]byte(count)) != nil {
			return nil, ErrFormat
		}
		rest = append(rest, Counter{name, n})
	}
	return rest, nil
}
