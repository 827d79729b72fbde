package aggregator

import (
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// snapshotID tells the snapshots of a batch apart.
type snapshotID struct {
	bucket backend.Key
	window Window
	start  int64
}

// snapshot is what a batch adds to one snapshot.
type snapshot struct {
	snapshotID
	expiry  backend.Expiry
	intakes []*intake      // of a rising version
	seen    backend.Record // as it stood when a write was refused

	taken   []int // indexes of changes that were taken in
	written bool
}

// count asks for an intake to be added to the snapshot of each kind of window.
func (b *batch) count(bucket backend.Key, in *intake) {
	b.counts = append(b.counts, in.index)
	for _, w := range b.a.opts.Windows {
		id := snapshotID{bucket, w, w.Start(in.at)}
		expiry := backend.Expiry(w.End(id.start)) + seconds(b.a.opts.UsageRetention)
		if int64(expiry) <= b.now.Unix() {
			continue // it would be gone at once
		}
		s := b.snapshots[id]
		if s == nil {
			s = &snapshot{snapshotID: id, expiry: expiry}
			s.seen.Reset(schema.UsageLayout)
			b.snapshots[id] = s
			b.jobs = append(b.jobs, s)
		}
		if n := len(s.intakes); n == 0 || s.intakes[n-1].ver < in.ver { // else it came twice
			s.intakes = append(s.intakes, in)
		}
	}
}

// write implements job: one write for all that the snapshot has not taken in yet.
func (s *snapshot) write() (w backend.Write, needed bool, err error) {
	if len(s.intakes) == 0 {
		return w, false, nil
	}
	entity, resource, _ := schema.BucketOf(s.bucket)
	key, place := schema.Usage(s.bucket.Namespace, entity, resource, s.window, s.start)
	acquires, tokens := s.sum()
	conds, effects, err := schema.Count(&s.seen, tokens)
	if err != nil {
		return w, false, unreadable(key, "has counters in an unknown format")
	}
	last := s.intakes[len(s.intakes)-1].ver
	version := backend.Cond{Slot: schema.UsageVer, Op: backend.Less, OrAbsent: true, A: backend.Int(s.intakes[0].ver)}
	if ver, known := s.seen.Num(schema.UsageVer); known {
		version = backend.Cond{Slot: schema.UsageVer, Op: backend.Equal, A: ver}
	}
	return backend.Write{
		Key: key, Layout: schema.UsageLayout, Index: &place, Expiry: s.expiry,
		Conds: append(conds, version),
		Effects: append(effects,
			backend.Effect{Slot: schema.UsageVer, Op: backend.Set, Num: backend.Int(last)},
			backend.Effect{Slot: schema.UsageAcq, Op: backend.Add, Num: acquires}),
	}, true, nil
}

// sum adds the intakes up, by name.
func (s *snapshot) sum() (acquires backend.Num, tokens []schema.Counter) {
	at := map[string]int{}
	for _, in := range s.intakes {
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

// refused implements job: what the snapshot had taken in before is left out.
func (s *snapshot) refused(r *backend.Record) {
	s.seen.CopyFrom(r)
	ver := r.Int64(schema.UsageVer)
	s.intakes = slices.DeleteFunc(s.intakes, func(in *intake) bool { return in.ver <= ver })
}

// applied implements job.
func (s *snapshot) applied() {
	s.written = true
	for _, in := range s.intakes {
		s.taken = append(s.taken, in.index)
	}
}

// changes implements job.
func (s *snapshot) changes() []int {
	indexes := make([]int, len(s.intakes))
	for i, in := range s.intakes {
		indexes[i] = in.index
	}
	return indexes
}
