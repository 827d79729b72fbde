package quiet_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/internal/quiet"
)

// A line is due at once, then once a second, and says how often it was not.
func TestLine(t *testing.T) {
	var line quiet.Line
	start := time.Unix(1_000, 0)
	for _, c := range []struct {
		after   time.Duration
		omitted int64
		due     bool
	}{
		{0, 0, true},
		{0, 0, false},
		{time.Second - 1, 0, false},
		{time.Second, 2, true},
		{time.Second + 1, 0, false},
		{time.Hour, 1, true},
		{time.Minute, 0, true}, // the clock was set back
		{time.Minute - 1, 0, false},
	} {
		if omitted, due := line.Due(start.Add(c.after)); omitted != c.omitted || due != c.due {
			t.Errorf("after %v: %d, %v, want %d, %v", c.after, omitted, due, c.omitted, c.due)
		}
	}
}

// Of many callers at one time, one writes, and all others are counted.
func TestLineOfMany(t *testing.T) {
	var (
		line quiet.Line
		due  atomic.Int64
		all  sync.WaitGroup
	)
	start := time.Unix(1_000, 0)
	for range 100 {
		all.Go(func() {
			if _, ok := line.Due(start); ok {
				due.Add(1)
			}
		})
	}
	all.Wait()
	if omitted, ok := line.Due(start.Add(time.Second)); due.Load() != 1 || omitted != 99 || !ok {
		t.Errorf("%d were due, and %d were omitted", due.Load(), omitted)
	}
}
