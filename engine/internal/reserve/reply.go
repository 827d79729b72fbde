package reserve

// Applied reports that a write took effect, and the record after it. If the driver learns that from the nonce in the record
// of a refusal, the record that it has is that one.
func (l *Line) Applied(now int64, w *Write, r *Record) Step {
	l.arrived(now, w, r)
	if w.Refund {
		return l.refunded(w)
	}
	g := w.group
	l.charged(w, r)
	b, more := l.next(g, w.Bucket)
	switch {
	case !more:
		l.tries = 0
		l.receive(g)
	case g.isEmpty():
		l.giveUp(g)
	default:
		if next := l.aim(g, b, nil); l.admits(next) {
			l.launch(next)
			break
		}
		l.tries++
		l.giveUp(g)
	}
	return l.advance()
}

// arrived begins the handling of a reply.
func (l *Line) arrived(now int64, w *Write, r *Record) {
	l.begin(now)
	l.flight, l.askAt = nil, 0
	if r != nil {
		l.Saw(w.sent, w.Bucket, r)
	}
}

// receive gives the waiters of a group their slots, or slots that have become free meanwhile and are due before those.
func (l *Line) receive(g *group) {
	for i, x := range g.waiters {
		s := g.slots[i]
		if x == nil {
			l.release(s)
			continue
		}
		if earlier := l.takeFree(x, s.due); earlier != nil {
			l.hold(x, earlier)
			l.release(s)
			continue
		}
		l.hold(x, s)
	}
}

// refunded goes on with a slot's other buckets after one was refunded.
func (l *Line) refunded(w *Write) Step {
	s := w.slot
	s.has &^= 1 << w.Bucket
	if s.has != 0 && l.isLast(s) && l.ended != Closed {
		l.launch(l.refundWrite(s))
		return l.advance()
	}
	l.keepUntilDue(s)
	return l.advance()
}

// keepUntilDue keeps a slot whose refund has ended, if anything is left in it.
func (l *Line) keepUntilDue(s *slot) {
	s.settled = true
	switch {
	case s.has == 0:
	case l.ended == Closed:
		l.refund(s)
	default:
		l.release(s)
	}
}

// Refused reports that a write's conditions failed, and the record as it stood. The same write is sent again, under the same
// nonce, if the record admits it: then its regimes were guessed wrong. Otherwise its waiters are the first of the queue
// again, and their next write has another nonce.
func (l *Line) Refused(now int64, w *Write, r *Record) Step {
	l.arrived(now, w, r)
	if w.Refund {
		l.keepUntilDue(w.slot)
		return l.advance()
	}
	l.tries++
	if again := l.aim(w.group, w.Bucket, w); l.tries < mostTries && l.admits(again) && !w.group.isEmpty() {
		l.launch(again)
	} else {
		l.giveUp(w.group)
	}
	return l.advance()
}

// giveUp puts the waiters of a group at the head of the queue, and gives up what it was charged. If that happens again and
// again, the queue pauses.
func (l *Line) giveUp(g *group) {
	l.abandon(g)
	var first []*Waiter
	for _, x := range g.waiters {
		if x != nil {
			x.group = nil
			first = append(first, x)
		}
	}
	l.queue = append(first, l.queue...)
	if l.tries >= mostTries {
		l.tries, l.askAt = 0, l.now+pause
	}
	if l.ended != Pending {
		l.endQueue()
	}
}

// abandon gives up what a group was charged, as one slot that nobody can take if that is only some of the buckets.
func (l *Line) abandon(g *group) {
	s := g.slots[len(g.slots)-1]
	if s.has == 0 {
		return
	}
	s.n, s.count = g.sum, int64(len(g.slots))
	if l.ended == Closed {
		l.refund(s)
		return
	}
	l.keep(s)
}

// dismiss gives the waiters of a group a verdict, and gives up what it was charged.
func (l *Line) dismiss(g *group, v Verdict) {
	l.abandon(g)
	for _, x := range g.waiters {
		if x != nil {
			l.decide(x, v)
		}
	}
}

// Throttled reports that the store has refused a write because its key range is too hot; the write was not applied. The
// waiters are the first of the queue again, which pauses. random is any number, for the jitter.
func (l *Line) Throttled(now int64, w *Write, random uint64) Step {
	l.arrived(now, w, nil)
	if w.Refund {
		l.keepUntilDue(w.slot)
	} else {
		l.giveUp(w.group)
	}
	l.askAt = now + pause + int64(random%uint64(pause))
	return l.advance()
}

// Unknown reports that the outcome of a send is unknown. The driver sends the write again, under the same nonce, if the Step
// says so, for as long as its budget lasts; then it calls Failed. Refunds are not sent again, and count as lost.
func (l *Line) Unknown(now int64, w *Write) Step {
	if w.Refund {
		return l.Failed(now, w, false)
	}
	l.begin(now)
	l.launch(w)
	return l.advance()
}

// Failed reports that the driver gives up on a write; if certain, it was not applied. Its waiters get the verdict Failed, and
// the driver decides for them by policy.
func (l *Line) Failed(now int64, w *Write, certain bool) Step {
	l.arrived(now, w, nil)
	if !certain {
		for _, n := range w.Take {
			l.lost += n
		}
	}
	switch {
	case !w.Refund:
		l.dismiss(w.group, Failed)
	case certain:
		l.keepUntilDue(w.slot)
	default:
		w.slot.has &^= 1 << w.Bucket
		l.keepUntilDue(w.slot)
	}
	return l.advance()
}
