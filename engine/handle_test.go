package engine

import (
	"sync"
	"testing"
	"unsafe"

	"github.com/zeroae/zae-limiter-go/backend"
)

// asking is a store that notes what it is asked to prefetch.
type asking struct {
	backend.Backend
	last any
}

func (a *asking) Prefetch(memo any) { a.last = memo }

// TestHandleLines: what is asked for ahead is what there is.
func TestHandleLines(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(handle{}); size != 2*64 {
		t.Errorf("a handle has %d bytes, not two lines", size)
	}
	if size := unsafe.Sizeof(cacheSet{}); size != 4*64 {
		t.Errorf("a set has %d bytes, not four lines", size)
	}
}

// TestTurns: a denial is repeated from the second that one turn has shown, until something moves.
func TestTurns(t *testing.T) {
	t.Parallel()
	h, d := newHandle(&bucketID{}, "", nil), &repeat{}
	turn := h.turn.Load()
	if h.show(); h.repeat.Load() != nil {
		t.Fatal("a denial is repeated before any was kept")
	}
	if h.keep(turn, d); h.repeat.Load() != nil {
		t.Fatal("a denial found before the turn is repeated in it")
	}
	if h.keep(h.turn.Load(), d); h.repeat.Load() != d {
		t.Fatal("the second denial of a turn is not kept")
	}
	turn = h.turn.Load()
	if h.passed(); h.repeat.Load() != nil || !h.behind.Load() {
		t.Fatal("a denial is repeated after an admission")
	}
	h.show()
	if h.keep(turn, d); h.repeat.Load() != nil {
		t.Fatal("a denial of an earlier turn is repeated")
	}
}

// TestTurnsTogether: whatever the order in which others show, keep and move, no denial stays that was found before the
// last move.
func TestTurnsTogether(t *testing.T) {
	t.Parallel()
	h := newHandle(&bucketID{}, "", nil)
	for range 2_000 {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 4 {
					h.show()
					h.keep(h.turn.Load(), &repeat{})
				}
			})
		}
		turn := h.turn.Load() // of a denial found now
		group.Go(h.moved)
		group.Wait()
		h.moved()
		old := &repeat{}
		group.Go(func() { h.keep(turn, old) })
		group.Go(h.show)
		group.Wait()
		if h.repeat.Load() == old {
			t.Fatal("a denial found before the last move is repeated")
		}
	}
}
