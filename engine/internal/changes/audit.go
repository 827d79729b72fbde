package changes

import (
	"context"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// auditRetention is how long the store keeps an audit event.
const auditRetention = 90 * 24 * time.Hour

// The actions of changes.
const (
	actionEntityCreated = "entity_created"
	actionEntityUpdated = "entity_updated"
	actionEntityDeleted = "entity_deleted"
)

// Event is an audit event to be written.
type Event struct {
	Action           string
	Entity, Resource string // "" if it is of none
	Namespace        string // in which it is written; "" for the Admin's
	Before, After    any    // documents; nil for none
}

// Commit commits writes together with the audit event of the change.
func (a *Admin) Commit(ctx context.Context, now int64, e Event, writes ...backend.Write) error {
	a.look(ctx, now)
	return a.Record(ctx, now, e, writes...)
}

// Record is Commit without a look, for events that no limiter follows. Changes of namespaces must use it, because a look may
// register the namespace.
func (a *Admin) Record(ctx context.Context, now int64, e Event, writes ...backend.Write) error {
	w, err := a.audit(now, &e)
	if err != nil {
		return err
	}
	return a.commit(ctx, now, append(writes, w))
}

// look makes sure that the ids of new events follow those that others have written, but for the last second.
func (a *Admin) look(ctx context.Context, now int64) { a.Follower.Look(ctx, now, time.Second) }

// commit commits writes of which the last is that of an event. A condition of it tells whether an earlier try was applied.
func (a *Admin) commit(ctx context.Context, now int64, writes []backend.Write) error {
	if err := a.Store.Commit(ctx, writes, writes[len(writes)-1].Key); err != nil {
		return err
	}
	for i := range writes {
		if k := writes[i].Key; writes[i].Layout == schema.AuditLayout && k.Namespace == a.Namespace {
			a.Follower.Wrote(now, k.Sort)
		}
	}
	return nil
}

// manyEvents is how many events an operation may write without telling limiters to read everything again.
const manyEvents = 100

// tellOfMany ends an operation that has written n events. If these are many, limiters may miss some of them, as these reach
// the index late and out of order. So a last event makes limiters read everything again.
func (a *Admin) tellOfMany(ctx context.Context, n int) error {
	if n <= manyEvents {
		return nil
	}
	return a.Retry(context.WithoutCancel(ctx), func(now int64) error {
		return a.Commit(ctx, now, Event{Action: schema.ActionLimitsChanged})
	})
}

// audit returns the write of an event, with a new id.
func (a *Admin) audit(now int64, e *Event) (backend.Write, error) {
	id, err := a.Follower.NextID(now)
	if err != nil {
		return backend.Write{}, err
	}
	if e.Namespace == "" {
		e.Namespace = a.Namespace
	}
	before, err := document(e.Before)
	if err != nil {
		return backend.Write{}, err
	}
	after, err := document(e.After)
	if err != nil {
		return backend.Write{}, err
	}
	key, place := schema.Audit(e.Namespace, e.Entity, id)
	return backend.Write{
		Key: key, Layout: schema.AuditLayout, Index: &place,
		Expiry: backend.Expiry((now + int64(auditRetention)) / int64(time.Second)),
		Conds:  []backend.Cond{{Slot: schema.AuditTime, Op: backend.Absent}},
		Effects: []backend.Effect{
			setNum(schema.AuditTime, now), setText(schema.AuditAction, e.Action), setText(schema.AuditResource, e.Resource),
			setText(schema.AuditPrincipal, strings.ToValidUTF8(a.Principal, "\uFFFD")),
			setText(schema.AuditBefore, before), setText(schema.AuditAfter, after),
		},
	}, nil
}
