package aggregator

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

func seconds(d time.Duration) backend.Expiry { return backend.Expiry(d / time.Second) }

// retentionWrite returns the write that sets the expiry of a new audit event.
func retentionWrite(c *backend.Change, keep time.Duration) backend.Write {
	at, _ := c.After.Num(schema.AuditTime)
	return backend.Write{
		Key: c.Key, Layout: schema.AuditLayout,
		Expiry:  backend.Expiry((at.SaturateInt64() + int64(keep)) / int64(time.Second)),
		Conds:   []backend.Cond{{Slot: schema.AuditTime, Op: backend.Equal, A: at}},
		Effects: []backend.Effect{{Slot: schema.AuditTime, Op: backend.Set, Num: at}},
	}
}

// retentionJob sets the expiry of an audit event. It is done if the event no longer exists.
type retentionJob struct {
	w     backend.Write
	index int
}

func (r *retentionJob) write() (backend.Write, bool, error) { return r.w, r.w.Layout != nil, nil }
func (r *retentionJob) refused(*backend.Record)             { r.w = backend.Write{} }
func (r *retentionJob) applied()                            {}
func (r *retentionJob) changes() []int                      { return []int{r.index} }

// archivedEvent is the line of an audit event in the archive.
type archivedEvent struct {
	ID        string          `json:"event_id"`
	Time      string          `json:"time"` // RFC 3339, UTC
	Namespace string          `json:"namespace"`
	Action    string          `json:"action"`
	Entity    string          `json:"entity_id,omitempty"`
	Resource  string          `json:"resource,omitempty"`
	Principal string          `json:"principal,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`

	index int
	day   time.Time
}

func newLine(c *backend.Change, index int) (archivedEvent, error) {
	r := &c.Before
	at := time.Unix(0, r.Int64(schema.AuditTime)).UTC()
	text := func(s backend.Slot) string {
		v, _ := r.Text(s)
		return v
	}
	l := archivedEvent{
		ID: c.Key.Sort, Time: at.Format(time.RFC3339Nano), Namespace: c.Key.Namespace,
		Entity: schema.AuditedOf(c.Key),
		Action: text(schema.AuditAction), Resource: text(schema.AuditResource), Principal: text(schema.AuditPrincipal),
		index: index, day: at.Truncate(24 * time.Hour),
	}
	for to, slot := range map[*json.RawMessage]backend.Slot{&l.Before: schema.AuditBefore, &l.After: schema.AuditAfter} {
		if v := text(slot); v != "" {
			*to = json.RawMessage(v)
		}
	}
	if l.Action == "" || len(l.Before) > 0 && !json.Valid(l.Before) || len(l.After) > 0 && !json.Valid(l.After) {
		return l, unreadableRecord(c.Key, "is not an audit event")
	}
	return l, nil
}

// archive writes the expired audit events to the archive, one file per day of the events.
func (b *batch) archive() {
	if b.a.opts.Archive == nil {
		return
	}
	days := map[time.Time][]archivedEvent{}
	for _, i := range b.expiredEvents {
		l, err := newLine(&b.changes[i], i)
		if err != nil {
			b.failed[i] = err
			continue
		}
		days[l.day] = append(days[l.day], l)
	}
	for day, lines := range days {
		name, content, err := archiveFile(day, lines)
		if err == nil {
			err = b.a.opts.Archive.Put(b.ctx, name, content)
		}
		if err == nil {
			b.archived += len(lines)
			continue
		}
		for _, l := range lines {
			b.failed[l.index] = fmt.Errorf("aggregator: archive audit event %s: %w", l.ID, err)
		}
	}
}

// archiveFile returns the file with events of one day. Its name and its content depend only on the events, so a batch that is
// processed again writes the same file.
func archiveFile(day time.Time, lines []archivedEvent) (name string, content []byte, err error) {
	slices.SortFunc(lines, func(x, y archivedEvent) int { return strings.Compare(x.ID, y.ID) })
	lines = slices.CompactFunc(lines, func(x, y archivedEvent) bool { return x.ID == y.ID }) // an event may have been delivered twice
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	for _, l := range lines {
		if err := encoder.Encode(l); err != nil {
			return "", nil, err
		}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(plain.Bytes()); err != nil {
		return "", nil, err
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(plain.Bytes())
	name = day.Format("audit/year=2006/month=01/day=02/") + lines[0].ID + "-" + hex.EncodeToString(sum[:6]) + ".jsonl.gz"
	return name, packed.Bytes(), nil
}
