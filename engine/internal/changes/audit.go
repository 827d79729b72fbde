package changes

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

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
	actionLimitsSet     = "limits_set"
	actionLimitsDeleted = "limits_deleted"
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
	w, err := a.audit(now, &e)
	if err != nil {
		return err
	}
	return a.Store.Commit(ctx, append(writes, w), w.Key)
}

// audit returns the write of an event, with a new id.
func (a *Admin) audit(now int64, e *Event) (backend.Write, error) {
	id, err := a.ids.next(now)
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
			SetNum(schema.AuditTime, now), SetText(schema.AuditAction, e.Action), SetText(schema.AuditResource, e.Resource),
			SetText(schema.AuditPrincipal, strings.ToValidUTF8(a.Principal, "\uFFFD")),
			SetText(schema.AuditBefore, before), SetText(schema.AuditAfter, after),
		},
	}, nil
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
