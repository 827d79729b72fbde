package conformance

import (
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// future is a time in the year 2100.
const future = 4_102_444_800

// readOwnCommit proves that later reads by key see what was acknowledged.
var readOwnCommit = cases{
	{"Effects", effectsAlone},
	{"EffectsCommitted", effectsCommitted},
	{"EffectsTogether", effectsTogether},
	{"ManyKeys", readMany},
	{"Elsewhere", readElsewhere},
	{"Memo", readMemo},
}

// effectTable has the result of one effect on a record with n and s, and on no record.
var effectTable = []struct {
	effect           backend.Effect
	onRecord, onNone string
}{
	{set(5), `n=5 s="x"`, "n=5"},
	{setNum(slotM, numOf(5)), `n=7 m=5 s="x"`, "m=5"},
	{backend.Effect{Slot: slotN, Op: backend.SetIfAbsent, Num: numOf(5)}, `n=7 s="x"`, "n=5"},
	{backend.Effect{Slot: slotM, Op: backend.SetIfAbsent, Num: numOf(5)}, `n=7 m=5 s="x"`, "m=5"},
	{add(5), `n=12 s="x"`, "n=5"},
	{add(-7), `n=0 s="x"`, "n=-7"},
	{add(-10), `n=-3 s="x"`, "n=-10"},
	{backend.Effect{Slot: slotN, Op: backend.Add, Num: numOf(5), Base: numOf(100)}, `n=12 s="x"`, "n=105"},
	{backend.Effect{Slot: slotM, Op: backend.Add, Num: numOf(5), Base: numOf(100)}, `n=7 m=105 s="x"`, "m=105"},
	{backend.Effect{Slot: slotM, Op: backend.Add, Num: numOf(5), Base: numOf(-100)}, `n=7 m=-95 s="x"`, "m=-95"},
	{backend.Effect{Slot: slotM, Op: backend.Add, Num: numOf(0), Base: numOf(0)}, `n=7 m=0 s="x"`, "m=0"},
	{unset(slotN), `s="x"`, "empty"},
	{unset(slotM), `n=7 s="x"`, "empty"},
	{setText(slotS, "z"), `n=7 s="z"`, `s="z"`},
	{setText(slotT, "y"), `n=7 s="x" t="y"`, `t="y"`},
	{setText(slotB, "\xff"), `n=7 s="x" b="\xff"`, `b="\xff"`},
	{backend.Effect{Slot: slotS, Op: backend.SetIfAbsent, Text: "y"}, `n=7 s="x"`, `s="y"`},
	{backend.Effect{Slot: slotT, Op: backend.SetIfAbsent, Text: "y"}, `n=7 s="x" t="y"`, `t="y"`},
	{unset(slotS), `n=7`, "empty"},
	{unset(slotT), `n=7 s="x"`, "empty"},
}

func effectsAlone(s *storeTest) { s.tryEffects(func(w backend.Write) { s.mustPut(w) }) }

func effectsCommitted(s *storeTest) { s.tryEffects(func(w backend.Write) { s.mustCommit(w) }) }

func (s *storeTest) tryEffects(send func(backend.Write)) {
	for i, row := range effectTable {
		none, there := keyOf(fmt.Sprintf("none %d", i)), keyOf(fmt.Sprintf("there %d", i))
		s.mustPut(write(there, set(7), setText(slotS, "x")))
		send(write(none, row.effect))
		send(write(there, row.effect))
		s.want(none, row.onNone)
		s.want(there, row.onRecord)
	}
}

func effectsTogether(s *storeTest) {
	a, b := keyOf("a"), keyOf("b")
	all := []backend.Effect{
		{Slot: slotM, Op: backend.Add, Num: numOf(1), Base: numOf(10)},
		add(1), setText(slotS, "y"), unset(slotT),
		{Slot: slotB, Op: backend.SetIfAbsent, Text: "z"},
	}
	s.mustPut(write(a, set(1), setText(slotT, "gone")))
	s.mustCommit(write(a, all), write(b, all))
	s.want(a, `n=2 m=11 s="y" b="z"`)
	s.want(b, `n=1 m=11 s="y" b="z"`)
	s.mustPut(write(a, all), write(b, all))
	s.want(a, `n=3 m=12 s="y" b="z"`)
	s.want(b, `n=2 m=12 s="y" b="z"`)
	s.mustCommit(remove(a), write(b, set(0)))
	s.want(a, "none")
	s.want(b, `n=0 m=12 s="y" b="z"`)
}

// readMany reads more keys than any store fetches at once, some of them twice.
func readMany(s *storeTest) {
	keys, want := []backend.Key{}, []string{}
	for i := range 130 {
		k := keyOf(fmt.Sprint(i))
		keys, want = append(keys, k, k), append(want, fmt.Sprintf("n=%d", i), fmt.Sprintf("n=%d", i))
		s.mustPut(write(k, set(i)))
	}
	for i, r := range s.mustRead(keys...) {
		s.wantRecord(fmt.Sprintf("record %d of %d", i, len(keys)), &r, want[i])
	}
	if err := s.store.Read(s.Context(), nil, nil); err != nil {
		s.Errorf("Read of no keys: %v", err)
	}
}

// readElsewhere reads what was acknowledged to another goroutine.
func readElsewhere(s *storeTest) {
	k, acknowledged, seen := keyOf("k"), make(chan int), make(chan struct{})
	go func() {
		defer close(acknowledged)
		for i := range 100 {
			if _, err := s.one(write(k, set(i))); err != nil {
				s.Errorf("Apply: %v", err)
				return
			}
			acknowledged <- i
			<-seen
		}
	}()
	for i := range acknowledged {
		s.want(k, fmt.Sprintf("n=%d", i))
		seen <- struct{}{}
	}
}

// readMemo sends one write repeatedly with the memo that the store has left in it, while the record is created and removed.
func readMemo(s *storeTest) {
	k := keyOf("k")
	writes, out := []backend.Write{write(k, add(1), place("p"))}, make([]backend.Outcome, 1)
	send := func(want string) {
		if err := s.store.Apply(s.Context(), writes, out); err != nil {
			s.Fatalf("Apply: %v", err)
		}
		s.want(k, want)
	}
	send("n=1")
	send("n=2")
	s.mustPut(write(k, add(10)))
	send("n=13")
	s.mustPut(remove(k))
	send("n=1")
	s.mustCommit(remove(k))
	s.mustPut(write(k, setText(slotS, "another life")))
	send(`n=1 s="another life"`)
	writes[0].Effects = []backend.Effect{set(5)}
	send(`n=5 s="another life"`)
	if err := s.store.Commit(s.Context(), token(), writes); err != nil {
		s.Fatalf("Commit: %v", err)
	}
	writes[0] = backend.Write{Key: k, Layout: layout, Remove: true, Memo: writes[0].Memo}
	send("none")
}
