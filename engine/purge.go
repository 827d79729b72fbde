package engine

import (
	"context"
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

// removeAll removes the records of a namespace until none is found: limiters that have not noticed its deletion yet may
// make more. Whoever else does the same may be done first, and the namespace be in use again: so nothing is removed but
// what was found while it was being purged.
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
		writes := make([]backend.Write, len(keys))
		for i, k := range keys {
			writes[i] = removing(k)
		}
		if err := l.remove(ctx, writes); err != nil {
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
