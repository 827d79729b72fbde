package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// scenario is one run of a fleet.
type scenario struct {
	name      string
	processes int
	limits    []engine.Limit
	use       float64       // demand, as a part of the rate
	length    time.Duration // of the arrivals
	exact     bool          // no prefetch
	age       time.Duration // PrefetchOptions.MaxAge; 0: 1 s
	empty     bool          // the bucket is, at the beginning
	heavy     bool          // amounts of the last limit are heavy-tailed, 480 on average
	on, off   time.Duration // means: processes send while on, at the rate that makes up for the rest; 0: always on
	hot       float64       // part of the demand by the first process; 0: even
	cold      bool          // one more process asks once a second, and comes again when it is told to
	joins     bool          // each second one process crashes and another one joins
	refunds   float64       // part of the leases that refund 30 % after 2 s
	charges   float64       // part of the leases that charge 20 % more after 2 s
	child     *engine.Limit // a cascade: of each of 100 entities below the first one
	lost      float64       // part of the replies
	skew      time.Duration // deviation of the clocks
	steady    time.Duration // what each write takes; 0: it varies
	waits     bool          // callers wait; they are not the fleet's
}

// fleet is a scenario under way.
type fleet struct {
	scenario
	t        *testing.T
	seed     uint64
	store    *store
	ctx      context.Context // ends with the arrivals
	stop     func()
	running  sync.WaitGroup
	accounts [][]*account // by bucket, the first one's are those of limits

	lock     sync.Mutex
	random   *rand.Rand
	all      []*process
	measured measured
}

// process is one limiter and its callers.
type process struct {
	*view
	limiter *engine.Limiter
	random  *rand.Rand // of its arrivals
	since   time.Time
	lived   time.Duration
	crashed context.Context
	crash   func()
}

// measured are the totals of a run.
type measured struct {
	asked, admitted, failed int64 // requests
	tokens, idealTokens     int64 // of the last limit
	coldWaits               []time.Duration
	ahead, behind           time.Duration // of the clocks, most
	corrected               int64         // tokens, by leases
}

const childCount = 100

func child(i int) string { return fmt.Sprint("child-", i) }

// now is virtual time, which begins before the years that the limiter accepts.
func now() time.Time { return time.Now().AddDate(30, 0, 0) }

// newFleet makes the processes. It must be called in virtual time.
func newFleet(t *testing.T, sc scenario, seed uint64) *fleet {
	f := &fleet{scenario: sc, t: t, seed: seed, store: newStore(sc.lost, sc.steady), accounts: [][]*account{newAccounts(sc.limits)}}
	f.random = rand.New(rand.NewPCG(seed, math.MaxUint64))
	f.prepare()
	f.ctx, f.stop = context.WithCancel(t.Context())
	time.AfterFunc(sc.length, f.stop) // without a deadline, of which Wait would make use
	for i := range sc.processes {
		f.join(f.share(i))
	}
	if sc.cold {
		f.join(0)
	}
	if sc.joins {
		f.running.Go(f.crashAndJoin)
	}
	return f
}

// admin is a limiter without delay.
func (f *fleet) admin() *engine.Limiter {
	l, err := engine.New(f.store.Backend, &engine.Options{Now: now})
	f.must(err)
	return l
}

func (f *fleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatalf("seed %d: %v", f.seed, err)
	}
}

// prepare stores the limits, the entities of a cascade, and an empty bucket.
func (f *fleet) prepare() {
	admin := f.admin()
	defer admin.Close()
	ctx := f.t.Context()
	f.must(admin.CreateEntity(ctx, engine.Entity{ID: "tenant"}, nil))
	f.must(admin.SetLimits(ctx, "tenant", "api", f.limits))
	for i := 0; f.child != nil && i < childCount; i++ {
		f.must(admin.CreateEntity(ctx, engine.Entity{ID: child(i), Parent: "tenant", Cascade: true}, nil))
		f.must(admin.SetLimits(ctx, child(i), "api", []engine.Limit{*f.child}))
		f.accounts = append(f.accounts, newAccounts([]engine.Limit{*f.child}))
	}
	if !f.empty {
		return
	}
	all := engine.Tokens{}
	for i, l := range f.limits {
		all[l.Name] = l.Capacity
		f.accounts[0][i].take(l.Capacity)
		f.accounts[0][i].admit(l.Capacity)
	}
	_, err := admin.Acquire(ctx, engine.Request{Entity: "tenant", Resource: "api", Consume: all})
	f.must(err)
}

// demand is how many requests a second all processes make.
func (sc *scenario) demand() float64 {
	total := sc.use * rate(sc.limits[len(sc.limits)-1])
	if sc.heavy {
		total /= meanAmount
	}
	return min(total, sc.use*rate(sc.limits[0]))
}

// share is how many requests a second process i makes.
func (sc *scenario) share(i int) float64 {
	switch n := float64(sc.processes); {
	case sc.hot == 0:
		return sc.demand() / n
	case i == 0:
		return sc.demand() * sc.hot
	default:
		return sc.demand() * (1 - sc.hot) / (n - 1)
	}
}

// join starts a process that makes so many requests a second; with 0, the cold one.
func (f *fleet) join(perSecond float64) {
	f.lock.Lock()
	defer f.lock.Unlock()
	i := uint64(len(f.all))
	p := &process{view: f.store.view(f.seed, i), random: rand.New(rand.NewPCG(f.seed, i<<1)), since: time.Now()}
	ahead := time.Duration(p.random.NormFloat64() * float64(f.skew))
	f.measured.ahead, f.measured.behind = max(f.measured.ahead, ahead), max(f.measured.behind, -ahead)
	p.crashed, p.crash = context.WithCancel(f.ctx)
	o := &engine.Options{Now: func() time.Time { return now().Add(ahead) }, Logger: slog.New(slog.DiscardHandler)}
	if !f.exact {
		o.Prefetch = &engine.PrefetchOptions{MaxAge: f.age}
	}
	var err error
	p.limiter, err = engine.New(p.view, o)
	f.must(err)
	f.all = append(f.all, p)
	f.running.Go(func() {
		switch {
		case f.waits:
			<-f.ctx.Done()
		case perSecond == 0:
			f.askAgain(p)
		default:
			f.arrive(p, perSecond)
		}
		p.lived = time.Since(p.since)
	})
}
