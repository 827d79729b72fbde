package engine

import (
	"time"

	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
	"github.com/zeroae/zae-limiter-go/engine/internal/charge"
)

// Tokens are amounts by limit name.
type Tokens map[string]int64

// Request asks for tokens of all limits of a bucket at once.
type Request struct {
	Entity        string  // 1 to 256 bytes of valid UTF-8 without control characters; need not be created
	Resource      string  // 1 to 128 bytes: letters, digits and _.-:/, beginning with a letter or digit
	Consume       Tokens  // not empty; a limit that it does not name is asked for 0 tokens, and denies only while it is in debt
	Limits        []Limit // used if no limits are stored for the entity and resource at any level
	Override      []Limit // used in place of stored limits
	OnUnavailable Policy  // PolicyDefault: the limiter's

	leases       bool  // its caller gets a lease
	waitingSince int64 // since when its caller waits for the tokens, ns since the Unix epoch; 0: it does not wait
}

// Decision is the answer of [Limiter.Allow].
type Decision struct {
	Allowed    bool
	Degraded   bool          // decided by policy, without the store
	RetryAfter time.Duration // of a denial: when the same request would be admitted; the largest Duration if never

	limits charge.Snapshot
}

// Policy tells what happens to an acquire while the store cannot be reached.
type Policy uint8

// The policies.
const (
	PolicyDefault Policy = changes.PolicyDefault // not set: the request's policy comes first, then the limiter's, then the one stored for the system, then PolicyBlock
	PolicyBlock   Policy = changes.PolicyBlock   // the acquire fails with ErrUnavailable
	PolicyAllow   Policy = changes.PolicyAllow   // the acquire is admitted with a degraded lease that does nothing
	PolicyLocal   Policy = changes.PolicyLocal   // the process decides by itself, by its share of the limits; see Options.LocalShare
)

// String is the policy's name as the command line spells it.
func (p Policy) String() string { return changes.Policy(p).String() }

// MarshalText returns the policy's name, as String does.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText sets the policy by its name, for flags and files of configuration. It returns a *ValidationError for other texts.
func (p *Policy) UnmarshalText(name []byte) error {
	for _, named := range []Policy{PolicyDefault, PolicyBlock, PolicyAllow, PolicyLocal} {
		if named.String() == string(name) {
			*p = named
			return nil
		}
	}
	return &ValidationError{"OnUnavailable", string(name), "must be block, allow, local or default"}
}
