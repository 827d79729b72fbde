package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/follow"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// actionBucketReset is the action of the one audit event that package changes does not make.
const actionBucketReset = "bucket_reset"

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
	ID               string // a ULID, greater than those of earlier events. Its time is Time, or up to a minute later if clocks differ
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
	if err := checkFilter(q.Entity, q.Resource); err != nil {
		return AuditPage{}, err
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
		s.Query.From = follow.FirstID(q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		s.Query.To = follow.FirstID(q.To.Add(follow.MostAhead + time.Millisecond - 1).UnixMilli())
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

// eventOf decodes the record of an event. It returns ErrSchema if a document is not JSON, because nobody could print it.
func eventOf(it backend.Item, r *backend.Record) (AuditEvent, error) {
	e := AuditEvent{ID: it.Key.Sort, Entity: schema.AuditedOf(it.Key), Time: changes.Instant(r.Int64(schema.AuditTime))}
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
