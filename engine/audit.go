package engine

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// auditRetention is how long the store keeps an audit event.
const auditRetention = 90 * 24 * time.Hour

// The actions of audit events. Events of namespaces are stored in the namespace "default".
const (
	actionEntityCreated      = "entity_created"
	actionEntityUpdated      = "entity_updated"
	actionEntityDeleted      = "entity_deleted"
	actionLimitsSet          = "limits_set"
	actionLimitsDeleted      = "limits_deleted"
	actionBucketReset        = "bucket_reset"
	actionNamespaceRegister  = "namespace_registered"
	actionNamespaceDeleted   = "namespace_deleted"
	actionNamespaceRecovered = "namespace_recovered"
	actionNamespacePurged    = "namespace_purged"
)

// AuditQuery asks for audit events. The zero query asks for the newest page of all events.
type AuditQuery struct {
	Entity   string    // only events of this entity; "" for all events
	Resource string    // only events of this resource, and of entities' limits and buckets for it; "" for all events
	System   bool      // only events without entity and resource: of the system's limits, namespaces and the stack
	From, To time.Time // From ≤ time < To; zero means no bound
	Page     Page
}

// AuditEvent describes one change. Events are kept for 90 days.
type AuditEvent struct {
	ID               string // a ULID: ids sort by time
	Action           string // entity_created, limits_set, …
	Entity, Resource string // "" if it is of none; both are "" for the system's limits and for namespaces
	Principal        string // Options.Principal of the limiter that made the change
	Time             time.Time
	Before, After    json.RawMessage // JSON documents of what was changed; nil if it did not exist before, or does not afterwards
}

// AuditPage is one page of audit events.
type AuditPage = List[AuditEvent]

// AuditEvents lists the changes in the limiter's namespace, the newest first. With Entity or System the list is complete;
// otherwise it comes from an index that lags, so an event that was written a moment ago may be missing. A query with Resource
// reads all events that match its other conditions, which takes many requests for a long history. Events of namespaces
// (registered, deleted, recovered, purged) are in the namespace "default".
func (l *Limiter) AuditEvents(ctx context.Context, q AuditQuery) (AuditPage, error) {
	if q.Entity != "" {
		if err := checkEntity(q.Entity); err != nil {
			return AuditPage{}, err
		}
	}
	if q.Resource != "" {
		if err := checkResource(q.Resource); err != nil {
			return AuditPage{}, err
		}
	}
	if q.System && (q.Entity != "" || q.Resource != "") {
		return AuditPage{}, &ValidationError{"System", q.System, "must be false if Entity or Resource is set"}
	}
	if !q.To.IsZero() && q.To.Before(q.From) {
		return AuditPage{}, &ValidationError{"To", q.To, "must not be before From"}
	}
	if err := l.checkNamespace(ctx); err != nil {
		return AuditPage{}, err
	}
	s := store.Listing{Query: backend.Query{Namespace: l.opts.Namespace, Partition: schema.AuditIndex, Index: true, Reverse: true}}
	if q.Entity != "" || q.System {
		s.Query.Partition, s.Query.Index = schema.AuditPartition(q.Entity), false
	}
	if !q.From.IsZero() {
		s.Query.From = firstID(q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		s.Query.To = firstID(q.To.Add(time.Millisecond - 1).UnixMilli())
	}
	return walk(ctx, l, q.Page, s, func(it backend.Item, r *backend.Record) (AuditEvent, bool, error) {
		if !r.Present() {
			return AuditEvent{}, false, nil
		}
		e, err := eventOf(it, r)
		within := !e.Time.Before(q.From) && (q.To.IsZero() || e.Time.Before(q.To))
		of := q.Resource == "" && !q.System || e.Resource == q.Resource
		return e, within && of, err
	})
}

// firstID is not greater than the ids of all events of this millisecond and later.
func firstID(ms int64) string {
	var id ulid.ULID
	_ = id.SetTime(min(uint64(max(ms, 0)), ulid.MaxTime())) // fails only above MaxTime
	return id.String()
}

// eventOf decodes the record of an event. It returns ErrSchema if a document is not JSON, because nobody could print it.
func eventOf(it backend.Item, r *backend.Record) (AuditEvent, error) {
	e := AuditEvent{ID: it.Key.Sort, Entity: schema.AuditedOf(it.Key), Time: instant(r.Int64(schema.AuditTime))}
	e.Action, _ = r.Text(schema.AuditAction)
	e.Resource, _ = r.Text(schema.AuditResource)
	e.Principal, _ = r.Text(schema.AuditPrincipal)
	if text, ok := r.Text(schema.AuditBefore); ok {
		e.Before = json.RawMessage(text)
	}
	if text, ok := r.Text(schema.AuditAfter); ok {
		e.After = json.RawMessage(text)
	}
	for _, document := range []json.RawMessage{e.Before, e.After} {
		if document != nil && !json.Valid(document) {
			return e, fmt.Errorf("%w: audit event %s has a document that is not JSON", ErrSchema, e.ID)
		}
	}
	return e, nil
}

// event is an audit event to be written.
type event struct {
	action, entity, resource string
	namespace                string // in which it is written; "" for the limiter's
	before, after            any    // documents; nil for none
}

// commitAudited commits writes together with the audit event of the change.
func (l *Limiter) commitAudited(ctx context.Context, now int64, e event, writes ...backend.Write) error {
	w, err := l.audit(now, &e)
	if err != nil {
		return err
	}
	return l.store.Commit(ctx, append(writes, w), w.Key)
}

// audit returns the write of an event, with a new id.
func (l *Limiter) audit(now int64, e *event) (backend.Write, error) {
	id, err := l.events.next(now)
	if err != nil {
		return backend.Write{}, err
	}
	if e.namespace == "" {
		e.namespace = l.opts.Namespace
	}
	before, err := document(e.before)
	if err != nil {
		return backend.Write{}, err
	}
	after, err := document(e.after)
	if err != nil {
		return backend.Write{}, err
	}
	key, place := schema.Audit(e.namespace, e.entity, id)
	return backend.Write{
		Key: key, Layout: schema.AuditLayout, Index: &place,
		Expiry: backend.Expiry((now + int64(auditRetention)) / int64(time.Second)),
		Conds:  []backend.Cond{{Slot: schema.AuditTime, Op: backend.Absent}},
		Effects: []backend.Effect{
			setNum(schema.AuditTime, now), setText(schema.AuditAction, e.action), setText(schema.AuditResource, e.resource),
			setText(schema.AuditPrincipal, strings.ToValidUTF8(l.opts.Principal, "\uFFFD")),
			setText(schema.AuditBefore, before), setText(schema.AuditAfter, after),
		},
	}, nil
}

// document encodes a value as JSON, with sorted maps; "" for nil.
func document(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // it would make metadata longer than what was checked
	err := encoder.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// eventIDs creates the ids of events, increasing also within a millisecond. The zero value is ready to use. Safe for
// concurrent use.
type eventIDs struct {
	lock    sync.Mutex
	entropy *ulid.MonotonicEntropy
}

func (g *eventIDs) next(now int64) (string, error) {
	g.lock.Lock()
	defer g.lock.Unlock()
	if g.entropy == nil {
		g.entropy = ulid.Monotonic(rand.Reader, 0)
	}
	id, err := ulid.New(uint64(now/int64(time.Millisecond)), g.entropy)
	return id.String(), err
}
