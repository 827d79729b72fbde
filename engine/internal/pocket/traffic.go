package pocket

// traffic estimates writes a second on the record, as seen from how its version moves: counts that decay by e in a
// second. They are in parts of a write, so that slow decay is not rounded away.
type traffic struct {
	own, others int64
	at          int64
	throttled   int // replies for which throttling is remembered
}

const (
	oneWrite  = int64(1) << 20
	mostCount = 10 * hotWrites // more no record takes
	second    = int64(1e9)
)

// count counts one write of this process and those of others since the last one.
func (t *traffic) count(now, others int64) {
	t.decay(now)
	t.own = min(t.own+oneWrite, mostCount*oneWrite)
	t.others = min(t.others+min(max(0, others), mostCount)*oneWrite, mostCount*oneWrite)
	t.throttled = max(0, t.throttled-1)
}

// decay lets the counts decay up to now: by e^-0.1 for each tenth of a second, and in proportion for the rest.
func (t *traffic) decay(now int64) {
	passed := max(0, min(now-t.at, 32*second)) // nothing is left after that
	t.at = now
	for ; passed >= second/10; passed -= second / 10 {
		t.own = t.own * 9048 / 10000
		t.others = t.others * 9048 / 10000
	}
	t.own -= scale(t.own, passed, second)
	t.others -= scale(t.others, passed, second)
}

// alone reports whether no other writer was seen for some seconds.
func (t *traffic) alone() bool { return t.others < oneWrite/20 }

// writes is how many writes a second reach the record, in parts of a write.
func (t *traffic) writes() int64 {
	w := t.own + t.others
	if t.throttled > 0 {
		w = max(w, hotWrites*oneWrite)
	}
	return w
}
