package conformance

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/engine"
)

// configuration proves that what is stored is found again, by reading it, in lists and in audit events.
var configuration = stories{
	{"PolicyAlone", configurationPolicyAlone},
}

// configurationPolicyAlone stores a policy where there are no limits, and then beside limits, which stay.
func configurationPolicyAlone(r *rig) {
	l, ctx := r.limiter(), r.Context()
	limits := []engine.Limit{stored("a", 10)}
	r.wantInvalid("neither limits nor a policy", l.SetSystemDefaults(ctx, nil, &engine.SystemOptions{}))
	r.wantInvalid("nil", l.SetSystemDefaults(ctx, nil, nil))
	want := func(what string, limits []engine.Limit, policy engine.Policy) {
		r.Helper()
		c, err := r.limiter().SystemDefaults(ctx)
		if err != nil || c.OnUnavailable != policy || !slices.Equal(c.Limits, limits) {
			r.Errorf("%s: %+v, %v", what, c, err)
		}
	}
	allow, block := &engine.SystemOptions{OnUnavailable: engine.PolicyAllow}, &engine.SystemOptions{OnUnavailable: engine.PolicyBlock}
	r.must(l.SetSystemDefaults(ctx, nil, allow))
	want("a policy alone", nil, engine.PolicyAllow)
	_, err := l.Acquire(ctx, ask(tokens("a", 1)))
	r.wantError("Acquire without limits", err, engine.ErrNoLimits)
	r.mustAcquire(l, ask(tokens("a", 1), limits...))
	r.must(l.SetSystemDefaults(ctx, limits, nil))
	want("limits beside it", limits, engine.PolicyAllow)
	r.must(l.SetSystemDefaults(ctx, []engine.Limit{}, block))
	want("a policy beside limits", limits, engine.PolicyBlock)
	r.mustAcquire(l, ask(tokens("a", 1)))
	r.must(l.DeleteSystemDefaults(ctx))
	want("deleted", nil, engine.PolicyDefault)
}
