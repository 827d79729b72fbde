package dynamo_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/backend/dynamo"
	. "github.com/zeroae/zae-limiter-go/backend/dynamo/dynamotest"
	"github.com/zeroae/zae-limiter-go/engine"
)

// rounds is how often a reply is lost: ZAE_LIMITER_TEST_LOST times, else often enough for every day.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("ZAE_LIMITER_TEST_LOST")); err == nil {
		return n
	}
	return 100
}

// world is a limiter behind something that spoils its requests, and one that sees how things are.
type world struct {
	*testing.T
	l, direct *engine.Limiter
	lost      atomic.Int64 // refunds of unknown outcome
}

// Observe implements [engine.Observer].
func (w *world) Observe(e engine.Event) {
	if e.Kind == engine.EventRefundLost {
		w.lost.Add(1)
	}
}

func newWorld(t *testing.T, name string, spoilt, o *dynamo.Options, change ...func(*engine.Options)) *world {
	t.Helper()
	w := &world{T: t}
	limiter := func(o *dynamo.Options, change ...func(*engine.Options)) *engine.Limiter {
		options := &engine.Options{
			Observer: w, Timeout: 30 * time.Second, DenialTTL: -1,
			Now:   func() time.Time { return time.Unix(4_000_000_000, 0) }, // stands, so that nothing refills
			Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		}
		for _, f := range change {
			f(options)
		}
		l, err := engine.New(mustOpen(t, name, o), options)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	w.l, w.direct = limiter(spoilt, change...), limiter(o)
	return w
}

var perDay = []engine.Limit{engine.PerDay("a", 1_000_000)}

func request(n int64) engine.Request {
	return engine.Request{Entity: "user-1", Resource: "api", Consume: engine.Tokens{"a": n}, Limits: perDay}
}

// left is what is available, as the undisturbed limiter sees it.
func (w *world) left() int64 {
	w.Helper()
	status, err := w.direct.Available(w.Context(), "user-1", "api", perDay...)
	if err != nil {
		w.Fatal(err)
	}
	return status[0].Remaining
}

// TestLostReplyChargesOnce loses the reply of every acquire, after it took effect: sent again, it is recognised.
func TestLostReplyChargesOnce(t *testing.T) {
	t.Parallel()
	for what, fate := range map[string]*Fate{"dropped": DropReply, "a 500": FailReply} {
		name, o := Table(t)
		p := NewProxy(t, o.Endpoint, func(n int, operation string) *Fate {
			if operation == "UpdateItem" && n%2 == 1 {
				return fate
			}
			return nil
		})
		w := newWorld(t, name, p.Options(o), o)
		for range rounds() {
			d, err := w.l.Allow(t.Context(), request(1))
			if err != nil || !d.Allowed {
				t.Fatalf("%s: %+v, %v", what, d, err)
			}
		}
		if got := 1_000_000 - w.left(); got != int64(rounds()) || p.Spoiled() != rounds() || p.Count("UpdateItem") != 2*rounds() {
			t.Errorf("%s: %d acquires, %d charged; %d replies were lost of %d requests", what, rounds(), got, p.Spoiled(), p.Count("UpdateItem"))
		}
	}
}

// TestLostReplyOfCommit loses the reply of every administrative change: its token makes it one.
func TestLostReplyOfCommit(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	p := NewProxy(t, o.Endpoint, func(n int, operation string) *Fate {
		if operation == "TransactWriteItems" && n%2 == 1 {
			return DropReply
		}
		return nil
	})
	w := newWorld(t, name, p.Options(o), o)
	for i := range int64(20) {
		if err := w.l.SetLimits(t.Context(), "user-1", "api", []engine.Limit{engine.PerDay("a", 100+i)}); err != nil {
			t.Fatal(err)
		}
	}
	events, err := w.direct.AuditEvents(t.Context(), engine.AuditQuery{Entity: "user-1", Page: engine.Page{Size: 1000}})
	if err != nil || len(events.Items) != 20 || p.Spoiled() < 20 {
		t.Errorf("20 changes, whose replies were lost %d times, left %d events, %v", p.Spoiled(), len(events.Items), err)
	}
}

// TestLateReply holds the reply of an acquire back until its caller leaves: it ends then, without an admission, and what it
// took while nobody waited is taken once.
func TestLateReply(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	late := make(chan struct{})
	var hold atomic.Bool
	p := NewProxy(t, o.Endpoint, func(_ int, operation string) *Fate {
		if operation == "UpdateItem" && hold.Load() {
			return &Fate{Until: late}
		}
		return nil
	})
	w := newWorld(t, name, p.Options(o), o)
	if d, err := w.l.Allow(t.Context(), request(1)); err != nil || !d.Allowed {
		t.Fatal(d, err)
	}
	hold.Store(true)
	ctx, leave := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() {
		_, err := w.l.Allow(ctx, request(1))
		answer <- err
	}()
	for w.left() > 1_000_000-2 { // until it took effect
		runtime.Gosched()
	}
	leave()
	if err := <-answer; !errors.Is(err, context.Canceled) {
		t.Errorf("an acquire whose caller has left: %v", err)
	}
	hold.Store(false)
	close(late)
	if d, err := w.l.Allow(t.Context(), request(1)); err != nil || !d.Allowed {
		t.Error(d, err)
	}
	if got := 1_000_000 - w.left(); got != 3 {
		t.Errorf("%d are charged of 3", got)
	}
}

// TestLostRefund loses the reply of every refund, while others write in between: it is refunded once or not at
// all, and counted.
func TestLostRefund(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	var spoil atomic.Bool
	applied := true
	p := NewProxy(t, o.Endpoint, func(_ int, operation string) *Fate {
		switch {
		case operation != "UpdateItem" || !spoil.Load():
			return nil
		case applied:
			return DropReply
		}
		return DropRequest
	})
	w := newWorld(t, name, p.Options(o), o)
	taken := int64(0)
	for i := range rounds() {
		lease, err := w.l.Acquire(t.Context(), request(10))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := w.direct.Allow(t.Context(), request(1)); err != nil || !d.Allowed {
			t.Fatal(d, err)
		}
		taken++
		if applied = i%2 == 0; !applied {
			taken += 10
		}
		spoil.Store(true)
		if err := lease.Rollback(t.Context()); err != nil {
			t.Fatalf("Rollback whose reply is lost: %v", err)
		}
		spoil.Store(false)
	}
	if got := 1_000_000 - w.left(); got != taken || w.lost.Load() != int64(rounds()) {
		t.Errorf("%d tokens are taken, not %d; %d refunds were counted as lost, of %d", got, taken, w.lost.Load(), rounds())
	}
}

// TestRacesAreNoTrouble has acquires meet transactions on their way: tried again, charged once.
func TestRacesAreNoTrouble(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	i := NewInjector(t, func(n int, operation string) *Answer {
		if operation == "UpdateItem" && n%3 != 0 {
			return TransactionConflict
		}
		return nil
	})
	w := newWorld(t, name, i.Options(o), o)
	for range 50 {
		if d, err := w.l.Allow(t.Context(), request(1)); err != nil || !d.Allowed {
			t.Fatal(d, err)
		}
	}
	if got := 1_000_000 - w.left(); got != 50 || i.Spoiled() != 100 {
		t.Errorf("%d were charged of 50, after %d lost races", got, i.Spoiled())
	}
}

// TestOnlyTroubleIsLetThrough: under Allow, throttling of the account and a dead server are; a hot bucket, permissions,
// credentials and a table that is gone are not.
func TestOnlyTroubleIsLetThrough(t *testing.T) {
	t.Parallel()
	const hot = "a hot key"
	for what, c := range map[string]struct {
		answer *Answer
		passes bool
	}{
		"throttled":           {Throttling(AccountLimit), true},
		hot:                   {ProvisionedThroughputExceeded(KeyRange), false},
		"a 500":               {InternalServerError, true},
		"a 503":               {Unavailable, true},
		"missing permission":  {AccessDenied, false},
		"expired credentials": {ExpiredToken, false},
		"unknown credentials": {UnrecognizedClient, false},
	} {
		name, o := Table(t)
		var on atomic.Bool
		i := NewInjector(t, func(_ int, operation string) *Answer {
			if on.Load() && (what != hot || operation == "UpdateItem") { // a bucket is hot, not the configuration
				return c.answer
			}
			return nil
		})
		for _, policy := range []engine.Policy{engine.PolicyBlock, engine.PolicyAllow} {
			on.Store(false)
			w := newWorld(t, name, i.Options(o), o, func(o *engine.Options) { o.OnUnavailable = policy })
			on.Store(true)
			lease, err := w.l.Acquire(t.Context(), request(1))
			switch {
			case c.passes && policy == engine.PolicyAllow:
				if err != nil || !lease.Degraded() {
					t.Errorf("%s under Allow: %v", what, err)
				}
			case err == nil || errors.Is(err, engine.ErrUnavailable) != c.passes:
				t.Errorf("%s under %v: %v", what, policy, err)
			}
		}
	}
}

// TestBadNetwork cuts, silences and slows connections: every call is answered within its budget, and what was
// acknowledged was charged.
func TestBadNetwork(t *testing.T) {
	t.Parallel()
	name, o := Table(t)
	network := NewNetwork(t, o.Endpoint)
	w := newWorld(t, name, network.Options(o), o, func(o *engine.Options) { o.Timeout = time.Second })
	sure, perhaps := int64(0), int64(0)
	for _, trouble := range []struct {
		name  string
		begin func()
		fails bool
	}{
		{"none", func() {}, false},
		{"latency", func() { network.Latency(20 * time.Millisecond) }, false},
		{"resets", func() { network.Reset(time.Millisecond) }, true},
		{"few bytes", func() { network.Limit(100) }, true},
		{"silence", network.Silence, true},
		{"none any more", func() {}, false},
	} {
		network.Heal()
		trouble.begin()
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // ten budgets
			d, err := w.l.Allow(ctx, request(1))
			if ctx.Err() != nil {
				t.Errorf("%s: not answered within ten budgets", trouble.name)
			}
			cancel()
			switch {
			case err == nil && d.Allowed:
				sure++
			case !errors.Is(err, engine.ErrUnavailable):
				t.Errorf("%s: %+v, %v", trouble.name, d, err)
			default:
				perhaps += 4 // each of its tries
				if !trouble.fails && trouble.name != "none any more" {
					t.Errorf("%s: %v", trouble.name, err)
				}
			}
		}
	}
	if got := 1_000_000 - w.left(); got < sure || got > sure+perhaps || sure < 8 {
		t.Errorf("%d were acknowledged, %d more may be charged, %d are", sure, perhaps, got)
	}
}

// TestEmulatorKilled kills DynamoDB under load and starts it again: nothing acknowledged is lost, nobody gets too much.
func TestEmulatorKilled(t *testing.T) {
	t.Parallel()
	server := Start(t, &Options{OnDisk: true})
	name, o := server.Table(t)
	w := newWorld(t, name, o, o, func(o *engine.Options) { o.Timeout = 2 * time.Second })
	const capacity = 500
	q := request(1)
	q.Limits = []engine.Limit{engine.PerDay("a", capacity)}
	var sure, unsure atomic.Int64
	var killed atomic.Bool
	var storm, killing sync.WaitGroup
	for range 4 {
		storm.Go(func() {
			for {
				switch d, err := w.l.Allow(t.Context(), q); {
				case err != nil && !errors.Is(err, engine.ErrUnavailable) && !errors.Is(err, engine.ErrContention):
					t.Errorf("Allow: %v", err)
					return
				case err != nil:
					unsure.Add(4)
					if killed.Load() {
						return
					}
				case !d.Allowed:
					t.Error("the limit was reached before the emulator was killed")
					return
				case sure.Add(1) == 100:
					killed.Store(true)
					killing.Go(func() { server.Kill(t) })
				}
			}
		})
	}
	storm.Wait()
	killing.Wait()
	server.Restart(t)
	status, err := w.direct.Available(t.Context(), "user-1", "api", q.Limits...)
	if err != nil {
		t.Fatal(err)
	}
	if used := capacity - status[0].Remaining; used < sure.Load() || used > sure.Load()+unsure.Load() {
		t.Errorf("%d are used after the restart; %d were acknowledged, %d more are possible", used, sure.Load(), unsure.Load())
	}
	q.Consume = engine.Tokens{"a": status[0].Remaining}
	if d, err := w.direct.Allow(t.Context(), q); err != nil || !d.Allowed {
		t.Errorf("what is left after the restart: %+v, %v", d, err)
	}
	q.Consume = engine.Tokens{"a": 1}
	if d, err := w.direct.Allow(t.Context(), q); err != nil || d.Allowed {
		t.Errorf("one more than there are: %+v, %v", d, err)
	}
}
