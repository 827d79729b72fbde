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
		meetTraits{procs: 1, prefetch: 1, honors: true, leases: true},
		[]string{"a:1/min:5"},
		[]move{
			{do: callAcquire, tokens: [2]int64{1}},
			{do: doDrain},
			{do: doPassing, d: 1100 * time.Millisecond, pick: 7}, // then no record that was seen proves a denial
			{do: callRollback},
			{do: callAllow, tokens: [2]int64{5}},
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
