package follow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/internal/store"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

const (
	mostCalls = 8   // of List, in one listing: an index that somebody floods costs no more
	mostAged  = 100 // records that one look reads because of their age
)

// look is one look; there is one at a time. It returns nil if it vouches for what is in memory.
func (f *Follower) look(ctx context.Context, now int64) error {
	if !f.history.begun {
		if err := f.begin(ctx, now); err != nil {
			return err
		}
	} else if err := f.follow(ctx, now); err != nil {
		return err
	}
	again, err := f.reread(ctx, now)
	if err == nil && again { // the namespace was registered again, perhaps with another list of events
		f.history.end()
		if err = f.beginAgain(ctx, now); err == nil {
			_, err = f.reread(ctx, now)
		}
	}
	if err != nil {
		return err
	}
	if since, found := f.history.invisible(now); found {
		f.vouched.Store(min(f.vouched.Load(), since))
		return errInvisible
	}
	return nil
}

// begin makes the history begin with the latest event, and drops everything, of which nothing is known.
func (f *Follower) begin(ctx context.Context, now int64) error {
	page, complete, err := f.list(ctx, backend.Query{To: horizon(now), Reverse: true, Size: overlapKeys}, "")
	if err != nil {
		return err
	}
	if len(page) == 0 && !complete {
		return errFlooded
	}
	f.history.begin(ids(page), !complete, now)
	f.Changed(Change{Kind: Everything})
	return nil
}

// beginAgain is begin if something was known before.
func (f *Follower) beginAgain(ctx context.Context, now int64) error {
	err := f.begin(ctx, now)
	if err == nil {
		f.tell(map[Change]bool{{Kind: Everything}: true})
	}
	return err
}

// follow applies the events that are new.
func (f *Follower) follow(ctx context.Context, now int64) error {
	w, end := f.history.window(now), horizon(now)
	page, complete, err := f.list(ctx, backend.Query{From: w.from, Size: w.size()}, end)
	if err != nil {
		return err
	}
	if !complete {
		if f.flooded != 0 && time.Duration(now-f.flooded).Abs() < f.o.TTL/5 {
			return errFlooded // to drop everything once a second would be worse than no looks
		}
		f.flooded = now
		return f.beginAgain(ctx, now)
	}
	counted, _ := slices.BinarySearchFunc(page, end, func(it backend.Item, id string) int { return strings.Compare(it.Sort, id) })
	far := ids(page[counted:])
	alarm := f.lastNew(far)
	if alarm != "" && f.alarmed != 0 && time.Duration(now-f.alarmed).Abs() < f.o.TTL {
		alarm, far = "", slices.DeleteFunc(far, f.history.isNew) // later
	}
	var events []backend.Key
	for _, it := range page[:counted] {
		if f.history.isNew(it.Sort) {
			events = append(events, it.Key)
		}
	}
	changes, err := f.changes(ctx, events)
	if err != nil {
		return err
	}
	if alarm != "" {
		f.alarmed = now
		changes[Change{Kind: Everything}] = true
		if f.o.OnAhead != nil {
			f.o.OnAhead(alarm, time.Duration(idTime(alarm)-millis(now))*time.Millisecond)
		}
	}
	f.apply(changes)
	f.history.remember(ids(page[:counted]), far, &w, now)
	return nil
}

// lastNew is the last id that is new; "" for none.
func (f *Follower) lastNew(ids []string) string {
	for _, id := range slices.Backward(ids) {
		if f.history.isNew(id) {
			return id
		}
	}
	return ""
}

// list lists events, leaving out what is none of this namespace. It is complete if it has reached the end of the list, or
// the sort end.
func (f *Follower) list(ctx context.Context, q backend.Query, end string) (page []backend.Item, complete bool, err error) {
	q.Namespace, q.Partition, q.Index = f.o.Namespace, schema.AuditIndex, true
	size := q.Size
	for range mostCalls {
		q.Size = min(size-len(page), backend.MaxPage)
		found, err := f.o.Store.List(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, it := range found.Items {
			if isEvent(f.o.Namespace, &it) {
				page = append(page, it)
			}
		}
		last := found.Rest
		if last == nil && len(found.Items) > 0 {
			last = &found.Items[len(found.Items)-1]
		}
		switch {
		case !found.More || last == nil, end != "" && last.Sort >= end:
			return page, true, nil
		case len(page) >= size:
			return page, false, nil
		}
		q.After = last
	}
	return page, false, nil
}

// isEvent reports whether this library put the item into the list of a namespace's events.
func isEvent(namespace string, it *backend.Item) bool {
	place, known := schema.Standing(it.Key)
	_, err := ulid.ParseStrict(it.Sort)
	return err == nil && known && it.Key.Namespace == namespace && schema.LayoutOf(it.Key) == schema.AuditLayout &&
		place == backend.Place{Partition: schema.AuditIndex, Sort: it.Sort}
}

// reread reads the records that Options.Check needs, those of resources and the system that events have changed, and some of
// those that are old. It reports again if the registration of the namespace is another one than before.
func (f *Follower) reread(ctx context.Context, now int64) (again bool, err error) {
	var keys []backend.Key
	if f.o.CheckKeys != nil {
		keys = f.o.CheckKeys()
	}
	checked := len(keys)
	names := f.toReread(now)
	entries := make([]*shared, len(names))
	for i, name := range names {
		entries[i] = f.shared.peek(name)
		keys = append(keys, f.sharedKey(name))
	}
	if len(keys) == 0 {
		return false, nil
	}
	out, err := f.o.Store.Read(ctx, keys)
	bad, unreadable := errors.AsType[*backend.UnreadableError](err)
	if err != nil && (!unreadable || slices.Min(bad.Indexes) < checked) {
		return false, err
	}
	if again, err = f.check(ctx, out[:checked]); err != nil || f.gone.Load() != nil {
		return false, err
	}
	changed := false
	for i, name := range names {
		switch {
		case entries[i] == nil:
		case unreadable && slices.Contains(bad.Indexes, checked+i):
			f.shared.drop(name) // who needs it gets the error
			changed = true
		default:
			changed = entries[i].put(f.sharedOf(&out[checked+i], now)) || changed
		}
	}
	if changed || len(names) > 0 { // users of a record that was read again mark it as used
		f.seq.Add(1)
	}
	return again, nil
}

// toReread names the records to read again, and drops those that are old and that nobody uses.
func (f *Follower) toReread(now int64) (names []string) {
	aged := 0
	due := f.shared.names(func(s *shared) bool { due, _ := s.due(f.o.TTL, now); return due })
	for _, name := range due {
		s := f.shared.peek(name)
		if s == nil {
			continue
		}
		if _, hit := s.due(f.o.TTL, now); hit {
			names = append(names, name)
			continue
		}
		if aged < mostAged && !f.shared.unused(name) {
			aged++
			names = append(names, name)
		}
	}
	return names
}

// check asks Options.Check, and remembers what it says of the namespace. It returns an error only if the store cannot be
// reached.
func (f *Follower) check(ctx context.Context, out []backend.Record) (again bool, err error) {
	if len(out) == 0 {
		return false, nil
	}
	version := f.registered
	for i := range out {
		if out[i].Layout() == schema.NamespaceLayout {
			f.registered = out[i].Int64(schema.NamespaceVer)
		}
	}
	again = version != 0 && version != f.registered || f.gone.Load() != nil
	gone := f.o.Check(ctx, out)
	switch {
	case gone == nil:
		f.gone.Store(nil)
		return again, nil
	case ctx.Err() != nil || errors.Is(gone, store.ErrUnavailable) || errors.Is(gone, store.ErrClosed):
		f.registered = version
		return false, gone
	}
	f.gone.Store(&gone)
	f.apply(map[Change]bool{{Kind: Everything}: true})
	return false, nil
}

func ids(page []backend.Item) []string {
	out := make([]string, len(page))
	for i := range page {
		out[i] = page[i].Sort
	}
	return out
}
