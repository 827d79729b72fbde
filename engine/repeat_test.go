package engine

import (
	"context"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/memory"
)

// Denials that are given again say what those say that are worked out anew, whatever time has passed and whatever came
// between.
func TestRepeatedDenialsAreAsNew(t *testing.T) {
	const steps = 20_000
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		open := func() *Limiter {
			l, err := New(memory.New(nil), &Options{Now: func() time.Time { return at }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return l
		}
		tested, plain := open(), open()
		request := Request{
			Entity: "a", Resource: "r",
			Limits: []Limit{PerMinute("rpm", 1+random.Int64N(1000)), PerSecond("tpm", 1+random.Int64N(5000)), PerHour("x", 7)}[:2+random.IntN(2)],
		}
		repeated := 0
		for step := range steps {
			request.Consume = Tokens{"rpm": random.Int64N(3), "tpm": random.Int64N(2000)}
			if random.IntN(4) > 0 { // mostly one that is denied
				request.Consume = Tokens{"rpm": request.Limits[0].Capacity, "tpm": min(request.Limits[1].Capacity, 3)}
			}
			got, err := tested.Allow(context.Background(), request)
			want, err2 := plain.Allow(context.Background(), request)
			if err != nil || err2 != nil {
				continue // zeros only, or above a capacity
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d, step %d, %v: %+v, not %+v", seed, step, at, got, want)
			}
			id := bucketID{request.Entity, request.Resource}
			if tested.buckets.get(&id).repeat.Load() != nil {
				repeated++
			}
			plain.buckets.get(&id).moved() // it works out each denial anew
			for i := range got.Statuses {
				got.Statuses[i] = LimitStatus{} // the caller's own
			}
			at = at.Add(time.Duration(random.Int64N(int64(time.Second) >> random.IntN(30))))
			if random.IntN(50) == 0 {
				at = at.Add(-time.Duration(random.Int64N(int64(time.Second))))
			}
		}
		if repeated < steps/20 {
			t.Errorf("seed %d: a denial was ready to be repeated after %d of %d steps", seed, repeated, steps)
		}
	}
}
