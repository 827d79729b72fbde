package changes

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// DefaultNamespace exists without being registered, and has the events of all namespaces.
const DefaultNamespace = "default"

// The states of a namespace. Limiters work only in an active one.
const (
	Active  = "active"
	Deleted = "deleted"
	Purging = "purging"
)

// The actions of changes of namespaces.
const (
	NamespaceRegistered = "namespace_registered"
	NamespaceDeleted    = "namespace_deleted"
	NamespaceRecovered  = "namespace_recovered"
	NamespacePurged     = "namespace_purged"
)

// Namespace is the registration of a namespace.
type Namespace struct {
	Name      string
	State     string
	CreatedAt time.Time // zero for the default namespace
	DeletedAt time.Time // zero while it is active
}

// ChangeNamespace changes a registration: next returns what becomes of it, nil to delete it, and the action of the audit event, "" for
// no change.
func (a *Admin) ChangeNamespace(ctx context.Context, name string, next func(before *Namespace, now int64) (*Namespace, string, error)) error {
	key := schema.Namespace(name)
	return a.Retry(ctx, func(now int64) error {
		r, err := a.Store.ReadOne(ctx, key)
		if err != nil {
			return err
		}
		before := NamespaceOf(name, r)
		after, action, err := next(before, now)
		if err != nil || action == "" {
			return err
		}
		defer a.ForgetNamespace(name)
		w := backend.Write{Key: key, Layout: schema.NamespaceLayout, Conds: []backend.Cond{Unchanged(r, schema.NamespaceVer)}}
		if after == nil {
			w.Remove = true
		} else {
			w.Effects = after.effects(nextVersion(now, r, schema.NamespaceVer))
		}
		e := Event{Action: action, Namespace: DefaultNamespace, Before: before.document(), After: after.document()}
		return a.Record(ctx, now, e, w)
	})
}

// NamespaceKeys lists the registered namespaces, with "default" among them in order.
func (a *Admin) NamespaceKeys(ctx context.Context, q backend.Query) (backend.Keys, error) {
	found, err := a.Store.Keys(ctx, q)
	if err != nil || q.After != nil && q.After.Sort >= DefaultNamespace {
		return found, err
	}
	at, listed := slices.BinarySearchFunc(found.Items, DefaultNamespace, func(it backend.Item, name string) int { return strings.Compare(it.Sort, name) })
	if !listed && (at < len(found.Items) || !found.More) {
		found.Items = slices.Insert(found.Items, at, backend.Item{Key: schema.Namespace(DefaultNamespace), Sort: DefaultNamespace})
	}
	return found, nil
}

// NamespaceOf decodes a registration; nil if there is none.
func NamespaceOf(name string, r *backend.Record) *Namespace {
	if !r.Present() {
		if name == DefaultNamespace {
			return &Namespace{Name: name, State: Active}
		}
		return nil
	}
	n := &Namespace{Name: name, CreatedAt: Instant(r.Int64(schema.NamespaceCreated))}
	n.State, _ = r.Text(schema.NamespaceState)
	if r.Has(schema.NamespaceDeleted) {
		n.DeletedAt = Instant(r.Int64(schema.NamespaceDeleted))
	}
	return n
}

// In returns the namespace in another state.
func (n *Namespace) In(state string, deleted time.Time) *Namespace {
	return &Namespace{n.Name, state, n.CreatedAt, deleted}
}

func (n *Namespace) effects(ver int64) []backend.Effect {
	deleted := backend.Effect{Slot: schema.NamespaceDeleted, Op: backend.Unset}
	if !n.DeletedAt.IsZero() {
		deleted = setNum(schema.NamespaceDeleted, n.DeletedAt.UnixNano())
	}
	return []backend.Effect{
		setNum(schema.NamespaceVer, ver), setNum(schema.NamespaceCreated, n.CreatedAt.UnixNano()), deleted,
		setText(schema.NamespaceState, n.State),
	}
}

// document is a namespace in an audit event; nil if there is none.
func (n *Namespace) document() any {
	if n == nil {
		return nil
	}
	return struct {
		Name  string `json:"name"`
		State string `json:"state"`
	}{n.Name, n.State}
}
