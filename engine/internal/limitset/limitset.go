package limitset

import (
	"math"
	"slices"
	"time"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// keepAfter is how long a bucket's record is kept after it is full and every lease on it is too late to be refunded.
// It is for clocks that disagree: a refund by a clock that is behind still finds the record, and a new life of the
// record begins with a version above those of the life before, by which usage is counted once.
const keepAfter = 10 * time.Minute

// mostExpiry is the longest a record is kept; one that would have to be kept longer has no expiry.
const mostExpiry = 3650 * 24 * time.Hour

// Set is a canonical list of limits prepared for writing: what a level has configured, what a request brings, or what
// a record's L says. Immutable, and shared by all buckets with the same limits.
type Set struct {
	Terms []schema.Term // by name
	Rates []bucket.Rate
	Text  string        // L
	Fill  time.Duration // the longest FillTime
}

// New prepares legal limits. It may reorder terms.
func New(terms []schema.Term) *Set {
	s := &Set{Text: schema.Pack(terms), Terms: terms, Rates: make([]bucket.Rate, len(terms))}
	for i := range terms {
		s.Rates[i] = terms[i].Rate()
		s.Fill = max(s.Fill, s.Rates[i].FillTime())
	}
	return s
}

// Of is the limit set of limits that are all stored, or all brought.
func Of(limits []bucket.Limit, brought bool) *Set {
	terms := make([]schema.Term, len(limits))
	for i, l := range limits {
		terms[i] = schema.Term{Limit: l, Brought: brought}
	}
	return New(terms)
}

// unpack is the limit set of a record's L.
func unpack(text string) (*Set, error) {
	terms, err := schema.Unpack(text)
	if err != nil {
		return nil, err
	}
	return New(terms), nil
}

// Index finds a limit by name, -1 where there is none. A bucket has at most 16: looking at all beats hashing.
func (s *Set) Index(name string) int {
	if s == nil {
		return -1
	}
	return slices.IndexFunc(s.Terms, func(t schema.Term) bool { return t.Name == name })
}

// Limits gives the limit set's limits, by name.
func (s *Set) Limits() []bucket.Limit {
	if s == nil {
		return nil
	}
	limits := make([]bucket.Limit, len(s.Terms))
	for i, t := range s.Terms {
		limits[i] = t.Limit
	}
	return limits
}

// Brings reports whether s is the limit set of these limits, all brought, in whatever order. They need not be legal.
func (s *Set) Brings(limits []bucket.Limit) bool {
	if s == nil || len(s.Terms) != len(limits) {
		return false
	}
	for i := range limits {
		// Mostly the order is the same, too.
		if !s.Terms[i].Brought || s.Terms[i].Limit != limits[i] {
			return s.bringsUnordered(limits)
		}
	}
	return true
}

func (s *Set) bringsUnordered(limits []bucket.Limit) bool {
	var seen uint32 // one of them given twice leaves another one out
	for _, l := range limits {
		i := s.Index(l.Name)
		if i < 0 || !s.Terms[i].Brought || s.Terms[i].Limit != l || seen>>i&1 == 1 {
			return false
		}
		seen |= 1 << i
	}
	return true
}

// Fits reports whether a writer can charge a record with the limits of s without converting it: s has every limit of
// required, with the same parameters and origin, and no limit besides them that is configured but no longer stored. Limits
// that other callers brought may be there, too.
func (s *Set) Fits(required, stored *Set) bool {
	if s == required {
		return true
	}
	found := 0
	for i := range s.Terms {
		t := &s.Terms[i]
		if j := required.Index(t.Name); j >= 0 {
			if *t != required.Terms[j] {
				return false
			}
			found++
		} else if !t.Brought && stored.Index(t.Name) < 0 {
			return false
		}
	}
	return found == len(required.Terms)
}

// Leaves returns the arrival time at which the i-th limit of s has as many tokens available as a limit with the given rate
// has at a. If the rates are equal, as they mostly are, that is a itself, and the tokens need not be computed.
func (s *Set) Leaves(i int, rate *bucket.Rate, a bucket.Arrival, now int64) backend.Num {
	own := &s.Rates[i]
	switch {
	case !a.Seen:
		return own.Y(now)
	case rate == own || *rate == *own:
		return a.At
	}
	return own.Y(now).Add(own.Cost(own.Capacity() - rate.Available(a, rate.Y(now))))
}

// Expiry is the instant, in seconds, after which the record of a bucket may be dropped that is full at full (ns since
// the Unix epoch) at the latest, and whose leases may be refunded for hold; NoExpiry for none.
func Expiry(now, full int64, hold time.Duration) backend.Expiry {
	if full > now+int64(mostExpiry) || hold > mostExpiry || full > math.MaxInt64-int64(hold+keepAfter) {
		return backend.NoExpiry
	}
	return backend.Expiry((full + int64(hold) + int64(keepAfter) + int64(time.Second) - 1) / int64(time.Second))
}

// AddSaturated adds a duration that is not negative to an instant.
func AddSaturated(t int64, d time.Duration) int64 {
	if sum := t + int64(d); sum >= t {
		return sum
	}
	return math.MaxInt64
}

// WriteUnit is what one write unit of DynamoDB pays for, in bytes.
const WriteUnit = 1024

// Weight is about what a bucket's record with these limits weighs there at the most, in bytes: keys and index keys with
// their names, the fields that every bucket has, and for each limit its place in L, arrival (34 digits) and counter.
func (s *Set) Weight(key backend.Key) int {
	const fixed = 190
	return fixed + len(key.Namespace) + len(key.Partition) + len(s.Text) + 36*len(s.Terms)
}

// Arrivals are the states of a bucket's limits.
type Arrivals [schema.MaxLimits]bucket.Arrival

// Read reads the states of the first n limits of a bucket's record.
func (a *Arrivals) Read(r *backend.Record, n int) {
	for i := range n {
		a[i] = ArrivalOf(r, i)
	}
}

// ArrivalOf is the state of the i-th limit of a bucket's record.
func ArrivalOf(r *backend.Record, i int) (a bucket.Arrival) {
	a.At, a.Seen = r.Num(schema.Tat(i))
	return a
}
