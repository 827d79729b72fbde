package limitertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zeroae/zae-limiter-go/engine"
)

// Charged returns the tokens that were charged to the bucket of an entity and resource since it was created, less those that
// were refunded. A reset fills the bucket, and what was charged stays. Adjustments of a lease count once they are written, by Flush
// or Commit. Limits without a charge are left out. It also works while the store is down.
//
// The record of a bucket expires engine.Options.MaxHold and ten minutes after the bucket is full. Then nothing is charged.
func (l *Limiter) Charged(entity, resource string) engine.Tokens {
	l.t.Helper()
	states, err := l.inspector.BucketStates(context.Background(), []engine.BucketName{{Entity: entity, Resource: resource}})
	if err != nil {
		l.t.Fatalf("limitertest: what is charged to %s on %s cannot be read: %v", entity, resource, err)
	}
	charged := engine.Tokens{}
	for _, s := range states {
		for _, limit := range s.Limits {
			if limit.Used != 0 {
				charged[limit.Limit.Name] = limit.Used
			}
		}
	}
	return charged
}

// AssertCharged fails the test, which goes on, unless [Limiter.Charged] returns what is wanted. Limits that want does not name
// must have no charge.
func (l *Limiter) AssertCharged(entity, resource string, want engine.Tokens) {
	l.t.Helper()
	if difference := compare(l.Charged(entity, resource), want); difference != "" {
		l.t.Errorf("limitertest: wrong charge to %s on %s: %s", entity, resource, difference)
	}
}

// compare says how two amounts differ, or "" if they do not.
func compare(got, want engine.Tokens) string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(got)), maps.Keys(want))
	slices.Sort(names)
	var parts []string
	for _, name := range slices.Compact(names) {
		if got[name] != want[name] {
			parts = append(parts, fmt.Sprintf("%s is %d, want %d", name, got[name], want[name]))
		}
	}
	return strings.Join(parts, "; ")
}
