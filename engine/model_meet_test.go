package engine_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The first model makes one step at a time. The second one is for what needs several calls at once: callers of a process that
// share a write, pockets of prefetched tokens, reservations of Wait, and callers that leave.
//
// Each episode is a few limiters over one memory store, in a bubble of virtual time. A call of a limiter runs on a goroutine of
// its own, as a visit. A call on the store waits until a later move completes it: carried out or not, with a reply or without,
// now or later. After each move the model waits until every goroutine of the bubble waits for something (synctest.Wait): so a
// caller that joins a meeting blocks nobody, and the moves alone decide in which order everything happens. Time passes only by
// moves, and the timers of pockets, reservations and budgets run by it.
//
// What is checked holds in any order:
//
//	books     what a process has handed out, it has charged before, in each life of each bucket; once all is quiet, what it has
//	          charged is what it has handed out, and so are usage and the number of acquires, but for writes of unknown outcome
//	bound     no interval has more admissions than capacity + rate·T, and what the option or the reservation allows
//	denials   in exact mode some order of the callers explains each of them
//	answers   every call returns within its budget, a call whose context has ended at once, and nobody waits for ever
//	the end   another process can take all that is left, and after Close no goroutine is left
//
//	MODEL_STEPS  how many moves, times meetShare
//	MODEL_SEED   the seed of the first episode; that of a failure is printed with it
const (
	meetSteps   = 10_000
	meetShare   = 10 // steps of the first model, in whose time the second one makes a move
	meetLongest = 250
)

// TestModelMeetings is the model of calls that run at the same time.
func TestModelMeetings(t *testing.T) {
	t.Parallel()
	base, moves := modelSeed(t), meetBudget(t)
	episodes, made := uint64(0), int64(0)
	for ; made < moves; episodes++ {
		e := newGathering(base+episodes, meetLongest)
		h := e.play(t)
		made += int64(h.count)
		if h.wrong != "" {
			reportMeeting(t, e, h)
			break
		}
	}
	t.Logf("%d moves in %d episodes from seed %d", made, episodes, base)
}

func meetBudget(t *testing.T) int64 {
	if text := os.Getenv("MODEL_STEPS"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatalf("MODEL_STEPS: %v", err)
		}
		return max(1, n/meetShare)
	}
	return meetSteps
}

// play plays an episode in a bubble. A goroutine that is left in it is a violation, too.
func (e *gathering) play(t *testing.T) (h *hall) {
	h = newHall(e)
	defer func() {
		if v := recover(); v != nil {
			h.fail("after the end: %v", v)
		}
	}()
	synctest.Test(t, func(*testing.T) { h.play() })
	return h
}

// reportMeeting shrinks the episode and tells what happens in it. Few episodes depend on how the runtime schedules goroutines:
// if the shrunk one does not fail again, the trace is that of the failure itself.
func reportMeeting(t *testing.T, e *gathering, h *hall) {
	t.Helper()
	small := shrinkMeeting(t, e)
	for range 20 {
		if again := small.play(t); again.wrong != "" {
			h = again
			break
		}
	}
	t.Errorf("%s\nrerun: MODEL_SEED=%d MODEL_STEPS=1 go test -run '^%s$' ./engine\n%+v\npalette %v\n%s",
		h.wrong, e.seed, t.Name(), e.meetTraits, e.palette, h.story())
}

// shrinkMeeting leaves out moves as long as something goes wrong, and makes the others plainer.
func shrinkMeeting(t *testing.T, e *gathering) *gathering {
	small, reruns := *e, 0
	fails := func(moves []move) bool {
		again := small
		again.moves = moves
		reruns++
		return reruns < mostReruns && again.play(t).wrong != ""
	}
	small.moves = thin(small.moves, fails)
	for i := range small.moves {
		for _, change := range []func(*move){
			func(m *move) { m.fate = answered }, func(m *move) { m.proc = 0 }, func(m *move) { m.entity = 0 }, func(m *move) { m.pick = 0 },
		} {
			moves := slices.Clone(small.moves)
			if change(&moves[i]); moves[i] != small.moves[i] && fails(moves) {
				small.moves = moves
			}
		}
	}
	return &small
}

// fail notes the first violation. The caller holds h.mu, or is alone.
func (h *hall) fail(format string, args ...any) {
	if h.wrong == "" {
		h.wrong = fmt.Sprintf(format, args...)
		h.say("WRONG: %s", h.wrong)
	}
}

// say adds to the trace.
func (h *hall) say(format string, args ...any) {
	h.trace = append(h.trace, entry{h.since(), format, args})
}

// entry is a line of a trace, not yet printed: few episodes go wrong.
type entry struct {
	at     time.Duration
	format string
	args   []any
}

func (h *hall) story() string {
	var text strings.Builder
	for _, e := range h.trace {
		fmt.Fprintf(&text, "%12v  "+e.format+"\n", append([]any{e.at}, e.args...)...)
	}
	return text.String()
}
