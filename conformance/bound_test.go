package conformance

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestBound compares the oracle with all pairs of events, in rational numbers.
func TestBound(t *testing.T) {
	t.Parallel()
	type event struct {
		at   time.Duration
		n    int64
		life bool
	}
	random, broken, kept := rand.New(rand.NewPCG(3, 14)), 0, 0
	for range 2_000 {
		limit := engine.Every("a", 1+random.Int64N(9), time.Duration(1+random.Int64N(20))*time.Second).WithBurst(1 + random.Int64N(12))
		b := bound{limit: limit, slack: time.Duration(random.Int64N(int64(3 * time.Second))), sinceBegin: random.IntN(2) == 0}
		var all []event
		for at := time.Duration(0); len(all) < 12; at += time.Duration(random.Int64N(int64(4 * time.Second))) {
			e := event{at, random.Int64N(9) - 2, random.IntN(8) == 0}
			if all = append(all, e); e.life {
				b.begin(e.at)
			} else {
				b.admit(e.at, e.n)
			}
		}
		refilled := func(d time.Duration) *big.Rat {
			return big.NewRat(limit.RefillAmount*int64(d), int64(limit.RefillPeriod))
		}
		over := false
		for i := range all {
			since := all[i].at
			if b.sinceBegin && i > 0 {
				break
			} else if b.sinceBegin {
				since = 0
			}
			sum, lives := int64(0), int64(1)
			for _, e := range all[i:] {
				if e.life {
					lives++
					continue
				}
				sum += e.n
				allowed := refilled(e.at - since)
				for range lives {
					allowed.Add(allowed, refilled(b.slack)).Add(allowed, big.NewRat(limit.Capacity, 1))
				}
				over = over || big.NewRat(sum, 1).Cmp(allowed) > 0
			}
		}
		if (b.broken() != "") != over {
			t.Fatalf("%v, slack %v, since the beginning %v: the oracle says %q, all pairs say %v: %v", limit, b.slack, b.sinceBegin, b.broken(), over, all)
		}
		if over {
			broken++
		} else {
			kept++
		}
	}
	if broken < 200 || kept < 200 {
		t.Errorf("%d histories break the bound and %d keep it: too few of one kind", broken, kept)
	}
}
