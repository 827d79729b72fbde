package aggregator

import (
	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// intake is what one change of a bucket consumed.
type intake struct {
	index    int   // of the change in its batch
	ver, at  int64 // of the bucket after it
	acquires backend.Num
	tokens   []schema.Counter // of all limits after it, by name
}

// consumption is what a change consumed that left the bucket present; nil where that is nothing.
func consumption(index int, c *backend.Change) (*intake, error) {
	in := &intake{index: index, ver: c.After.Int64(schema.Ver), at: c.After.Int64(schema.At)}
	switch {
	case in.ver <= 0:
		return nil, unreadable(c.Key, "has no version")
	case in.at < bucket.MinTime || in.at > bucket.MaxTime:
		return nil, unreadable(c.Key, "has no time")
	}
	after, err := usedIn(c.Key, &c.After)
	if err != nil {
		return nil, err
	}
	before, err := usedIn(c.Key, &c.Before)
	if err != nil {
		return nil, err
	}
	in.acquires = difference(&c.After, &c.Before, schema.Acq)
	something := !in.acquires.IsZero()
	for _, u := range after {
		u.N = u.N.Sub(countOf(before, u.Name))
		something = something || !u.N.IsZero()
		in.tokens = append(in.tokens, u)
	}
	if !something {
		return nil, nil
	}
	return in, nil
}

func difference(after, before *backend.Record, slot backend.Slot) backend.Num {
	a, _ := after.Num(slot)
	b, _ := before.Num(slot)
	return a.Sub(b)
}

// usedIn is what a bucket says was ever used of each of its limits.
func usedIn(k backend.Key, r *backend.Record) ([]schema.Counter, error) {
	if !r.Present() {
		return nil, nil
	}
	packed, _ := r.Text(schema.L)
	terms, err := schema.Unpack(packed)
	if err != nil {
		return nil, unreadable(k, "has limits in an unknown format")
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
