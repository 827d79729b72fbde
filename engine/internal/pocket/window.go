package pocket

// window counts tokens and requests of the last A, in slots.
type window struct {
	width    int64 // of a slot, ns
	end      int64 // of the current slot
	slot     int   // the current one
	counts   []Tokens
	sums     Tokens
	per      [slots]int64 // requests
	requests int64
}

func newWindow(age int64, n int) *window {
	w := &window{width: age / slots, sums: make(Tokens, n), counts: make([]Tokens, slots)}
	for i := range w.counts {
		w.counts[i] = make(Tokens, n)
	}
	return w
}

// roll makes the slot of now the current one, and reports whether it was not. After a clock has stepped back a little, its
// slot is the one that it has left; after more than the window, nothing in it is recent.
func (w *window) roll(now int64) bool {
	if now < w.end {
		if now >= w.end-slots*w.width {
			return false
		}
		w.end = 0
	}
	for passed := 0; now >= w.end && passed < slots; passed++ {
		w.slot = (w.slot + 1) % slots
		w.sums.sub(w.counts[w.slot])
		clear(w.counts[w.slot])
		w.requests -= w.per[w.slot]
		w.per[w.slot] = 0
		w.end += w.width
	}
	if now >= w.end {
		w.end = now - now%w.width + w.width
	}
	return true
}

// add counts the tokens of requests.
func (w *window) add(n Tokens, requests int64) {
	for i, v := range n {
		if v != 0 {
			w.addAt(i, v)
		}
	}
	w.per[w.slot] += requests
	w.requests += requests
}

// addAt counts tokens of limit i.
func (w *window) addAt(i int, v int64) {
	v = min(max(v, -mostSum-w.sums[i]), mostSum-w.sums[i])
	w.counts[w.slot][i] += v
	w.sums[i] += v
}
