package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine"
)

type vec struct {
	Limits []struct {
		Name     string `json:"name"`
		Capacity int64  `json:"capacity"`
		Amount   int64  `json:"refill_amount"`
		Period   int64  `json:"refill_period_ns"`
	}
	Ops []struct {
		Op        string
		At        int64
		Consume   map[string]int64
		Allowed   bool
		Retry     *int64 `json:"retry_after_ns"`
		Available map[string]int64
		Lease     int
		Delta     map[string]int64
		Void      bool
	}
}

func TestVectors(t *testing.T) {
	f, err := os.Open("../conformance/testdata/bucket.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for _, ttl := range []time.Duration{-1, 0} {
		f.Seek(0, 0)
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<24)
		var now int64
		l, err := engine.New(memory.New(nil), &engine.Options{DenialTTL: ttl, Now: func() time.Time { return time.Unix(0, now) }})
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; sc.Scan(); n++ {
			var v vec
			if err := json.Unmarshal(sc.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			var limits []engine.Limit
			for _, x := range v.Limits {
				limits = append(limits, engine.Limit{Name: x.Name, Capacity: x.Capacity, RefillAmount: x.Amount, RefillPeriod: time.Duration(x.Period)})
			}
			ctx := context.Background()
			id := fmt.Sprintf("e%d", n)
			leases := map[int]*engine.Lease{}
			for i, op := range v.Ops {
				now = op.At
				where := fmt.Sprintf("ttl %v line %d op %d %s", ttl, n+1, i, op.Op)
				switch op.Op {
				case "acquire":
					lease, err := l.Acquire(ctx, engine.Request{Entity: id, Resource: "r", Consume: op.Consume, Limits: limits})
					var ex *engine.ExceededError
					if err != nil && !errors.As(err, &ex) {
						t.Fatalf("%s: %v", where, err)
					}
					if (err == nil) != op.Allowed {
						t.Fatalf("%s: allowed %v want %v: %v", where, err == nil, op.Allowed, err)
					}
					if err != nil {
						want := int64(math.MaxInt64)
						if op.Retry != nil {
							want = *op.Retry
						}
						if int64(ex.RetryAfter) != want || ex.NeverFits != (op.Retry == nil) {
							t.Fatalf("%s: retry %d never %v want %v", where, ex.RetryAfter, ex.NeverFits, want)
						}
					}
					leases[i] = lease
				case "adjust_commit":
					if err := leases[op.Lease].Adjust(op.Delta); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
					if err := leases[op.Lease].Commit(ctx); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
				case "rollback":
					if err := leases[op.Lease].Rollback(ctx); err != nil {
						t.Fatalf("%s: %v", where, err)
					}
				default:
					t.Fatal(op.Op)
				}
				st, err := l.Available(ctx, id, "r", limits...)
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				for _, s := range st {
					if s.Available != op.Available[s.Limit.Name] {
						t.Fatalf("%s: available %s %d want %d", where, s.Limit.Name, s.Available, op.Available[s.Limit.Name])
					}
				}
			}
		}
	}
}
