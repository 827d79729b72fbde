package load

import (
	"sync"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Meter counts what limiters cost. It is the observer of all limiters of a run.
type Meter struct {
	lock sync.Mutex
	cost Cost
}

// Cost is what decisions cost. Requests and units are those of all calls to the store, give-backs and configuration
// included; 0 where the store tells none.
type Cost struct {
	Decisions  int64
	Cached     int64 // denied from memory
	Writes     int64 // conditional writes that decisions took
	Requests   int64
	WriteUnits float64
	ReadUnits  float64
	Lost       int64 // give-backs of which it is not known whether they took place
}

// Observe implements [engine.Observer].
func (m *Meter) Observe(e engine.Event) {
	m.lock.Lock()
	defer m.lock.Unlock()
	switch e.Kind {
	case engine.EventDecision:
		m.cost.Decisions++
		m.cost.Writes += int64(e.Attempts)
		if e.Cached {
			m.cost.Cached++
		}
	case engine.EventStoreCall:
		m.cost.Requests += int64(e.Requests)
		if e.Call == "read" || e.Call == "list" || e.Call == "scan" {
			m.cost.ReadUnits += e.Units
		} else {
			m.cost.WriteUnits += e.Units
		}
	case engine.EventRefundLost:
		m.cost.Lost++
	}
}

// take empties the meter.
func (m *Meter) take() Cost {
	m.lock.Lock()
	defer m.lock.Unlock()
	was := m.cost
	m.cost = Cost{}
	return was
}
