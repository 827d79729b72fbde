package memory

import (
	"context"
	"strconv"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
)

// List implements [backend.Backend]. Index listings are as fresh as primary ones.
func (s *Store) List(ctx context.Context, q backend.Query) (backend.Keys, error) {
	if err := s.check(ctx); err != nil {
		return backend.Keys{}, err
	}
	if err := q.Validate(); err != nil {
		return backend.Keys{}, err
	}
	s.order.build(s)
	s.order.lock.RLock()
	defer s.order.lock.RUnlock()
	view := &s.order.primary
	if q.Index {
		view = &s.order.index
	}
	from, to := bounds(&q)
	step, at := view.next, view.seek(from)
	if q.Reverse {
		step, at = view.previous, view.seek(to)
	}
	var page backend.Keys
	for r := step(&at); r != nil; r = step(&at) {
		p := view.at(r)
		if !q.Reverse && p.compare(&to) >= 0 || q.Reverse && p.compare(&from) < 0 {
			break
		}
		if page.More = len(page.Items) == q.Size; page.More {
			break
		}
		page.Items = append(page.Items, backend.Item{Key: r.key(), Sort: p[2]})
	}
	return page, s.check(ctx)
}

// bounds returns the least position of the query's listing and the one that ends it, in either direction.
func bounds(q *backend.Query) (from, to position) {
	from = position{q.Namespace, q.Partition, q.From}
	to = from.behind(2)
	if q.To != "" {
		to = position{q.Namespace, q.Partition, q.To}
	}
	if q.After == nil {
		return from, to
	}
	after := position{q.Namespace, q.Partition, q.After.Sort}
	if q.Index {
		after[3], after[4] = q.After.Key.Partition, q.After.Key.Sort
	}
	if q.Reverse {
		if after.compare(&to) < 0 {
			to = after
		}
	} else if after = after.behind(5); from.compare(&after) < 0 {
		from = after
	}
	return from, to
}

// build puts all records into the order, shard by shard, before the first listing.
func (o *order) build(s *Store) {
	if o.built.Load() {
		return
	}
	o.building.Lock()
	defer o.building.Unlock()
	for i := range s.shards {
		s.shards[i].list(o)
	}
	o.built.Store(true)
}

func (sh *shard) list(o *order) {
	sh.lock.Lock()
	defer sh.lock.Unlock()
	if sh.listed {
		return
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	for _, r := range sh.table.records {
		if r != nil {
			o.addLocked(r)
		}
	}
	sh.listed = true
}

// Scan is a [backend.ScanFunc], in the order of keys. A position is the length of a partition, the partition and the sort.
func (s *Store) Scan(ctx context.Context, namespace, after string, size int) ([]backend.Key, string, error) {
	if err := s.check(ctx); err != nil {
		return nil, "", err
	}
	if err := (backend.Key{Namespace: namespace, Partition: "-", Sort: "-"}).Validate(); err != nil {
		return nil, "", err
	}
	if size < 1 {
		return nil, "", errSize(size)
	}
	from := position{namespace}
	to := from.behind(1)
	if after != "" {
		length, parts, _ := strings.Cut(after, ":")
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > len(parts) {
			return nil, "", errPosition(after)
		}
		from = position{namespace, parts[:n], parts[n:]}.behind(5)
	}
	s.order.build(s)
	s.order.lock.RLock()
	defer s.order.lock.RUnlock()
	view := &s.order.primary
	var keys []backend.Key
	at := view.seek(from)
	for r := view.next(&at); r != nil; r = view.next(&at) {
		p := view.at(r)
		if p.compare(&to) >= 0 {
			break
		}
		if len(keys) == size {
			last := keys[size-1]
			return keys, strconv.Itoa(len(last.Partition)) + ":" + last.Partition + last.Sort, s.check(ctx)
		}
		keys = append(keys, r.key())
	}
	return keys, "", s.check(ctx)
}
