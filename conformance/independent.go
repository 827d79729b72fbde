package conformance

import (
	"errors"
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// independent proves that the writes of one Apply do not depend on each other.
var independent = cases{
	{"Mixed", independentMixed},
	{"SameKey", independentSameKey},
	{"Many", independentMany},
	{"Sum", independentSum},
}

func independentMixed(s *storeTest) {
	writes, want := []backend.Write{}, []bool{}
	for i := range 12 {
		k := keyOf(fmt.Sprint(i))
		s.mustPut(write(k, set(i)))
		writes = append(writes, write(k, is(backend.Equal, i+i%3), add(100)))
		want = append(want, i%3 == 0)
	}
	writes[9] = remove(writes[9].Key)
	out := make([]backend.Outcome, len(writes))
	if err := s.store.Apply(s.Context(), writes, out); err != nil {
		s.Fatalf("Apply: %v", err)
	}
	for i, o := range out {
		text := fmt.Sprintf("n=%d", i)
		if i == 9 {
			text = "none"
		} else if want[i] {
			text = fmt.Sprintf("n=%d", i+100)
		}
		if o.Applied != want[i] || o.Err != nil {
			s.Errorf("write %d of twelve: applied %v, %v", i, o.Applied, o.Err)
		}
		s.want(writes[i].Key, text)
	}
}

// independentSameKey has several writes on one key, whose order is the store's.
func independentSameKey(s *storeTest) {
	k, made := keyOf("k"), keyOf("made")
	var writes []backend.Write
	for range 8 {
		writes = append(writes, write(k, add(1)), write(made, is(backend.Absent), set(1)))
	}
	out := make([]backend.Outcome, len(writes))
	if err := s.store.Apply(s.Context(), writes, out); err != nil {
		s.Fatalf("Apply: %v", err)
	}
	adds, makes := 0, 0
	for i, o := range out {
		if o.Applied && i%2 == 0 {
			adds++
		} else if o.Applied {
			makes++
		}
	}
	if adds != 8 || makes != 1 {
		s.Errorf("of eight additions %d took effect, of eight creations of one record %d", adds, makes)
	}
	s.want(k, "n=8")
}

func independentMany(s *storeTest) {
	var writes []backend.Write
	for i := range 2*backend.MaxCommit + 30 {
		writes = append(writes, write(keyOf(fmt.Sprint(i)), set(i)))
	}
	out := make([]backend.Outcome, len(writes))
	if err := s.store.Apply(s.Context(), writes, out); err != nil {
		s.Fatalf("Apply of %d writes: %v", len(writes), err)
	}
	for i, o := range out {
		if !o.Applied || o.Err != nil {
			s.Errorf("write %d of %d: applied %v, %v", i, len(out), o.Applied, o.Err)
		}
		s.want(writes[i].Key, fmt.Sprintf("n=%d", i))
	}
}

// independentSum has a write in the middle whose sum no store can keep: it alone fails.
func independentSum(s *storeTest) {
	a, large, b := keyOf("a"), keyOf("large"), keyOf("b")
	s.mustPut(write(large, setNum(slotN, number("-"+nines))))
	writes := []backend.Write{
		write(a, set(1)), write(large, backend.Effect{Slot: slotN, Op: backend.Add, Num: number("-" + nines)}), write(b, set(2)),
	}
	out := make([]backend.Outcome, 3)
	err := s.store.Apply(s.Context(), writes, out)
	if err == nil || out[1].Err == nil || !errors.Is(err, out[1].Err) {
		s.Errorf("a sum of 39 digits: Apply says %v, the outcome %v", err, out[1].Err)
	}
	if out[0].Err != nil || !out[0].Applied || out[2].Err != nil || !out[2].Applied {
		s.Errorf("the writes beside a sum of 39 digits: %v, %v", out[0].Err, out[2].Err)
	}
	s.want(a, "n=1")
	s.mustPut(write(large, backend.Cond{Slot: slotN, Op: backend.Equal, A: number("-" + nines)}))
	s.want(b, "n=2")
}
