package store

import (
	"testing"
	"time"
)

// TestBreaker goes through what a probe may come to, on a clock that the test sets.
func TestBreaker(t *testing.T) {
	at := int64(2_000_000_000) * int64(time.Second)
	now := func() int64 { return at }
	b := &breaker{}
	want := func(what string, allowed, probe bool) {
		t.Helper()
		if b.refuses(now) == allowed {
			t.Fatalf("%s: refuses is %v, and enter should say %v", what, !allowed, allowed)
		}
		if gotAllowed, gotProbe := b.enter(now); gotAllowed != allowed || gotProbe != probe {
			t.Fatalf("%s: allowed %v, probe %v; want %v, %v", what, gotAllowed, gotProbe, allowed, probe)
		}
	}
	pass := func(d time.Duration) { at += int64(d) }
	trip := func() {
		for range tripAfter {
			want("closed", true, false)
			b.leave(now(), false, failing)
		}
		want("open", false, false)
	}
	for range 200 { // pauses are random
		trip()
		pass(time.Second - 1)
		want("before the pause is over", false, false)
		pass(time.Second/4 + 1)
		want("after the pause", true, true)
		want("while a probe is under way", false, false)
		b.leave(now(), false, failing) // a call of before it opened
		pass(time.Minute)
		want("when a probe has not ended for long", true, true)
		pass(time.Minute)
		b.leave(now(), true, unknown)
		want("after the caller of a probe gave up", false, false)
		pass(time.Second + time.Second/4)
		want("a pause later", true, true)
		b.leave(now(), true, panicking)
		want("after a probe that panicked", true, true)
		for d := 2 * time.Second; d < time.Minute; d *= 2 {
			b.leave(now(), true, failing)
			d := min(d, 8*time.Second)
			pass(d - 1)
			want("before a longer pause is over", false, false)
			pass(d/4 + 1)
			want("after it", true, true)
		}
		b.leave(now(), true, failing)
		pass(-time.Hour)
		want("when the clock was set back", true, true)
		b.leave(now(), true, healthy)
	}
	trip() // begins with the shortest pause again
	pass(time.Second + time.Second/4)
	want("a second time", true, true)
	b.leave(now(), false, healthy) // a call of before it opened, which was slow
	want("when any call has found the store back", true, false)
}
