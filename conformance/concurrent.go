package conformance

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/zeroae/zae-limiter-go/backend"
)

// workers is how many goroutines race. They do a bounded number of calls, so that slow stores finish.
const workers = 8

// oneMoment proves that no write comes between checking conditions and applying effects.
var oneMoment = cases{
	{"Admissions", momentAdmissions},
	{"Amounts", momentAmounts},
	{"Create", momentCreate},
	{"Swap", momentSwap},
	{"Both", momentBoth},
	{"ComeAndGo", momentComeAndGo},
	{"Transfer", momentTransfer},
	{"Linearizable", momentLinearizable},
}

// together runs several goroutines, which start at the same time, and waits for all of them.
func together(n int, work func(worker int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for worker := range n {
		all.Go(func() {
			<-start
			work(worker)
		})
	}
	close(start)
	all.Wait()
}

// applied applies one write from any goroutine and reports whether it was applied. An error fails the subtest.
func (s *storeTest) applied(w backend.Write) bool {
	out, err := s.one(w)
	if err != nil || out.Err != nil {
		s.Errorf("Apply on %v: %v, %v", w.Key, err, out.Err)
		return false
	}
	return out.Applied
}

// committed commits from any goroutine and reports whether the commit was applied.
func (s *storeTest) committed(writes ...backend.Write) bool {
	err := s.commit(writes...)
	if err != nil && !errors.Is(err, backend.ErrConflict) {
		s.Errorf("Commit: %v", err)
	}
	return err == nil
}

// peek reads from any goroutine.
func (s *storeTest) peek(keys ...backend.Key) []backend.Record {
	out := make([]backend.Record, len(keys))
	for i := range out {
		out[i].Reset(layout)
	}
	if err := s.store.Read(s.Context(), keys, out); err != nil {
		s.Errorf("Read: %v", err)
	}
	return out
}

// momentAdmissions takes from one key until nothing is left: exactly what there was is taken.
func momentAdmissions(s *storeTest) {
	k, admitted := keyOf("k"), atomic.Int64{}
	const capacity = 100
	s.mustPut(write(k, set(0)))
	together(workers, func(int) {
		for s.applied(write(k, is(backend.AtMost, capacity-1), add(1))) {
			admitted.Add(1)
		}
	})
	if admitted.Load() != capacity {
		s.Errorf("%d were admitted, of %d", admitted.Load(), capacity)
	}
	s.want(k, fmt.Sprintf("n=%d", capacity))
}

// momentAmounts takes different amounts.
func momentAmounts(s *storeTest) {
	k, admitted := keyOf("k"), atomic.Int64{}
	const capacity = 200
	s.mustPut(write(k, set(0)))
	together(workers, func(worker int) {
		amount := worker%4 + 1
		for s.applied(write(k, is(backend.AtMost, capacity-amount), add(amount))) {
			admitted.Add(int64(amount))
		}
	})
	if admitted.Load() != capacity { // the workers that take one stop at nothing less
		s.Errorf("%d were admitted, of %d", admitted.Load(), capacity)
	}
	s.want(k, fmt.Sprintf("n=%d", admitted.Load()))
}

// momentCreate creates records that only one of all goroutines may create.
func momentCreate(s *storeTest) {
	const races = 20
	var won [races]atomic.Int64
	together(workers, func(worker int) {
		for i := range races {
			w := write(keyOf(fmt.Sprint(i)), is(backend.Absent), set(worker+1))
			if i%2 == 0 && s.applied(w) || i%2 == 1 && s.committed(w) {
				won[i].Add(int64(worker + 1)) // of two winners the sum is not what is written
			}
		}
	})
	for i := range won {
		s.want(keyOf(fmt.Sprint(i)), fmt.Sprintf("n=%d", won[i].Load()))
	}
}

// momentSwap counts by compare-and-set.
func momentSwap(s *storeTest) {
	k, swapped := keyOf("k"), atomic.Int64{}
	s.mustPut(write(k, set(0)))
	together(workers, func(int) {
		for range 20 {
			r := s.peek(k)
			n := int(r[0].Int64(slotN))
			if s.applied(write(k, is(backend.Equal, n), set(n+1))) {
				swapped.Add(1)
			}
		}
	})
	s.want(k, fmt.Sprintf("n=%d", swapped.Load()))
}

// momentBoth sends some writes alone and others in commits, with another key before or after them.
func momentBoth(s *storeTest) {
	k, beside, admitted := keyOf("k"), keyOf("beside"), atomic.Int64{}
	const capacity = 100
	s.mustPut(write(k, set(0)))
	together(workers, func(worker int) {
		take := write(k, is(backend.Less, capacity), add(1))
		for done := false; !done; {
			switch worker % 4 {
			case 0:
				done = !s.committed(take, write(beside, add(1)))
			case 1:
				done = !s.committed(write(beside, add(1)), take)
			default:
				done = !s.applied(take)
			}
			if !done {
				admitted.Add(1)
			}
		}
	})
	s.want(k, fmt.Sprintf("n=%d", capacity))
	if admitted.Load() != capacity {
		s.Errorf("%d were admitted, of %d", admitted.Load(), capacity)
	}
}

// momentComeAndGo creates and removes one record, with the memo that the store leaves in the writes.
func momentComeAndGo(s *storeTest) {
	k := keyOf("k")
	var there atomic.Int64
	together(workers, func(worker int) {
		writes, out := []backend.Write{write(k, is(backend.Absent), set(worker), place("p"))}, make([]backend.Outcome, 1)
		if worker%2 == 1 {
			writes[0] = remove(k, is(backend.Present))
		}
		for range 40 {
			if err := s.store.Apply(s.Context(), writes, out); err != nil {
				s.Errorf("Apply: %v", err)
			} else if out[0].Applied {
				there.Add(int64(1 - worker%2*2))
			}
		}
	})
	want := int64(0)
	if s.mustRead(k)[0].Present() {
		want = 1
	}
	if there.Load() != want {
		s.Errorf("made %d times more than removed; it is there %d times", there.Load(), want)
	}
}

// momentTransfer moves amounts between accounts. Their sum is the same at every moment.
func momentTransfer(s *storeTest) {
	accounts := keysOf("0", "1", "2", "3")
	const each = 20
	for _, k := range accounts {
		s.mustPut(write(k, set(each)))
	}
	var audits atomic.Int64
	together(workers, func(worker int) {
		for i := range 30 {
			if worker > 1 {
				amount, from := 1+i%5, (worker+i)%len(accounts)
				to := (from + 1 + i%3) % len(accounts)
				s.committed(write(accounts[from], is(backend.AtLeast, amount), add(-amount)), write(accounts[to], add(amount)))
				continue
			}
			sum, checks := int64(0), []backend.Write{}
			for j, r := range s.peek(accounts...) {
				n := r.Int64(slotN)
				sum += n
				checks = append(checks, write(accounts[j], is(backend.Equal, int(n))))
			}
			if s.committed(checks...) {
				if audits.Add(1); sum != each*int64(len(accounts)) {
					s.Errorf("at one moment there were %d, not %d", sum, each*len(accounts))
				}
			}
		}
	})
	sum := int64(0)
	for _, r := range s.mustRead(accounts...) {
		sum += r.Int64(slotN)
	}
	if sum != each*int64(len(accounts)) {
		s.Errorf("in the end there are %d, not %d", sum, each*len(accounts))
	}
	s.Logf("%d audits saw one moment", audits.Load())
}
