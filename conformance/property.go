package conformance

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
)

// RunModel asks a store and a model of the contract the same random things, and compares every answer, and all records
// after every step. The flags of rapid apply: -rapid.checks for more runs, -rapid.steps for longer ones, -rapid.seed
// to repeat one.
func RunModel(t *testing.T, open Open) {
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		s := newTrial(t, open)
		s.namespaces = nil // there will be one for each run
		rapid.Check(t, func(rt *rapid.T) { s.under(rt).compareWithModel(rt) })
	})
}

// Fuzz is RunModel as a fuzz target.
func Fuzz(f *testing.F, open Open) {
	for seed := range byte(4) {
		input := make([]byte, 1<<16) // too short an input ends in the middle of a draw
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(input)
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s := newTrial(t, open)
		rapid.MakeFuzz(func(rt *rapid.T) { s.under(rt).compareWithModel(rt) })(t, input)
	})
}

// under is the trial with another tester: failures are those of a random run.
func (s *trial) under(t tester) *trial {
	other := *s
	other.tester = t
	return &other
}

var namespaces atomic.Int64

// player asks one store, and carries the memos of its writes along. Random operations are all in one namespace; the
// player gives each run another, for opening a store for each would take longer than the run.
type player struct {
	*trial
	namespace string
	memos     map[backend.Key]any
}

func newPlayer(s *trial) *player {
	return &player{s, fmt.Sprintf("run%d", namespaces.Add(1)), map[backend.Key]any{}}
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

// answer carries an operation out and tells the answer in one line. Of a commit that was not made it tells nothing
// after the colon that another store would have to tell as well.
func (p *player) answer(a asked) (line string, conflict *backend.ConflictError) {
	p.Helper()
	switch a.op {
	case OpApply:
		return p.apply(p.writes(a.writes)), nil
	case OpCommit:
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
	case OpRead:
		return showAll(p.mustRead(p.keys(a.keys)...)), nil
	}
	return itemsText(p.mustList(p.query(a.query))), nil
}

func (p *player) apply(writes []backend.Write) string {
	p.Helper()
	out := make([]backend.Outcome, len(writes))
	for i := range writes {
		writes[i].Memo = p.memos[writes[i].Key]
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

// answers carries an operation out on the model, and tells the answers that the contract allows.
func (m model) answers(a asked) []string {
	var words []string
	switch a.op {
	case OpCommit:
		return m.commit(a.writes)
	case OpList:
		return []string{itemsText(m.list(a.query))}
	case OpRead:
		for _, k := range a.keys {
			words = append(words, m[k].text(layout))
		}
	case OpApply:
		for i := range a.writes {
			w := &a.writes[i]
			if !m.judge(w) {
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
		if !m.judge(&writes[i]) {
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

// compareWithModel is one random run.
func (s *trial) compareWithModel(rt *rapid.T) {
	m, p := model{}, newPlayer(s)
	step := func(ops ...Op) func(*rapid.T) {
		return func(rt *rapid.T) {
			a := drawAsked(rt)
			if !slices.Contains(ops, a.op) {
				a = asked{op: OpApply, writes: drawWrites(rt, 1)}
			}
			p.compareAnswer(m, a)
		}
	}
	actions := map[string]func(*rapid.T){
		"Write": step(OpApply, OpCommit), "Ask": step(OpRead, OpList), "": func(*rapid.T) { p.compareRecords(m) },
	}
	if sweeper, ok := s.store.(backend.Sweeper); ok {
		actions["Sweep"] = func(rt *rapid.T) {
			now := int64(future + rapid.IntRange(0, 2).Draw(rt, "now"))
			for more := true; more; {
				n, err := sweeper.Sweep(s.Context(), now)
				if more = n > 0; err != nil {
					rt.Fatalf("Sweep: %v", err)
				}
			}
			for k, e := range m {
				if e.expiry != 0 && int64(e.expiry) < now {
					delete(m, k)
				}
			}
		}
	}
	rt.Repeat(actions)
	for _, partition := range someParts {
		for _, indexed := range []bool{false, true} {
			p.compareAnswer(m, asked{op: OpList, query: backend.Query{Namespace: space, Partition: partition, Index: indexed, Size: 2}})
		}
	}
}

// compareAnswer asks both; an index listing is asked again until it has caught up.
func (p *player) compareAnswer(m model, a asked) {
	p.Helper()
	before := model{}
	for k, e := range m {
		before[k] = e
	}
	allowed := m.answers(a)
	if a.op == OpList && a.query.Index {
		p.eventually(fmt.Sprintf("%v answers %s", a, allowed), func() bool { line, _ := p.answer(a); return line == allowed[0] })
		return
	}
	line, conflict := p.answer(a)
	if !slices.Contains(allowed, line) {
		p.Fatalf("%v\n  the store answers %s\n  the model answers %s", a, line, strings.Join(allowed, ", or "))
	}
	if conflict == nil {
		return
	}
	if i := conflict.Index; i < 0 || i >= len(a.writes) || p.writes(a.writes)[i].Key != conflict.Key || before.judge(&a.writes[i]) {
		p.Fatalf("%v\n  the conflict names write %d on %v", a, i, conflict.Key)
	}
	if got, want := show(&conflict.Record), before[a.writes[conflict.Index].Key].text(layout); got != want {
		p.Fatalf("%v\n  the conflict shows %s\n  the model has %s", a, got, want)
	}
}

// compareRecords reads all there may be.
func (p *player) compareRecords(m model) {
	p.Helper()
	keys := someKeys()
	for i, r := range p.mustRead(p.keys(keys)...) {
		if got, want := show(&r), m[keys[i]].text(layout); got != want {
			p.Fatalf("%v\n  the store has %s\n  the model has %s", keys[i], got, want)
		}
	}
}
