package local

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/backend/num"
	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// state is one local bucket.
type state struct {
	id         ID
	configured *limitset.Set // the limits of the bucket in the store, by which accounts begin
	accounts   []account     // those of configured first, by position; then others that still matter
	acquired   int64         // acquires since the last write-back
	born       num.Int       // the life of the store's record that write-backs have charged
	owed       *Owed         // a write-back that is not done; nil: there is none
	queued     bool          // in the queue
	sending    bool          // owed is with whoever called Next
}

// account is one limit of a local bucket.
type account struct {
	term      *schema.Term // of the bucket in the store, with the limit's name
	rate      bucket.Rate
	at        bucket.Arrival
	converted int64 // when the rate changed last, ns since the Unix epoch
	used      int64 // tokens consumed and not refunded, since the last write-back
	held      int64 // tokens that write-backs have charged to the store's bucket and not refunded
}

// mostAccounts bounds a bucket to which callers bring ever other limits.
const mostAccounts = 4 * schema.MaxLimits

// adopt lets the bucket have limits from now on; the deficits of those that change are converted. Limits that the bucket had
// before stay as long as they matter. It returns false, and changes nothing, if the bucket would have too many.
func (s *state) adopt(now int64, configured, limits *limitset.Set) bool {
	if s.configured == configured {
		return true
	}
	accounts := make([]account, len(limits.Terms), len(limits.Terms)+len(s.accounts))
	for i := range limits.Terms {
		a := &accounts[i]
		if j := s.index(limits.Terms[i].Name); j >= 0 {
			*a = s.accounts[j]
		} else {
			a.rate = limits.Rates[i]
		}
		a.term = &configured.Terms[i]
		a.change(now, &limits.Rates[i])
	}
	for i := range s.accounts {
		if a := &s.accounts[i]; limits.Index(a.term.Name) < 0 && !a.rests(now) {
			accounts = append(accounts, *a)
		}
	}
	if len(accounts) > mostAccounts {
		return false
	}
	s.configured, s.accounts = configured, accounts
	return true
}

// change converts the account to another rate. A clock that was set back does not convert the time since the last conversion again.
func (a *account) change(now int64, to *bucket.Rate) {
	if a.rate == *to {
		return
	}
	a.converted = max(now, a.converted)
	a.at = bucket.Arrival{At: bucket.Convert(&a.rate, to, a.at, a.converted, false), Seen: true}
	a.rate = *to
}

func (s *state) index(name string) int {
	return slices.IndexFunc(s.accounts, func(a account) bool { return a.term.Name == name })
}

// account finds a limit, or makes it if limits, which are a share of configured, have it; nil if not.
func (s *state) account(name string, configured, limits *limitset.Set) *account {
	i := s.index(name)
	if i < 0 {
		j := limits.Index(name)
		if j < 0 {
			return nil
		}
		i = len(s.accounts)
		s.accounts = append(s.accounts, account{term: &configured.Terms[j], rate: limits.Rates[j]})
	}
	return &s.accounts[i]
}

// admits is the token check.
func (s *state) admits(now int64, need []int64) bool {
	for i, n := range need {
		if a := &s.accounts[i]; !a.rate.Admits(a.at, a.rate.Y(now), n) {
			return false
		}
	}
	return true
}

// take charges what admits has checked, and counts so many acquires.
func (s *state) take(now int64, need []int64, acquires int64) {
	for i, n := range need {
		if n > 0 {
			s.accounts[i].settle(now, n)
		}
	}
	s.acquired += acquires
}

// exceedsDebt reports whether a charge of n tokens would get beyond the range of debt.
func (a *account) exceedsDebt(now, n int64) bool {
	y := a.rate.Y(now)
	return n > 0 && a.rate.DebtLimit(y).Less(a.rate.Base(a.at, y).Add(a.rate.Cost(n)))
}

// settle charges n tokens, or refunds −n. A refund to a limit that is full has no effect later.
func (a *account) settle(now, n int64) {
	base := a.rate.Base(a.at, a.rate.Y(now))
	a.at = bucket.Arrival{At: base.Add(a.rate.Cost(n)), Seen: true}
	a.used += n
}

// deficit is how many tokens are missing, rounded up.
func (a *account) deficit(now int64) int64 {
	return a.rate.Capacity() - a.rate.Available(a.at, a.rate.Y(now))
}

// rests reports whether a new account would equal this one.
func (a *account) rests(now int64) bool {
	return a.used == 0 && a.rate.IsFull(a.at, a.rate.Y(now))
}

// owes reports whether anything is to be written back.
func (s *state) owes() bool {
	return s.owed != nil || s.acquired != 0 || slices.ContainsFunc(s.accounts, func(a account) bool { return a.used != 0 })
}

// rests reports whether a new bucket would equal this one.
func (s *state) rests(now int64) bool {
	return !s.owes() && !slices.ContainsFunc(s.accounts, func(a account) bool { return !a.rests(now) })
}
