package reserve

// Close ends the line: everybody who waits gets the verdict Closed, as does who joins later, and slots are refunded. The
// driver goes on reporting the outcome of a write under way.
func (l *Line) Close(now int64) Step {
	l.begin(now)
	l.ended = Closed
	l.endQueue()
	for _, x := range l.held {
		l.refund(x.slot)
		l.decide(x, Closed)
	}
	clear(l.held)
	l.held = l.held[:0]
	for _, s := range l.free {
		l.refund(s)
	}
	clear(l.free)
	l.free = l.free[:0]
	if w := l.flight; w != nil && !w.Refund {
		for i, x := range w.group.waiters {
			if x != nil {
				l.decide(x, Closed)
				w.group.waiters[i] = nil
			}
		}
	}
	return l.step
}

// Retire ends the line because the limits of a bucket or the path have changed: w is the write whose refusal has shown that,
// nil if it was none. The queue and w's waiters get the verdict Again, as does who joins later. Slots stay valid: the driver
// goes on until Rest is true.
func (l *Line) Retire(now int64, w *Write) Step {
	if w != nil {
		l.arrived(now, w, nil)
		if w.Refund {
			l.keepUntilDue(w.slot)
		} else {
			l.dismiss(w.group, Again)
		}
	} else {
		l.begin(now)
	}
	if l.ended == Pending {
		l.ended = Again
	}
	l.endQueue()
	return l.advance()
}

func (l *Line) endQueue() {
	for _, x := range l.queue {
		l.decide(x, l.ended)
	}
	clear(l.queue)
	l.queue = l.queue[:0]
}
