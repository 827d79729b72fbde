package follow

import (
	"context"
	"errors"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// Kind tells what has changed.
type Kind uint8

// The kinds of changes.
const (
	EntityChanged   Kind = iota + 1 // an entity: its record, or its limits, whatever they are for
	ResourceChanged                 // the limits of a resource
	SystemChanged                   // the limits or the policy of the system
	Everything                      // anything may have changed
)

// Change is something that has changed.
type Change struct {
	Kind Kind
	Name string // of the entity or of the resource
}

// mostRead is how many events a look reads to tell what they have changed.
const mostRead = 100

// changes returns what events have changed.
func (f *Follower) changes(ctx context.Context, events []backend.Key) (map[Change]bool, error) {
	found := make(map[Change]bool)
	var unclear []backend.Key
	for _, k := range events {
		if name := schema.AuditedOf(k); name != "" {
			found[Change{EntityChanged, name}] = true
		} else {
			unclear = append(unclear, k)
		}
	}
	if len(unclear) > mostRead {
		found[Change{Kind: Everything}] = true
		return found, nil
	}
	if len(unclear) == 0 {
		return found, nil
	}
	out, err := f.o.Store.Read(ctx, unclear)
	switch {
	case errors.As(err, new(*backend.UnreadableError)):
		found[Change{Kind: Everything}] = true
		return found, nil
	case err != nil:
		return nil, err
	}
	for i := range out {
		if c, ok := changeOf(&out[i]); ok {
			found[c] = true
		}
	}
	return found, nil
}

// changeOf tells what an event without an entity has changed; false for nothing here. Callers record events of their own,
// whose actions begin otherwise.
func changeOf(r *backend.Record) (Change, bool) {
	action, _ := r.Text(schema.AuditAction)
	resource, _ := r.Text(schema.AuditResource)
	switch {
	case !r.Present():
		return Change{Kind: Everything}, true // somebody has deleted it
	case !strings.HasPrefix(action, schema.ActionLimits):
		return Change{}, false
	case resource != "":
		return Change{ResourceChanged, resource}, true
	case action == schema.ActionLimitsSet || action == schema.ActionLimitsDeleted:
		return Change{Kind: SystemChanged}, true
	}
	return Change{Kind: Everything}, true // schema.ActionLimitsChanged, or a later version's
}

// Changed drops what this process has changed, and all that the limits of the same entities and resources may come from, so
// that the next Get does not find it: this process goes by all that was stored before its own change. Call it after the
// commit, also if its outcome is unknown.
func (f *Follower) Changed(changes ...Change) {
	for _, c := range changes {
		if c.Kind == EntityChanged {
			f.entities.renew(c.Name, func(e *entity) { e.own = true })
			continue
		}
		f.entities.clear()
		f.shared.clear()
	}
	f.seq.Add(1)
}

// apply drops what events have changed. The records of resources and of the system are read again by this look, so that
// until then nobody has to wait.
func (f *Follower) apply(changes map[Change]bool) {
	if len(changes) == 0 {
		return
	}
	for c := range changes {
		switch c.Kind {
		case EntityChanged:
			f.entities.drop(c.Name)
		case ResourceChanged, SystemChanged:
			f.shared.replace(c.Name, inherit)
		case Everything:
			f.entities.clear()
			f.shared.clear()
		}
	}
	f.seq.Add(1)
	f.tell(changes)
}

func (f *Follower) tell(changes map[Change]bool) {
	if f.o.OnChange != nil {
		for c := range changes {
			f.o.OnChange(c)
		}
	}
}

// NextID returns the id of an audit event that this process is about to write, a ULID. It follows those of all events that
// looks have shown, but is at most a minute ahead of now.
func (f *Follower) NextID(now int64) (string, error) { return f.history.next(now) }

// Wrote notes that this process has written events. Call it when their commit has certainly been made.
func (f *Follower) Wrote(now int64, ids ...string) {
	if f.off() {
		return
	}
	for _, id := range ids {
		f.history.wrote(id, now)
	}
}
