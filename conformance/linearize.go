package conformance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anishathalye/porcupine"

	"github.com/zeroae/zae-limiter-go/backend"
)

// step is an operation of one worker on one register, which is a record with a number, or none.
type step struct {
	key     int
	op      string // read, add, swap, make, remove
	a, b    int    // amount, or old and new
	applied bool
	there   bool // read: whether there was a record, and its number
	n       int
}

// register is the state of one record.
type register struct {
	there bool
	n     int
}

// next returns the register after a step, and whether the step's result is right.
func (r register) next(st step) (bool, register) {
	switch st.op {
	case "add":
		return st.applied, register{true, r.n + st.a}
	case "swap":
		if !r.there || r.n != st.a {
			return !st.applied, r
		}
		return st.applied, register{true, st.b}
	case "make":
		if r.there {
			return !st.applied, r
		}
		return st.applied, register{true, st.a}
	case "remove":
		if !r.there || r.n < st.a {
			return !st.applied, r
		}
		return st.applied, register{}
	default: // read
		return st.there == r.there && st.n == r.n, r
	}
}

var registers = porcupine.Model{
	Init:  func() any { return register{there: true} },
	Step:  func(state, _, output any) (bool, any) { return state.(register).next(output.(step)) },
	Equal: func(a, b any) bool { return a == b },
}

const registerCount = 3

// byKey returns the history of each register: they are independent of each other.
func byKey(history []porcupine.Operation) (histories [registerCount][]porcupine.Operation) {
	for _, op := range history {
		k := op.Input.(step).key
		histories[k] = append(histories[k], op)
	}
	return histories
}

// String is the step and its result in words.
func (st step) String() string {
	result := "refused"
	if st.applied {
		result = "applied"
	}
	switch st.op {
	case "add":
		return fmt.Sprintf("add %d: %s", st.a, result)
	case "swap":
		return fmt.Sprintf("if it is %d, set %d: %s", st.a, st.b, result)
	case "make":
		return fmt.Sprintf("if there is none, create %d: %s", st.a, result)
	case "remove":
		return fmt.Sprintf("if it is at least %d, remove: %s", st.a, result)
	}
	if !st.there {
		return "read: none"
	}
	return fmt.Sprintf("read: %d", st.n)
}

// do sends a step to the store and sets its result.
func (s *storeTest) do(st *step) {
	k := keyOf(fmt.Sprint(st.key))
	switch st.op {
	case "read":
		r := s.peek(k)
		st.there, st.n = r[0].Present(), int(r[0].Int64(slotN))
	case "add":
		st.applied = s.applied(write(k, add(st.a)))
	case "swap":
		st.applied = s.applied(write(k, is(backend.Equal, st.a), set(st.b)))
	case "make":
		st.applied = s.committed(write(k, is(backend.Absent), set(st.a)))
	case "remove":
		st.applied = s.applied(remove(k, is(backend.AtLeast, st.a)))
	}
}

// momentLinearizable records the operations of several workers and their results, and searches an order of single steps that
// explains all results. Time is counted, not measured: a call begins and ends at a number.
func momentLinearizable(s *storeTest) {
	var clock atomic.Int64
	var lock sync.Mutex
	var history []porcupine.Operation
	for i := range registerCount {
		s.mustPut(write(keyOf(fmt.Sprint(i)), set(0)))
	}
	together(workers, func(worker int) {
		random := rand.New(rand.NewPCG(uint64(worker), 7)) // the race is what differs from run to run
		for range 25 {
			st := step{
				key: random.IntN(registerCount), op: []string{"read", "read", "add", "swap", "swap", "make", "remove"}[random.IntN(7)],
				a: random.IntN(4), b: random.IntN(4),
			}
			op := porcupine.Operation{ClientId: worker, Input: st, Call: clock.Add(1)}
			s.do(&st)
			op.Output, op.Return = st, clock.Add(1)
			lock.Lock()
			history = append(history, op)
			lock.Unlock()
		}
	})
	for key, steps := range byKey(history) {
		if porcupine.CheckOperationsTimeout(registers, steps, patience) != porcupine.Illegal {
			continue
		}
		s.Errorf("no order of single steps explains these results on record %d, which was 0 before:", key)
		slices.SortFunc(steps, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
		for _, op := range steps {
			s.Logf("  from %d to %d worker %d: %v", op.Call, op.Return, op.ClientId, op.Output)
		}
	}
}
