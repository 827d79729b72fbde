package engine_test

import (
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/engine"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// any makes a step; depth tells inside how many others.
func (m *maker) any(depth int) *step {
	e := m.e
	on := func(trait bool, weight int) int {
		if trait {
			return weight
		}
		return 0
	}
	leases := e.leases && len(m.leases) > 0
	timed := depth == 0 // time passes between steps only
	weights := [kinds]int{
		doAcquire: 30, doAllow: 8, doInspect: 3,
		doConsume: on(leases, 4), doAdjust: on(leases && e.forces, 5), doRelease: on(leases, 5), doFlush: on(leases && e.forces, 3),
		doCommit: on(leases, 4), doRollback: on(leases, 6),
		doPass: on(timed, 14), doWait: on(timed, 5), doIdle: on(timed && e.idles, 1),
		doClock: on(timed && e.traits.steps, 2) + on(timed && e.traits.steps && e.skew > 0, 6),
		doStore: on(e.stores, 3), doUnstore: on(e.stores, 1), doReset: on(e.resets, 1) + on(e.resets && leases, 1),
		doCascade: on(e.family, 2), doDelete: on(e.family && e.resets, 1), doLate: on(e.faults, 3),
	}
	if e.settles && leases {
		weights[doAcquire], weights[doAllow] = 6, 1
		for k := doConsume; k <= doRollback; k++ {
			weights[k] *= 3
		}
	}
	return m.step(kind(m.likely(weights[:]...)), m.IntN(4)).filled(m, depth)
}

func (m *maker) step(k kind, level int) *step {
	m.ids++
	s := &step{id: m.ids, kind: k, proc: m.IntN(m.e.procs), plan: -1, level: level}
	if m.e.family {
		s.entity = m.IntN(2)
	}
	if k == doStore {
		s.plan = m.IntN(len(m.e.palette))
	}
	return s
}

// filled gives the step its amounts, and what befalls it.
func (s *step) filled(m *maker, depth int) *step {
	switch s.kind {
	case doAcquire, doAllow, doInspect:
		m.request(s)
		if s.kind == doAcquire && m.e.leases {
			m.leases = append(m.leases, s.id)
		}
	case doConsume, doAdjust, doRelease, doFlush, doCommit, doRollback:
		s.lease = m.leases[max(0, len(m.leases)-1-m.IntN(6))]
		switch m.IntN(8) {
		case 0, 1:
			s.lease = m.leases[m.IntN(len(m.leases))]
		case 2, 3, 4:
			s.lease = m.lease
		}
		if m.e.settles && m.lease != 0 && !m.one(8) {
			s.lease = m.lease
		}
		m.lease = s.lease
		s.tokens = m.change(s.kind)
		if m.one(3) {
			s.ends = ending(m.IntN(int(endings)))
		}
	case doPass:
		s.d = m.span()
	case doWait:
		s.d = int64(m.IntN(2))
	case doClock:
		if s.d = m.clockStep(); m.e.skew > 0 {
			s.d = m.clock()
		}
	case doLate:
		s.d = int64(m.IntN(3))
	}
	if s.kind != doPass && s.kind != doWait && s.kind != doIdle && s.kind != doClock {
		m.befall(s, depth)
	}
	return s
}

// clockStep is by how much the one clock of an episode is set, where all agree.
func (m *maker) clockStep() int64 { return -m.Int64N(int64(5 * time.Second)) }

// request says what is asked for, and with which limits.
func (m *maker) request(s *step) {
	e := m.e
	plan := 0
	if e.disagree {
		plan = m.IntN(len(e.palette))
	}
	if e.brings {
		s.plan = plan
	}
	if e.override && m.one(2) {
		s.plan, s.over = plan, true
	}
	s.tokens = engine.Tokens{}
	zeros := m.one(20)
	for _, l := range e.palette[m.asked(s, plan)] {
		if m.one(4) {
			continue
		}
		if s.tokens[l.Name] = m.share(l.Capacity); zeros {
			s.tokens[l.Name] = 0
		}
	}
	if len(s.tokens) == 0 {
		s.tokens["a"] = 1
	}
}

// asked is the plan whose names a request asks for: its own, but where limits are stored any.
func (m *maker) asked(s *step, plan int) int {
	if m.e.stores && !s.over {
		return m.IntN(len(m.e.palette))
	}
	return plan
}

// share is an amount to take of a capacity.
func (m *maker) share(capacity int64) int64 {
	switch m.IntN(8) {
	case 0:
		return min(capacity, bucket.MaxAmount)
	case 1:
		return min(capacity+m.Int64N(2), bucket.MaxAmount)
	case 2:
		return capacity / 2
	case 3:
		return m.Int64N(capacity + 1)
	case 4:
		return 0
	}
	return 1 + m.Int64N(1+capacity/8)
}

// change is what is added to a lease, or refunded.
func (m *maker) change(k kind) engine.Tokens {
	if k != doConsume && k != doAdjust && k != doRelease {
		return nil
	}
	tokens := engine.Tokens{}
	for _, l := range m.e.palette[m.IntN(len(m.e.palette))] {
		if !m.one(3) {
			tokens[l.Name] = m.share(l.Capacity)
		}
		if k != doAdjust {
			continue
		}
		switch m.IntN(8) {
		case 0, 1, 2:
			tokens[l.Name] = -tokens[l.Name]
		case 3:
			tokens[l.Name] *= 10
		case 4, 5:
			if m.e.huge || m.one(16) {
				tokens[l.Name] = bucket.MaxDebt - m.Int64N(3)
			}
		}
	}
	if len(tokens) == 0 {
		tokens["a"] = 1
	}
	return tokens
}

// span is how much time passes: often what some limit needs for something, give or take a nanosecond.
func (m *maker) span() int64 {
	plan := m.e.palette[m.IntN(len(m.e.palette))]
	l := plan[m.IntN(len(plan))]
	token := max(1, int64(l.RefillPeriod)/l.RefillAmount)
	const most = int64(10 * 365 * 24 * time.Hour)
	fill := most
	if token < most/l.Capacity {
		fill = token * l.Capacity
	}
	switch m.IntN(9) {
	case 0:
		return token + m.Int64N(3) - 1
	case 1:
		return fill + m.Int64N(3) - 1
	case 2:
		return m.Int64N(2*fill + 1)
	case 3:
		return 1
	case 4:
		return int64([]time.Duration{time.Second, time.Hour, time.Hour + 1, 12 * time.Hour}[m.IntN(4)])
	case 5, 6:
		return m.Int64N(token + 1)
	}
	return m.Int64N(fill/4 + 1)
}

// befall lets calls go wrong, and others come between.
func (m *maker) befall(s *step, depth int) {
	if m.e.faults && m.one(3) {
		all := []act{pass, pass, fail, race, loseRequest, loseReply, loseReply, arriveLate}
		if m.one(3) { // none comes through: the step fails
			all = [][]act{{loseReply, loseRequest, arriveLate}, {fail, loseReply}, {fail, race, loseRequest}}[m.IntN(3)]
		}
		for range 1 + m.IntN(6) {
			s.acts = append(s.acts, all[m.IntN(len(all))])
		}
	}
	if !m.e.nested || depth >= 2 || !m.one(3) {
		return
	}
	for range 1 + m.IntN(4) {
		at := m.IntN(len(s.acts) + 1)
		s.acts = slices.Insert(s.acts, at, []act{before, after}[m.IntN(2)])
		for more := true; more; {
			guest := m.any(depth + 1)
			guest.more = m.one(3)
			s.inner, more = append(s.inner, guest), guest.more
		}
	}
}
