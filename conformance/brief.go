package conformance

import "github.com/zeroae/zae-limiter-go/backend"

// other is a record that no subtest writes: who finds it in an outcome sees that it was left there.
func other() (r backend.Record) {
	r.Reset(layout)
	r.SetNum(slotM, num(-77))
	r.SetText(slotT, "left from before")
	r.SetExpiry(future + 77)
	return r
}

// verdictBrief has writes of which the caller may do without the record. All outcomes are one, used again and again.
func verdictBrief(s *trial) {
	k, none, first := keyOf("k"), keyOf("none"), keyOf("first")
	absentOrAtMost := is(backend.AtMost, 10)
	absentOrAtMost.OrAbsent = true
	s.mustPut(write(k, set(5), setText(slotS, "x")), write(first, set(1)))
	out := make([]backend.Outcome, 1)
	for i, step := range []struct {
		w              backend.Write
		applied, stays bool // whether its conditions hold, and still do afterwards
		want           string
	}{
		{write(k, is(backend.AtMost, 10), add(1)), true, true, `n=6 s="x"`},
		{write(k, is(backend.AtMost, 6), add(1)), true, false, `n=7 s="x"`},
		{write(k, is(backend.AtMost, 6), add(1)), false, false, `n=7 s="x"`},
		{write(k, add(1)), true, true, `n=8 s="x"`},
		{write(k, is(backend.Equal, 8), set(8), setText(slotS, "y")), true, true, `n=8 s="y"`},
		{write(k, backend.Cond{Slot: slotS, Op: backend.Equal, Text: "y"}, is(backend.Present), unset(slotS)), true, false, "n=8"},
		{write(k, is(backend.Present)), true, true, "n=8"},
		{write(k, is(backend.Absent)), false, false, "n=8"},
		{write(none, is(backend.Present)), false, false, "none"},
		{write(none, is(backend.Absent), set(1)), true, false, "n=1"},
		{write(none, absentOrAtMost, add(9), place("p")), true, true, "n=10"},
		{write(none, absentOrAtMost, add(9), place("q"), backend.Expiry(future)), true, false, "n=19 until 4102444800"},
		{remove(none, is(backend.Present)), true, false, "none"},
		{write(none, set(1)), true, true, "n=1"},
		{remove(none), true, true, "none"},
	} {
		before := write(first, is(backend.Present)) // a brief one each time, so that its outcome is there to be used again
		before.Brief, step.w.Brief = true, true
		s.wantBrief(i, before, out, true, true, "n=1")
		s.wantBrief(i, step.w, out, step.applied, step.stays, step.want)
		if step.want != "none" { // once more, and nobody says that it may be brief
			s.wantBrief(i, write(step.w.Key, backend.Cond{Slot: slotB, Op: backend.Absent}), out, true, false, step.want)
		}
	}
}

// wantBrief applies a write that may be answered without its record, if its conditions still hold; what it did is read.
func (s *trial) wantBrief(step int, w backend.Write, out []backend.Outcome, applied, stays bool, want string) {
	s.Helper()
	o, before := &out[0], other()
	o.Record = other()
	writes := []backend.Write{w}
	if err := again(s.Context(), func() error { return s.store.Apply(s.Context(), writes, out) }); err != nil || o.Err != nil || o.Applied != applied {
		s.Fatalf("step %d: applied %v, %v, %v", step, o.Applied, err, o.Err)
	}
	switch {
	case !o.Brief:
		s.wantRecord("not brief", &o.Record, want)
	case !stays:
		s.Errorf("step %d, which must tell its record, is brief", step)
	case !o.Record.Equal(&before):
		s.Errorf("step %d is brief, and its record is %s", step, show(&o.Record))
	}
	if want != "none" { // what is not there is another promise's
		s.want(w.Key, want)
	}
}
