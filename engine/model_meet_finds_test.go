package engine_test

import (
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
)

// meetFinds are episodes of what TestModelMeetings has found, shrunk.
var meetFinds = []struct {
	name    string
	traits  meetTraits
	palette []string
	moves   []move
}{
	{
		"ARefundMakesRoomForTheWholeCapacity",
		meetTraits{procs: 1, prefetch: 1, honors: true, leases: true, waits: true},
		[]string{"a:504/s:320"},
		[]move{
			{do: callAcquire, tokens: [2]int64{1}},
			{do: callAllow, tokens: [2]int64{1}},
			{do: doDrain},
			{do: doPassing, d: 7 * time.Millisecond, pick: 7},        // it is full again
			{do: callWait, tokens: [2]int64{1}, d: time.Millisecond}, // writes beside the desk
			{do: callRollback},
			{do: callAllow, tokens: [2]int64{320}},
			{do: doDrain},
		},
	},
	{
		"WhoMeetsAtAClosedLimiterDoesNotWait",
		meetTraits{procs: 1, honors: true, leaves: true, closes: true},
		[]string{"a:1/min:5"},
		[]move{
			{do: callAllow, tokens: [2]int64{1}},
			{do: doDrain},
			{do: callAllow, tokens: [2]int64{1}}, // writes
			{do: callRefresh},
			{do: doReply, pick: 1},
			{do: callAllow, tokens: [2]int64{1}}, // reads its configuration
			{do: doClose},
			{do: doReply, pick: 1}, // and goes on
			{do: doReply},
			{do: doCancel}, // nobody is left to refund what it is given
			{do: doDrain},
		},
	},
}

// TestModelMeetingsFinds is TestModelMeetings on what it once found.
func TestModelMeetingsFinds(t *testing.T) {
	for _, f := range meetFinds {
		t.Run(f.name, func(t *testing.T) {
			e := &gathering{meetTraits: f.traits, moves: f.moves, ahead: make([]time.Duration, f.traits.procs)}
			var limits []engine.Limit
			for _, text := range f.palette {
				l, err := engine.ParseLimit(text)
				if err != nil {
					t.Fatal(err)
				}
				limits = append(limits, l)
			}
			e.palette = [][]engine.Limit{limits}
			if h := e.play(t); h.wrong != "" {
				t.Errorf("%s\n%s", h.wrong, h.story())
			}
		})
	}
}
