package pocket_test

import (
	"math"
	"testing"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/pocket"
)

// stand is a bucket with a buyer, at an instant that the test moves.
type stand struct {
	t *testing.T
	*pocket.Buyer
	*stored
	now   int64
	nonce int64
	sent  []*pocket.Write // not answered yet
}

func newStand(t *testing.T, opts pocket.Options, limits ...bucket.Limit) *stand {
	s := newStored(limits, 1, 0)
	return &stand{t: t, stored: s, Buyer: pocket.New(s.rates, opts), now: start}
}

func (s *stand) take(step pocket.Step) pocket.Step {
	if step.Send != nil {
		s.sent = append(s.sent, step.Send)
	}
	return step
}

// ask asks for one token, or so many of each limit.
func (s *stand) ask(need ...int64) *pocket.Caller {
	if need == nil {
		need = []int64{1}
	}
	c := &pocket.Caller{Need: need}
	s.take(s.Ask(s.now, c))
	return c
}

// tick lets time pass up to the instant at which the buyer is due.
func (s *stand) tick() pocket.Step {
	s.t.Helper()
	due := s.Due()
	if due == math.MaxInt64 {
		s.t.Fatal("nothing is due")
	}
	s.now = max(s.now, due)
	return s.take(s.Tick(s.now))
}

// message is the first write sent, on its way to the store.
func (s *stand) message() *message {
	s.t.Helper()
	if len(s.sent) == 0 {
		s.t.Fatal("nothing was sent")
	}
	w := s.sent[0]
	s.sent = s.sent[1:]
	s.nonce++
	h := &handle{w: &world{}, s: s.stored, b: s.Buyer, underWay: map[*pocket.Write]*flown{}}
	return &message{w: w, h: h, nonce: s.nonce, y: s.now, active: w.Active, slack: w.Slack, refund: w.Refund, born: w.Born}
}

// answer lets time pass, and the first write sent reach the store and be answered.
func (s *stand) answer(after time.Duration) pocket.Step {
	s.t.Helper()
	m := s.message()
	s.now += int64(after)
	if m.receive(s.stored, s.now); m.outcome == applied {
		return s.take(s.Applied(s.now, m.w, &m.record))
	}
	return s.take(s.Refused(s.now, m.w, &m.record))
}

// warm asks every millisecond for a while, until there is something in the pocket.
func (s *stand) warm() {
	for range 400 {
		s.now += ms
		s.ask()
		for len(s.sent) > 0 {
			s.answer(time.Millisecond / 4)
		}
	}
	if s.Pockets()[0] == 0 {
		s.t.Fatal("the pocket is empty")
	}
}

func (s *stand) want(what string, got, want any) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

var prefetch = pocket.Options{Prefetch: true}

func newWarmStand(t *testing.T) *stand {
	s := newStand(t, prefetch, perSecond(10_000, 60))
	s.warm()
	return s
}
