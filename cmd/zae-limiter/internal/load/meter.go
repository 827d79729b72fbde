package load

import (
	"sync"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Meter measures the cost of decisions. It is the observer of all limiters of a run, and safe for concurrent use.
type Meter struct {
	lock sync.Mutex
	cost Cost
}

// Cost is the cost of decisions. Requests and units are those of all calls to the store, including refunds and configuration; they
// are 0 if the store does not report them.
type Cost struct {
	Decisions  int64
	Writes     int64 // conditional writes of decisions
	Requests   int64
	WriteUnits float64
	ReadUnits  float64
}

// Observe implements [engine.Observer].
func (m *Meter) Observe(e engine.Event) {
	m.lock.Lock()
	defer m.lock.Unlock()
	switch e.Kind {
	case engine.EventDecision:
		m.cost.Decisions++
		m.cost.Writes += int64(e.Attempts)
	case engine.EventStoreCall:
		m.cost.Requests += int64(e.Requests)
		if e.Call == "read" || e.Call == "list" || e.Call == "scan" {
			m.cost.ReadUnits += e.Units
		} else {
			m.cost.WriteUnits += e.Units
		}
	}
}

// reset resets the meter and returns its values.
func (m *Meter) reset() Cost {
	m.lock.Lock()
	defer m.lock.Unlock()
	cost := m.cost
	m.cost = Cost{}
	return cost
}
