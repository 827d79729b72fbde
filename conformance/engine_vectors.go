package conformance

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// vectors proves that decisions, waits and balances equal those of the ideal bucket, computed elsewhere in rational numbers.
var vectors = stories{
	{"DenialsFromMemory", func(r *engineTest) { r.runVectors(func(*engine.Options) {}) }},
	{"DenialsFromStore", func(r *engineTest) {
		r.brief = false // every store sees all of them once
		r.runVectors(func(o *engine.Options) { o.DenialTTL = -1 })
	}},
	{"WithIO", func(r *engineTest) { r.slow().runVectors(func(*engine.Options) {}) }},
	{"SecondProcess", vectorsSecondProcess},
	{"EveryOther", vectorsEveryOther},
}

//go:embed testdata/bucket.jsonl
var vectorLines []byte

// vector is one sequence of operations on a fresh bucket.
type vector struct {
	Limits []struct {
		Name     string `json:"name"`
		Capacity int64  `json:"capacity"`
		Amount   int64  `json:"refill_amount"`
		Period   int64  `json:"refill_period_ns"`
	} `json:"limits"`
	Ops []vectorOp `json:"ops"`

	line   int
	limits []engine.Limit
}

type vectorOp struct {
	Op        string        `json:"op"`
	At        int64         `json:"at"`
	Consume   engine.Tokens `json:"consume"`
	Allowed   bool          `json:"allowed"`
	Retry     *int64        `json:"retry_after_ns"`
	Available engine.Tokens `json:"available"`
	Lease     int           `json:"lease"`
	Delta     engine.Tokens `json:"delta"`
	Void      bool          `json:"void"`
}

func mustVectors(t testing.TB) []vector {
	t.Helper()
	var all []vector
	for line := range bytes.Lines(vectorLines) {
		v := vector{line: len(all) + 1}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("testdata/bucket.jsonl:%d: %v", v.line, err)
		}
		for _, l := range v.Limits {
			v.limits = append(v.limits, engine.Limit{
				Name: l.Name, Capacity: l.Capacity, RefillAmount: l.Amount, RefillPeriod: time.Duration(l.Period),
			})
		}
		all = append(all, v)
	}
	if len(all) != 60 {
		t.Fatalf("testdata/bucket.jsonl has %d sequences, of 60", len(all))
	}
	return all
}

// someVectors returns all vectors, or every fourth if the test is brief.
func (r *engineTest) someVectors() (some []vector) {
	for i, v := range mustVectors(r) {
		if i%r.of(1, 4) == 0 {
			some = append(some, v)
		}
	}
	return some
}

func (r *engineTest) runVectors(change func(*engine.Options)) {
	l := r.limiter(change)
	for _, v := range r.someVectors() {
		r.runVector(v, func(int) *engine.Limiter { return l }, l)
	}
}

// vectorsSecondProcess reads every balance in a process that writes nothing.
func vectorsSecondProcess(r *engineTest) {
	l, reader := r.limiter(), r.limiter()
	for _, v := range r.someVectors() {
		r.runVector(v, func(int) *engine.Limiter { return l }, reader)
	}
}

// vectorsEveryOther has three processes use each bucket in turn. Denials are not repeated from memory, because another process
// may have refunded.
func vectorsEveryOther(r *engineTest) {
	var all []*engine.Limiter
	for range 3 {
		all = append(all, r.limiter(func(o *engine.Options) { o.DenialTTL = -1 }))
	}
	for _, v := range r.someVectors() {
		r.runVector(v, func(i int) *engine.Limiter { return all[i%len(all)] }, all[0])
	}
}

// runVector runs one sequence. The i-th operation, if it is an acquire, is made by process(i).
func (r *engineTest) runVector(v vector, process func(i int) *engine.Limiter, reader *engine.Limiter) {
	r.Helper()
	entity, held := fmt.Sprintf("line-%d", v.line), map[int]*engine.Lease{}
	for i, op := range v.Ops {
		where := fmt.Sprintf("testdata/bucket.jsonl:%d, operation %d (%s)", v.line, i, op.Op)
		r.clock.set(op.At)
		switch op.Op {
		case "acquire":
			q := engine.Request{Entity: entity, Resource: api, Consume: op.Consume, Limits: v.limits}
			lease, err := process(i).Acquire(r.Context(), q)
			r.checkVector(where, op, err)
			held[i] = lease
		case "adjust_commit":
			if err := held[op.Lease].Adjust(op.Delta); err != nil {
				r.Fatalf("%s: Adjust: %v", where, err)
			}
			if err := held[op.Lease].Commit(r.Context()); err != nil {
				r.Fatalf("%s: Commit: %v", where, err)
			}
		case "rollback":
			if err := held[op.Lease].Rollback(r.Context()); err != nil {
				r.Fatalf("%s: Rollback: %v", where, err)
			}
		default:
			r.Fatalf("%s: unknown", where)
		}
		if got, want := amounts(r.left(reader, entity, v.limits...)), amounts(op.Available); got != want {
			r.Fatalf("%s: available is %s, not %s", where, got, want)
		}
	}
}

// checkVector compares decision and wait.
func (r *engineTest) checkVector(where string, op vectorOp, err error) {
	r.Helper()
	var exceeded *engine.ExceededError
	switch {
	case err != nil && !errors.As(err, &exceeded):
		r.Fatalf("%s: %v", where, err)
	case (err == nil) != op.Allowed:
		r.Fatalf("%s: allowed is %v, not %v: %v", where, err == nil, op.Allowed, err)
	case err == nil:
		return
	}
	want := int64(math.MaxInt64)
	if op.Retry != nil {
		want = *op.Retry
	}
	if int64(exceeded.RetryAfter) != want || exceeded.NeverFits != (op.Retry == nil) {
		r.Fatalf("%s: retry after %d ns (never fits: %v), not %d", where, exceeded.RetryAfter, exceeded.NeverFits, want)
	}
}
