package conformance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

var namespaces atomic.Int64

// player gives operations to one store, and keeps the memos of its writes. Random operations are all in one namespace, and the
// player uses another one in each run, because opening a store for each run would take longer than the run.
type player struct {
	*storeTest
	namespace string
	memos     map[backend.Key]backend.Memo
}

func newPlayer(s *storeTest) *player {
	return &player{s, fmt.Sprintf("run%d", namespaces.Add(1)), map[backend.Key]backend.Memo{}}
}

func (p *player) keys(keys []backend.Key) []backend.Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Namespace = p.namespace
	}
	return keys
}

func (p *player) writes(writes []backend.Write) []backend.Write {
	writes = slices.Clone(writes)
	for i := range writes {
		writes[i].Key.Namespace = p.namespace
	}
	return writes
}

func (p *player) query(q backend.Query) backend.Query {
	q.Namespace = p.namespace
	if q.After != nil {
		after := *q.After
		after.Key.Namespace = p.namespace
		q.After = &after
	}
	return q
}

// answer carries out an operation and returns the result in one line. For a refused commit, what follows the colon may differ
// between stores.
func (p *player) answer(a asked) (line string, conflict *backend.ConflictError) {
	p.Helper()
	switch a.op {
	case limitertest.OpApply:
		return p.apply(p.writes(a.writes)), nil
	case limitertest.OpCommit:
		err := p.commit(p.writes(a.writes)...)
		switch {
		case err == nil:
			return "made", nil
		case errors.As(err, &conflict):
			return "not made: conflict", conflict
		case errors.Is(err, backend.ErrInvalid):
			return "not made: invalid", nil
		}
		p.Fatalf("%v: %v", a, err)
	case limitertest.OpRead:
		return showAll(p.mustRead(p.keys(a.keys)...)), nil
	}
	items := p.mustList(p.query(a.query))
	for rest := items; len(rest) > 0; { // equal places come in an order of the store's own
		n := slices.IndexFunc(rest, func(i backend.Item) bool { return i.Sort != rest[0].Sort })
		if n < 0 {
			n = len(rest)
		}
		slices.SortFunc(rest[:n], func(x, y backend.Item) int { return inOrder(x, y, a.query.Reverse) })
		rest = rest[n:]
	}
	return itemsText(items), nil
}

func (p *player) apply(writes []backend.Write) string {
	p.Helper()
	out := make([]backend.Outcome, len(writes))
	for i := range writes {
		writes[i].Memo = p.memos[writes[i].Key]
		out[i].Record = other()
	}
	err := p.store.Apply(p.Context(), writes, out)
	var words []string
	for i, o := range out {
		p.memos[writes[i].Key] = writes[i].Memo
		switch {
		case o.Err == nil && o.Applied:
			words = append(words, "applied: "+show(&o.Record))
		case o.Err == nil:
			words = append(words, "refused: "+show(&o.Record))
		case errors.Is(o.Err, backend.ErrInvalid) && errors.Is(err, backend.ErrInvalid):
			words = append(words, "invalid")
		default:
			p.Fatalf("Apply: %v, of write %d: %v", err, i, o.Err)
		}
	}
	return strings.Join(words, "; ")
}

func showAll(records []backend.Record) string {
	var words []string
	for i := range records {
		words = append(words, show(&records[i]))
	}
	return strings.Join(words, "; ")
}

func itemsText(items []backend.Item) string {
	var words []string
	for _, i := range items {
		words = append(words, fmt.Sprintf("%q/%q at %q", i.Key.Partition, i.Key.Sort, i.Sort))
	}
	return strings.Join(words, "; ")
}

// answers carries out an operation on the model, and returns the results that the contract allows.
func (m model) answers(a asked) []string {
	var words []string
	switch a.op {
	case limitertest.OpCommit:
		return m.commit(a.writes)
	case limitertest.OpList:
		return []string{itemsText(m.list(a.query))}
	case limitertest.OpRead:
		for _, k := range a.keys {
			words = append(words, m[k].text(layout))
		}
	case limitertest.OpApply:
		for i := range a.writes {
			w := &a.writes[i]
			if !m.holds(w) {
				words = append(words, "refused: "+m[w.Key].text(layout))
			} else if e, ok := m.after(w); ok {
				m.put(w.Key, e)
				words = append(words, "applied: "+e.text(layout))
			} else {
				words = append(words, "invalid")
			}
		}
	}
	return []string{strings.Join(words, "; ")}
}

func (m model) commit(writes []backend.Write) []string {
	var answers []string
	after := make([]*entry, len(writes))
	for i := range writes {
		e, ok := m.after(&writes[i])
		if !m.holds(&writes[i]) {
			answers = append(answers, "not made: conflict")
		} else if !ok {
			answers = append(answers, "not made: invalid")
		}
		after[i] = e
	}
	if len(answers) > 0 {
		return answers
	}
	for i := range writes {
		m.put(writes[i].Key, after[i])
	}
	return []string{"made"}
}

// other is a record that no subtest writes, so that a part of it that a store leaves in an outcome is found.
func other() (r backend.Record) {
	r.Reset(layout)
	r.SetNum(slotM, numOf(-77))
	r.SetText(slotT, "left from before")
	r.SetExpiry(future + 77)
	return r
}
