package aggregator

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// consumed is the consumption of one change of a bucket.
type consumed struct {
	index         int   // of the change in the batch
	version, time int64 // of the bucket after the change
	acquires      backend.Num
	tokens        []schema.Counter // of all limits after the change
}

// consumption returns what a change consumed, nil if nothing. The bucket must exist after the change.
func consumption(index int, c *backend.Change) (*consumed, error) {
	in := &consumed{index: index, version: c.After.Int64(schema.Ver), time: c.After.Int64(schema.At)}
	switch {
	case in.version <= 0:
		return nil, unreadableRecord(c.Key, "has no version")
	case !bucket.InRange(in.time):
		return nil, unreadableRecord(c.Key, "has no time")
	}
	after, err := usedTokens(c.Key, &c.After)
	if err != nil {
		return nil, err
	}
	before, err := usedTokens(c.Key, &c.Before)
	if err != nil {
		return nil, err
	}
	acquiresAfter, _ := c.After.Num(schema.Acq)
	acquiresBefore, _ := c.Before.Num(schema.Acq)
	in.acquires = acquiresAfter.Sub(acquiresBefore)
	changed := !in.acquires.IsZero()
	for _, u := range after {
		u.N = u.N.Sub(countOf(before, u.Name))
		changed = changed || !u.N.IsZero()
		in.tokens = append(in.tokens, u)
	}
	if !changed {
		return nil, nil
	}
	return in, nil
}

// usedTokens returns the total consumption of each limit in a bucket's record.
func usedTokens(k backend.Key, r *backend.Record) ([]schema.Counter, error) {
	if !r.Present() {
		return nil, nil
	}
	packed, _ := r.Text(schema.L)
	terms, err := schema.Unpack(packed)
	if err != nil {
		return nil, unreadableRecord(k, "has limits in an unknown format")
	}
	used := make([]schema.Counter, len(terms))
	for i := range terms {
		used[i].Name = terms[i].Name
		used[i].N, _ = r.Num(schema.Used(i))
	}
	return used, nil
}

func countOf(counters []schema.Counter, name string) backend.Num {
	for _, c := range counters {
		if c.Name == name {
			return c.N
		}
	}
	return backend.Num{}
}
