package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// PurgeNamespace removes all records of a deleted namespace, and then its registration: the name is free again. One that
// was interrupted goes on when it is asked for again. *ValidationError for one that is active, for "default", and where
// the store cannot list a namespace; ErrNamespaceNotFound. Audited as namespace_purged when it begins and when it ends.
func (l *Limiter) PurgeNamespace(ctx context.Context, name string) error {
	scanner, ok := l.store.(backend.Scanner)
	if !ok {
		return &ValidationError{"store", fmt.Sprintf("%T", l.store), "cannot list a whole namespace, which purging one needs"}
	}
	if name == DefaultNamespace {
		return &ValidationError{"Namespace", name, "always exists and cannot be purged"}
	}
	if err := l.registry(ctx, name, beginPurge(name)); err != nil {
		return err
	}
	if err := l.removeAll(ctx, scanner, name); err != nil {
		return err
	}
	return l.registry(ctx, name, endPurge)
}

func beginPurge(name string) func(*Namespace, int64) (*Namespace, string, error) {
	return func(before *Namespace, _ int64) (*Namespace, string, error) {
		switch {
		case before == nil:
			return nil, "", fmt.Errorf("%w: %q", ErrNamespaceNotFound, name)
		case before.State == NamespaceActive:
			return nil, "", &ValidationError{"Namespace", name, "is active; delete it before it is purged"}
		case before.State == NamespacePurging:
			return before, "", nil
		}
		return before.in(NamespacePurging, before.DeletedAt), actionNamespacePurged, nil
	}
}

// endPurge leaves alone what somebody else has finished, and perhaps registered anew, meanwhile.
func endPurge(before *Namespace, _ int64) (*Namespace, string, error) {
	if before == nil || before.State != NamespacePurging {
		return before, "", nil
	}
	return nil, actionNamespacePurged, nil
}

// purgedAtOnce is how many records one commit removes. An entity may have 64 KiB of metadata, and DynamoDB takes 4 MB of
// items in one transaction.
const purgedAtOnce = 50

// removeAll removes the records of a namespace until none is found: limiters that have not noticed its deletion yet may
// make more. Whoever else purges it may be done first, and the name be registered again: so a page is only removed if
// the namespace was still being purged after it was found.
func (l *Limiter) removeAll(ctx context.Context, scanner backend.Scanner, namespace string) error {
	for position, found := "", 0; ; {
		keys, next, err := l.scan(ctx, scanner, namespace, position, backend.MaxPage)
		if err != nil {
			return err
		}
		r, err := l.readOne(ctx, schema.Namespace(namespace))
		if err != nil {
			return err
		}
		if state, _ := r.Text(schema.NamespaceState); state != NamespacePurging {
			return nil
		}
		if err := l.removePurged(ctx, namespace, keys); err != nil {
			return err
		}
		if position, found = next, found+len(keys); position == "" {
			if found == 0 {
				return nil
			}
			found = 0
		}
	}
}

// removePurged removes records of a namespace that is being purged. A request may be carried out long after it was
// sent, when the purge is over and the name has been registered again: so each commit demands that the namespace is
// still being purged. Only audit events need no such condition, for no event ever has the key of another.
func (l *Limiter) removePurged(ctx context.Context, namespace string, keys []backend.Key) error {
	var events, records []backend.Write
	for _, k := range keys {
		w := deleteAny(k)
		if w.Layout == schema.AuditLayout {
			events = append(events, w)
		} else {
			records = append(records, w)
		}
	}
	purging := backend.Write{
		Key: schema.Namespace(namespace), Layout: schema.NamespaceLayout,
		Conds: []backend.Cond{{Slot: schema.NamespaceState, Op: backend.Equal, Text: NamespacePurging}},
	}
	for some := range slices.Chunk(records, purgedAtOnce) {
		err := l.commit(ctx, append([]backend.Write{purging}, some...), purging.Key)
		if errors.Is(err, backend.ErrConflict) {
			return nil // somebody else has finished the purge: the next look at the namespace tells
		}
		if err != nil {
			return err
		}
	}
	return l.applyAll(ctx, events)
}

// scan gives the next keys of a namespace; those that this library cannot make are skipped.
func (l *Limiter) scan(ctx context.Context, scanner backend.Scanner, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	keys, next, err = l.scanOnce(ctx, scanner, namespace, after, size)
	var skip skipped
	keys = slices.DeleteFunc(keys, func(k backend.Key) bool {
		bad := k.Validate() != nil
		if bad {
			skip.add(1, errKey)
		}
		return bad
	})
	l.report(ctx, skip)
	return keys, next, err
}

// scanOnce asks for the next keys once, again if that fails.
func (l *Limiter) scanOnce(ctx context.Context, scanner backend.Scanner, namespace, after string, size int) (keys []backend.Key, next string, err error) {
	inner, cancel := l.budget(ctx)
	defer cancel()
	for try := 1; ; try++ {
		var some []backend.Key
		var position string
		_, err := l.call(inner, "scan", func(ctx context.Context) (err error) {
			some, position, err = scanner.Scan(ctx, namespace, after, size)
			return err
		})
		if err == nil {
			return some, position, nil
		}
		if !l.resend(inner, err, try) {
			return nil, "", failure(ctx, err)
		}
	}
}
