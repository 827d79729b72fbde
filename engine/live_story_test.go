package engine_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// TestLimitsChangeLive proves that limits which change while buckets are in use are followed: in the process that changed them at
// the next acquire, and in others at the next refused write or when their configuration has expired.
func TestLimitsChangeLive(t *testing.T) { tellOnEachKind(t, liveChanges, false) }

var liveChanges = stories{
	{"Raise", func(r *story) { r.atEachLevel(liveRaise) }},
	{"Lower", func(r *story) { r.atEachLevel(liveLower) }},
	{"Add", func(r *story) { r.atEachLevel(liveAdd) }},
	{"Remove", func(r *story) { r.atEachLevel(liveRemove) }},
	{"Delete", liveDelete},
	{"Debt", func(r *story) { r.atEachLevel(liveDebt) }},
	{"Rate", func(r *story) { r.atEachLevel(liveRate) }},
	{"OtherProcessRefused", func(r *story) { r.atEachLevel(liveRefused) }},
	{"OtherProcessExpired", func(r *story) { r.atEachLevel(liveExpired) }},
	{"OtherProcessNeverFits", func(r *story) { r.atEachLevel(liveNeverFits) }},
	{"AtOnce", liveAtOnce},
	{"Override", liveOverride},
	{"BroughtThenStored", liveBroughtThenStored},
	{"TooMany", liveTooMany},
}

// change is a story about one level.
type change struct {
	*story
	configLevel
	l *engine.Limiter
}

// atEachLevel tells the same story at each level, with a full bucket each time. It begins with the widest level, so that each
// level overrides those before it.
func (r *story) atEachLevel(tell func(*change)) {
	for i := len(configLevels) - 1; i >= 0; i-- {
		c := &change{story: r, configLevel: configLevels[i], l: r.limiter()}
		r.must(c.l.ResetBucket(r.Context(), user, api))
		tell(c)
		if r.Failed() {
			r.Fatalf("(limits of the %s)", c.name)
		}
	}
}

func (c *change) store(limits ...engine.Limit) {
	c.Helper()
	c.must(c.set(c.Context(), c.l, limits...))
}

func (c *change) use(consume engine.Tokens) *engine.Lease {
	c.Helper()
	return c.mustAcquire(c.l, request(consume))
}

func liveRaise(c *change) {
	c.store(stored("a", 100))
	c.use(tokens("a", 100))
	c.mustDeny(c.l, request(tokens("a", 1)))
	higher := int64(1000)
	c.store(stored("a", higher))
	c.wantLeft(c.l, fmt.Sprintf("raised from 100 to %d", higher), fmt.Sprintf("a:%d", higher-100))
	if got := c.take(c.l, request(tokens("a", 1))); got != higher-100 {
		c.Errorf("raised from 100, all used, to %d: %d were admitted", higher, got)
	}
}

func liveLower(c *change) {
	c.store(stored("a", 1000))
	c.use(tokens("a", 30))
	c.store(stored("a", 50))
	c.use(tokens("a", 1))
	c.wantLeft(c.l, "31 used, lowered to 50", "a:19")
	c.store(stored("a", 1000))
	c.use(tokens("a", 469))
	c.wantLeft(c.l, "500 used of 1000", "a:500")
	c.store(stored("a", 50)) // what was used beyond the new capacity was no debt, and is none
	c.wantLeft(c.l, "500 used, lowered to 50", "a:0")
	e := c.mustDeny(c.l, request(tokens("a", 50)))
	c.wantWait(e, "a", aDay)
	c.mustDeny(c.l, request(tokens("a", 1)))
	c.clock.advance(aDay)
	c.use(tokens("a", 50))
}

// liveAdd: a new limit begins full, wherever its name sorts among the others, which keep what they have.
func liveAdd(c *change) {
	c.store(stored("m", 100))
	c.use(tokens("m", 60))
	c.store(stored("m", 100), stored("a", 10), stored("z", 20))
	c.wantLeft(c.l, "two limits added", "a:10 m:40 z:20")
	c.use(engine.Tokens{"a": 10, "m": 1})
	c.wantLeft(c.l, "one of them used", "a:0 m:39 z:20")
	c.mustDeny(c.l, request(engine.Tokens{"a": 1, "z": 1}))
	c.use(engine.Tokens{"m": 1, "z": 20})
	c.wantLeft(c.l, "the other used", "a:0 m:38 z:0")
}

// liveRemove: a removed limit denies nothing any more, is unknown, and is full when it is added again.
func liveRemove(c *change) {
	c.store(stored("a", 10), stored("b", 10), stored("c", 10))
	lease := c.use(engine.Tokens{"a": 10, "b": 5, "c": 1})
	c.must(lease.Adjust(tokens("a", 10)))
	c.must(lease.Commit(c.Context()))
	c.mustDeny(c.l, request(tokens("c", 1)))
	c.store(stored("b", 10), stored("c", 10))
	c.use(tokens("c", 1))
	c.wantLeft(c.l, "one of three removed", "b:5 c:8")
	_, err := c.l.Acquire(c.Context(), request(tokens("a", 1)))
	c.wantError("a limit that was removed", err, engine.ErrUnknownLimit)
	c.store(stored("a", 10), stored("b", 10), stored("c", 10))
	c.use(tokens("a", 1))
	c.wantLeft(c.l, "the removed one came back", "a:9 b:5 c:8")
}

// liveDelete: if the limits of a level are deleted, the next level counts, and what was used stays used.
func liveDelete(r *story) {
	l := r.limiter()
	for i, v := range configLevels {
		r.must(v.set(r.Context(), l, stored("a", int64(20+10*i))))
	}
	r.mustAcquire(l, request(tokens("a", 5)))
	for i, v := range configLevels {
		r.wantLeft(l, "limits of the "+v.name, fmt.Sprintf("a:%d", 15+10*i))
		r.must(v.remove(r.Context(), l))
	}
	_, err := l.Acquire(r.Context(), request(tokens("a", 1)))
	r.wantError("nothing is stored any more", err, engine.ErrNoLimits)
	r.mustAcquire(l, request(tokens("a", 1), stored("a", 60)))
	r.wantLeft(l, "limits that the request brought", "a:54", stored("a", 60))
}

// liveDebt: debt is kept, whatever the new capacity. An amount that may be due to clocks that disagree is not debt.
func liveDebt(c *change) {
	owe := func(n int64) {
		lease := c.use(tokens("a", 1))
		c.must(lease.Adjust(tokens("a", n-1)))
		c.must(lease.Commit(c.Context()))
	}
	c.store(stored("a", 100))
	owe(150)
	c.wantLeft(c.l, "150 of 100 used", "a:-50")
	c.store(stored("a", 20))
	c.wantLeft(c.l, "150 of 100 used, lowered to 20", "a:-130")
	c.mustDeny(c.l, request(tokens("a", 1)))
	c.store(stored("a", 1000))
	c.wantLeft(c.l, "150 of 100 used, raised to 1000", "a:850")
	c.use(tokens("a", 850))
	c.must(c.l.ResetBucket(c.Context(), user, api))
	c.store(engine.PerSecond("a", 100))
	owe(600)
	c.store(engine.PerSecond("a", 50))
	c.wantLeft(c.l, "5 s of the old rate in debt", "a:0")
	c.must(c.l.ResetBucket(c.Context(), user, api))
	c.use(tokens("a", 1))
	c.store(engine.PerSecond("a", 100))
	owe(1199)
	c.store(engine.PerSecond("a", 50))
	c.wantLeft(c.l, "11 s of the old rate in debt", "a:-1150")
}

// liveRate: until the change the limit refills at the old rate, and then at the new one.
func liveRate(c *change) {
	c.store(engine.PerHour("a", 60))
	c.use(tokens("a", 60))
	c.clock.advance(30 * time.Minute)
	c.store(engine.PerHour("a", 600).WithBurst(60))
	c.use(tokens("a", 30))
	c.mustDeny(c.l, request(tokens("a", 1)))
	c.clock.advance(time.Minute)
	c.wantLeft(c.l, "a minute at the new rate", "a:10")
	c.clock.advance(time.Minute)
	c.store(engine.PerHour("a", 60))
	c.use(tokens("a", 20))
	c.wantWait(c.mustDeny(c.l, request(tokens("a", 1))), "a", time.Minute)
}

// liveRefused: another process learns from the first refusal, long before its configuration expires.
func liveRefused(c *change) {
	other := c.limiter()
	c.store(stored("a", 100))
	c.mustAcquire(other, request(tokens("a", 100)))
	c.store(stored("a", 1000), stored("b", 3))
	c.use(tokens("b", 1))
	c.clock.advance(2 * time.Second)                // other remembers that there was nothing left
	c.mustAcquire(other, request(tokens("a", 100))) // that it did not know of b is no matter
	if got := c.take(other, request(engine.Tokens{"a": 100, "b": 1})); got != 2 {
		c.Errorf("another process admitted %d after a limit was added, not 2", got)
	}
	c.store(stored("a", 100))
	c.use(tokens("a", 0)) // asks for nothing and writes nothing: other meets the old limits
	if c.name != configLevels[0].name {
		c.mustDeny(c.l, request(tokens("a", 1))) // this writes the new ones
	}
	c.mustDeny(other, request(tokens("a", 1)))
	c.clock.advance(aDay)
	if got := c.take(other, request(tokens("a", 10))); got != 10 {
		c.Errorf("another process admitted %d of 10 after a limit was removed and another one lowered", got)
	}
}

// liveExpired: another process whose writes are not refused learns when its configuration is a minute old.
func liveExpired(c *change) {
	other := c.limiter()
	c.store(stored("a", 100))
	c.mustAcquire(other, request(tokens("a", 10)))
	c.store(stored("a", 20))
	c.clock.advance(time.Minute)
	if got := c.take(other, request(tokens("a", 1))); got != 10 {
		c.Errorf("another process admitted %d after the limit was lowered to 20, 10 of them used, not 10", got)
	}
	c.store(stored("a", 100), stored("b", 1))
	c.clock.advance(time.Minute)
	if got := c.take(other, request(engine.Tokens{"a": 1, "b": 1})); got != 1 {
		c.Errorf("another process admitted %d after a limit of 1 was added", got)
	}
}

// liveNeverFits: before anybody is told that a request never fits, the stored limits are read again.
func liveNeverFits(c *change) {
	other := c.limiter()
	c.store(stored("a", 100))
	c.mustAcquire(other, request(tokens("a", 1)))
	c.store(stored("a", 1000))
	c.clock.advance(2 * time.Second)
	c.mustAcquire(other, request(tokens("a", 500)))
	c.wantLeft(c.l, "500 of what was 100", "a:499")
	c.clock.advance(2 * time.Second)
	c.mustAcquire(other, request(tokens("a", 1)))
	c.store(stored("a", 10_000))
	if wait, err := other.TimeUntilAvailable(c.Context(), request(tokens("a", 5000))); wait != 0 || err != nil {
		c.Errorf("5000 of what was 1000: available in %v, %v", wait, err)
	}
}
