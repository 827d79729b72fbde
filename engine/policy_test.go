package engine

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/backend/memory"
	"github.com/zeroae/zae-limiter-go/engine/internal/changes"
)

// TestPolicyIsNotedAfterForgetting: a read that began before an own change of the policy may end after it, and may store the
// old policy until the change is known to the cache. So the new policy is noted afterwards.
func TestPolicyIsNotedAfterForgetting(t *testing.T) {
	committed := make(chan struct{}, 2)
	store := backend.Wrap(memory.New(nil), &backend.WrapOptions{
		Around: func(ctx context.Context, c backend.Call, next func(context.Context) error) error {
			err := next(ctx)
			if c.Method == "Commit" {
				committed <- struct{}{}
			}
			return err
		},
	})
	l, err := New(store, &Options{CacheSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	known, forget := make(chan struct{}), l.admin.Forget
	l.admin.Forget = func(ids ...changes.ID) { // whoever tells the cache of a change waits
		<-known
		forget(ids...)
	}
	done := make(chan error, 1)
	go func() {
		done <- l.SetSystemDefaults(context.Background(), nil, &SystemOptions{OnUnavailable: PolicyAllow})
	}()
	<-committed
	for range 1000 {
		runtime.Gosched()
	}
	early := Policy(l.charger.Policy.Load())
	close(known)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if late := Policy(l.charger.Policy.Load()); early == PolicyAllow || late != PolicyAllow {
		t.Errorf("the policy is %v before the cache knows of the change, and %v after it", early, late)
	}
}

// TestPolicyText: each policy is read again from its name, and no other text is one.
func TestPolicyText(t *testing.T) {
	for p := PolicyDefault; p <= PolicyLocal; p++ {
		text, err := p.MarshalText()
		again := Policy(99)
		if err := errors.Join(err, again.UnmarshalText(text)); err != nil || again != p {
			t.Errorf("%v is %q, and read again %v: %v", p, text, again, err)
		}
	}
	if text := Policy(99).String(); text != "Policy(99)" {
		t.Errorf("a value that is no policy is shown as %q", text)
	}
	for _, text := range []string{"", "Allow", "deny"} {
		p, invalid := PolicyLocal, new(*ValidationError)
		if err := p.UnmarshalText([]byte(text)); !errors.As(err, invalid) || p != PolicyLocal {
			t.Errorf("%q is read as %v: %v", text, p, err)
		}
	}
}
