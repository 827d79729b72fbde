package conformance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/limitertest"
)

// RunModel gives a store and a model of the contract the same random operations, and compares every result, and all records
// after every step. The flags of rapid apply: -rapid.checks for more runs, -rapid.steps for longer ones, -rapid.seed to
// repeat one.
func RunModel(t *testing.T, open Open) {
	t.Run("Model", func(t *testing.T) {
		t.Parallel()
		explain(t, modelFailed)
		s := newStoreTest(t, open)
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
		s := newStoreTest(t, open)
		rapid.MakeFuzz(func(rt *rapid.T) { s.under(rt).compareWithModel(rt) })(t, input)
	})
}

// under returns the test with another tester, to which it reports failures.
func (s *storeTest) under(t tester) *storeTest {
	other := *s
	other.tester = t
	return &other
}

// compareWithModel is one random run.
func (s *storeTest) compareWithModel(rt *rapid.T) {
	m, p, draw := model{}, newPlayer(s), drawing{max: s.store.Capabilities().Max}
	step := func(ops ...limitertest.Op) func(*rapid.T) {
		// Rapid prints what is drawn of one custom generator in one line, which is the operation.
		operation := rapid.Custom(func(rt *rapid.T) asked {
			if a := draw.asked(rt); slices.Contains(ops, a.op) {
				return a
			}
			return asked{op: limitertest.OpApply, writes: draw.writes(rt, 1)}
		})
		return func(rt *rapid.T) {
			p.compareAnswer(m, operation.Draw(rt, "operation"))
		}
	}
	actions := map[string]func(*rapid.T){
		"Write": step(limitertest.OpApply, limitertest.OpCommit), "Ask": step(limitertest.OpRead, limitertest.OpList), "": func(*rapid.T) { p.compareRecords(m) },
	}
	if sweep := s.store.Capabilities().Sweep; sweep != nil {
		actions["Sweep"] = func(rt *rapid.T) {
			now := future + rapid.Int64Range(0, 2).Draw(rt, "now")
			for more := true; more; {
				n, err := sweep(s.Context(), now)
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
			p.compareAnswer(m, asked{op: limitertest.OpList, query: backend.Query{Namespace: space, Partition: partition, Index: indexed, Size: 2}})
		}
	}
}

// compareAnswer gives both an operation. It repeats an index listing until that has caught up.
func (p *player) compareAnswer(m model, a asked) {
	p.Helper()
	before := model{}
	for k, e := range m {
		before[k] = e
	}
	allowed := m.answers(a)
	if a.op == limitertest.OpList && a.query.Index {
		p.eventually(fmt.Sprintf("%v answers %s", a, allowed), func() (any, bool) { line, _ := p.answer(a); return line, line == allowed[0] })
		return
	}
	line, conflict := p.answer(a)
	if !slices.Contains(allowed, line) {
		p.Fatalf("%v\n  the store answers %s\n  the model answers %s", a, line, strings.Join(allowed, ", or "))
	}
	if conflict == nil {
		return
	}
	if i := conflict.Index; i < 0 || i >= len(a.writes) || p.writes(a.writes)[i].Key != conflict.Key || before.holds(&a.writes[i]) {
		p.Fatalf("%v\n  the conflict names write %d on %v", a, i, conflict.Key)
	}
	if got, want := show(&conflict.Record), before[a.writes[conflict.Index].Key].text(layout); got != want {
		p.Fatalf("%v\n  the conflict shows %s\n  the model has %s", a, got, want)
	}
}

// compareRecords compares all records.
func (p *player) compareRecords(m model) {
	p.Helper()
	keys := someKeys()
	for i, r := range p.mustRead(p.keys(keys)...) {
		if got, want := show(&r), m[keys[i]].text(layout); got != want {
			p.Fatalf("%v\n  the store has %s\n  the model has %s", keys[i], got, want)
		}
	}
}
