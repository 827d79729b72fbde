package engine

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

// limitSet is a canonical list of limits prepared for writing: what a level has configured, what a request brings, or what
// a record's L says. Immutable, and shared by all buckets with the same limits.
type limitSet struct {
	terms []schema.Term // by name
	rates []bucket.Rate
	text  string        // L
	fill  time.Duration // the longest FillTime
}

// newLimitSet prepares legal limits. It may reorder terms.
func newLimitSet(terms []schema.Term) *limitSet {
	s := &limitSet{text: schema.Pack(terms), terms: terms, rates: make([]bucket.Rate, len(terms))}
	for i := range terms {
		s.rates[i] = terms[i].Rate()
		s.fill = max(s.fill, s.rates[i].FillTime())
	}
	return s
}

// limitSetOf is the limit set of limits that are all stored, or all brought.
func limitSetOf(limits []Limit, brought bool) *limitSet {
	terms := make([]schema.Term, len(limits))
	for i, l := range limits {
		terms[i] = schema.Term{Limit: l, Brought: brought}
	}
	return newLimitSet(terms)
}

// unpackLimitSet is the limit set of a record's L.
func unpackLimitSet(text string) (*limitSet, error) {
	terms, err := schema.Unpack(text)
	if err != nil {
		return nil, err
	}
	return newLimitSet(terms), nil
}

// index finds a limit by name, -1 where there is none. A bucket has at most 16: looking at all beats hashing.
func (s *limitSet) index(name string) int {
	if s == nil {
		return -1
	}
	return slices.IndexFunc(s.terms, func(t schema.Term) bool { return t.Name == name })
}

// limits gives the limit set's limits, by name.
func (s *limitSet) limits() []Limit {
	if s == nil {
		return nil
	}
	limits := make([]Limit, len(s.terms))
	for i, t := range s.terms {
		limits[i] = t.Limit
	}
	return limits
}

// brings reports whether s is the limit set of these limits, all brought, in whatever order. They need not be legal.
func (s *limitSet) brings(limits []Limit) bool {
	if s == nil || len(s.terms) != len(limits) {
		return false
	}
	for i := range limits {
		// Mostly the order is the same, too.
		if !s.terms[i].Brought || s.terms[i].Limit != limits[i] {
			return s.bringsUnordered(limits)
		}
	}
	return true
}

func (s *limitSet) bringsUnordered(limits []Limit) bool {
	var seen uint32 // one of them given twice leaves another one out
	for _, l := range limits {
		i := s.index(l.Name)
		if i < 0 || !s.terms[i].Brought || s.terms[i].Limit != l || seen>>i&1 == 1 {
			return false
		}
		seen |= 1 << i
	}
	return true
}

// fits reports whether a writer can charge a record with the limits of s without converting it: s has every limit of
// required, with the same parameters and origin, and no limit besides them that is configured but no longer stored. Limits
// that other callers brought may be there, too.
func (s *limitSet) fits(required, stored *limitSet) bool {
	if s == required {
		return true
	}
	found := 0
	for i := range s.terms {
		t := &s.terms[i]
		if j := required.index(t.Name); j >= 0 {
			if *t != required.terms[j] {
				return false
			}
			found++
		} else if !t.Brought && stored.index(t.Name) < 0 {
			return false
		}
	}
	return found == len(required.terms)
}

// expiry is the instant, in seconds, after which the record of a bucket may be dropped that is full at full (ns since
// the Unix epoch) at the latest, and whose leases may be refunded for hold; NoExpiry for none.
func expiry(now, full int64, hold time.Duration) backend.Expiry {
	if full > now+int64(mostExpiry) || hold > mostExpiry || full > math.MaxInt64-int64(hold+keepAfter) {
		return backend.NoExpiry
	}
	return backend.Expiry((full + int64(hold) + int64(keepAfter) + int64(time.Second) - 1) / int64(time.Second))
}

// saturatedAdd adds a duration that is not negative to an instant.
func saturatedAdd(t int64, d time.Duration) int64 {
	if sum := t + int64(d); sum >= t {
		return sum
	}
	return math.MaxInt64
}

// unit is what one write unit of DynamoDB pays for, in bytes.
const unit = 1024

// weight is about what a bucket's record with these limits weighs there at the most, in bytes: keys and index keys with
// their names, the fields that every bucket has, and for each limit its place in L, arrival (34 digits) and counter.
func (s *limitSet) weight(key backend.Key) int {
	const fixed = 190
	return fixed + len(key.Namespace) + len(key.Partition) + len(s.text) + 36*len(s.terms)
}

// reportLarge reports buckets that cost more than one unit a write. They work all the same.
func (l *Limiter) reportLarge(b *bucketState, s *limitSet) {
	if l.opts.Observer == nil || s == nil {
		return
	}
	if bytes := s.weight(l.key(b)); bytes > unit {
		l.observe(Event{Kind: EventLargeRecord, Entity: b.id.entity, Resource: b.id.resource, Bytes: bytes})
	}
}
