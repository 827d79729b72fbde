package aggregator

import (
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// snapshotID identifies a snapshot in a batch.
type snapshotID struct {
	bucket backend.Key
	window Window
	start  int64
}

// snapshot collects what a batch adds to one snapshot.
type snapshot struct {
	snapshotID
	expiry  backend.Expiry
	pending []*consumed    // sorted by version
	seen    backend.Record // the record when a write was refused

	taken   []int // indexes of the changes that were added
	written bool
}

// addToSnapshots adds the consumption of a change to the snapshot of each kind of window.
func (b *batch) addToSnapshots(bucket backend.Key, in *consumed) {
	b.consuming = append(b.consuming, in.index)
	for _, w := range b.a.opts.Windows {
		id := snapshotID{bucket, w, w.Start(in.time)}
		expiry := backend.Expiry(w.End(id.start)) + seconds(b.a.opts.UsageRetention)
		if int64(expiry) <= b.now.Unix() {
			continue // the snapshot would have expired already
		}
		s := b.snapshots[id]
		if s == nil {
			s = &snapshot{snapshotID: id, expiry: expiry}
			s.seen.Reset(schema.UsageLayout)
			b.snapshots[id] = s
			b.jobs = append(b.jobs, s)
		}
		if n := len(s.pending); n == 0 || s.pending[n-1].version < in.version { // otherwise the change was delivered twice
			s.pending = append(s.pending, in)
		}
	}
}

// write implements job. It returns one write for all changes that the snapshot does not include yet.
func (s *snapshot) write() (w backend.Write, needed bool, err error) {
	if len(s.pending) == 0 {
		return w, false, nil
	}
	entity, resource, _ := schema.BucketOf(s.bucket)
	key, index := schema.Usage(s.bucket.Namespace, entity, resource, s.window, s.start)
	acquires, tokens := s.sum()
	conds, effects, err := schema.Count(&s.seen, tokens)
	if err != nil {
		return w, false, unreadableRecord(key, "has counters in an unknown format")
	}
	last := s.pending[len(s.pending)-1].version
	version := backend.Cond{Slot: schema.UsageVer, Op: backend.Less, OrAbsent: true, A: backend.Int(s.pending[0].version)}
	if ver, known := s.seen.Num(schema.UsageVer); known {
		version = backend.Cond{Slot: schema.UsageVer, Op: backend.Equal, A: ver}
	}
	return backend.Write{
		Key: key, Layout: schema.UsageLayout, Index: &index, Expiry: s.expiry,
		Conds: append(conds, version),
		Effects: append(effects,
			backend.Effect{Slot: schema.UsageVer, Op: backend.Set, Num: backend.Int(last)},
			backend.Effect{Slot: schema.UsageAcq, Op: backend.Add, Num: acquires}),
	}, true, nil
}

// sum returns the sum of the pending changes, by limit.
func (s *snapshot) sum() (acquires backend.Num, tokens []schema.Counter) {
	at := map[string]int{}
	for _, in := range s.pending {
		acquires = acquires.Add(in.acquires)
		for _, c := range in.tokens {
			i, known := at[c.Name]
			if !known {
				i = len(tokens)
				at[c.Name] = i
				tokens = append(tokens, schema.Counter{Name: c.Name})
			}
			tokens[i].N = tokens[i].N.Add(c.N)
		}
	}
	slices.SortFunc(tokens, func(a, b schema.Counter) int { return strings.Compare(a.Name, b.Name) })
	return acquires, tokens
}

// refused implements job. It drops the changes that the snapshot already includes.
func (s *snapshot) refused(r *backend.Record) {
	s.seen.CopyFrom(r)
	ver := r.Int64(schema.UsageVer)
	s.pending = slices.DeleteFunc(s.pending, func(in *consumed) bool { return in.version <= ver })
}

// applied implements job.
func (s *snapshot) applied() {
	s.written = true
	for _, in := range s.pending {
		s.taken = append(s.taken, in.index)
	}
}

// changes implements job.
func (s *snapshot) changes() []int {
	indexes := make([]int, len(s.pending))
	for i, in := range s.pending {
		indexes[i] = in.index
	}
	return indexes
}
