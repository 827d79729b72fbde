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

// retain is the write that gives a new audit event another expiry.
func retain(c *backend.Change, keep time.Duration) backend.Write {
	at, _ := c.After.Num(schema.AuditTime)
	return backend.Write{
		Key: c.Key, Layout: schema.AuditLayout,
		Expiry:  backend.Expiry((at.SaturateInt64() + int64(keep)) / int64(time.Second)),
		Conds:   []backend.Cond{{Slot: schema.AuditTime, Op: backend.Equal, A: at}},
		Effects: []backend.Effect{{Slot: schema.AuditTime, Op: backend.Set, Num: at}},
	}
}

// retention is the job of giving an audit event another expiry. Where the event has gone meanwhile it is done.
type retention struct {
	w     backend.Write
	index int
}

func (r *retention) write() (backend.Write, bool, error) { return r.w, r.w.Layout != nil, nil }
func (r *retention) refused(*backend.Record)             { r.w = backend.Write{} }
func (r *retention) applied()                            {}
func (r *retention) changes() []int                      { return []int{r.index} }

// line is an audit event in the archive.
type line struct {
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

func lineOf(c *backend.Change, index int) (line, error) {
	r := &c.Before
	at := time.Unix(0, r.Int64(schema.AuditTime)).UTC()
	text := func(s backend.Slot) string {
		v, _ := r.Text(s)
		return v
	}
	l := line{
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
		return l, unreadable(c.Key, "is no audit event")
	}
	return l, nil
}

// archive puts the audit events that expired into the archive, a file for each of their days.
func (b *batch) archive() {
	if b.a.opts.Archive == nil {
		return
	}
	days := map[time.Time][]line{}
	for _, i := range b.archives {
		l, err := lineOf(&b.changes[i], i)
		if err != nil {
			b.failed[i] = err
			continue
		}
		days[l.day] = append(days[l.day], l)
	}
	for day, lines := range days {
		name, content, err := file(day, lines)
		if err == nil {
			err = b.a.opts.Archive.Put(b.ctx, name, content)
		}
		if err == nil {
			b.archived += len(lines)
			continue
		}
		for _, l := range lines {
			b.failed[l.index] = fmt.Errorf("aggregator: audit event %s was not archived: %w", l.ID, err)
		}
	}
}

// file is the archive's file of events of one day. Its name and content depend on nothing but the events, so a batch that
// comes again makes the same file again.
func file(day time.Time, lines []line) (name string, content []byte, err error) {
	slices.SortFunc(lines, func(x, y line) int { return strings.Compare(x.ID, y.ID) })
	lines = slices.CompactFunc(lines, func(x, y line) bool { return x.ID == y.ID }) // one may have come twice
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
