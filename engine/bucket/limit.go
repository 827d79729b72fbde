package bucket

import (
	"strconv"
	"time"
)

// Ranges of the parts of a limit, and of time. Within them no arithmetic of this package overflows.
const (
	MaxAmount = 1_000_000_000_000_000 // tokens: of Capacity, RefillAmount and of one request
	MinPeriod = time.Millisecond
	MaxPeriod = 3650 * 24 * time.Hour
	MaxDebt   = 10 * MaxAmount // tokens below zero that forced charges may lead to

	MinTime = 1577836800000000000 // 2020-01-01T00:00:00Z in ns since the Unix epoch
	MaxTime = 7258118400000000000 // 2200-01-01T00:00:00Z
)

// InRange reports whether a time, in ns since the Unix epoch, is from MinTime to MaxTime.
func InRange(t int64) bool { return MinTime <= t && t <= MaxTime }

// Limit is one named limit of a bucket: it holds at most Capacity tokens and gains RefillAmount of them, evenly, in each
// RefillPeriod. Capacity may be below RefillAmount.
type Limit struct {
	Name         string
	Capacity     int64         // tokens, 1 to 10^15: the largest burst
	RefillAmount int64         // tokens per RefillPeriod, 1 to 10^15
	RefillPeriod time.Duration // 1 ms to 3,650 days
}

// WithBurst returns the limit with Capacity n.
func (l Limit) WithBurst(n int64) Limit {
	l.Capacity = n
	return l
}

// String is the limit in the syntax that engine.ParseLimit reads: "tpm:10000/min", with ":15000" behind it where the
// capacity differs from the refill amount.
func (l Limit) String() string {
	s := l.Name + ":" + strconv.FormatInt(l.RefillAmount, 10) + "/" + period(l.RefillPeriod)
	if l.Capacity != l.RefillAmount {
		s += ":" + strconv.FormatInt(l.Capacity, 10)
	}
	return s
}

// period names the units that people use, counted where there are several of them.
func period(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "min"}, {time.Second, "s"}}
	for _, u := range units {
		if d == u.size {
			return u.name
		}
		if d > 0 && d%u.size == 0 {
			return strconv.FormatInt(int64(d/u.size), 10) + u.name
		}
	}
	return d.String()
}

// Fault is what makes a limit illegal.
type Fault struct {
	Field  string
	Value  string
	Reason string
}

// Check returns the first fault of the limit's numbers, nil where they are legal. Names are not its business.
func (l Limit) Check() *Fault {
	amount := "must be 1 to 1000000000000000 (10^15) tokens"
	switch {
	case l.Capacity < 1 || l.Capacity > MaxAmount:
		return &Fault{"Capacity", strconv.FormatInt(l.Capacity, 10), amount}
	case l.RefillAmount < 1 || l.RefillAmount > MaxAmount:
		return &Fault{"RefillAmount", strconv.FormatInt(l.RefillAmount, 10), amount}
	case l.RefillPeriod < MinPeriod || l.RefillPeriod > MaxPeriod:
		return &Fault{"RefillPeriod", l.RefillPeriod.String(), "must be 1 ms to 3,650 days"}
	}
	return nil
}
