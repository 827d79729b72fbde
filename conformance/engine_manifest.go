package conformance

import (
	"slices"

	"github.com/zeroae/zae-limiter-go/engine"
)

// liveByManifest: what a manifest sets and removes is followed as what is set one by one, and is found again, in every
// process.
func liveByManifest(r *engineTest) {
	l, other := r.limiter(), r.limiter()
	r.must(l.SetLimits(r.Context(), user, api, []engine.Limit{stored("a", 100)}))
	r.mustAcquire(l, ask(tokens("a", 100)))
	r.mustDeny(l, ask(tokens("a", 1)))

	limits := func(entity, resource string, n int64) engine.Setting {
		id := engine.SettingID{Kind: engine.SettingLimits, Entity: entity, Resource: resource}
		return engine.Setting{ID: id, Exists: true, Limits: []engine.Limit{stored("a", n)}}
	}
	record := func(id, parent string) engine.Setting {
		s := engine.Setting{ID: engine.SettingID{Kind: engine.SettingEntity, Entity: id}, Exists: true}
		s.Record.Parent, s.Record.Cascade = parent, parent != ""
		return s
	}
	wanted := []engine.Setting{limits(user, api, 150), record(user, "parent-1"), record("parent-1", ""), limits("parent-1", "", 1000)}
	r.apply(l, wanted...)
	r.wantLeft(l, "raised by a manifest", "a:50 parent-1 a:1000")
	r.mustAcquire(l, ask(tokens("a", 50)))
	r.wantLeft(other, "in another process", "a:0 parent-1 a:950")

	for _, process := range []*engine.Limiter{l, other} {
		managed, err := process.ManagedSettings(r.Context(), "m")
		r.must(err)
		all, err := process.AllSettings(r.Context())
		r.must(r.orCannotScan(err))
		if !r.canScan() {
			all = managed
		}
		if len(managed) != len(wanted) || !slices.EqualFunc(managed, all, func(a, b engine.Setting) bool { return a.ID == b.ID && a.SameContent(&b) }) {
			r.Errorf("managed: %v, of all: %v", managed, all)
		}
	}
	for i := range wanted {
		wanted[i] = engine.Setting{ID: wanted[i].ID}
	}
	r.apply(l, wanted...)
	_, err := l.Allow(r.Context(), ask(tokens("a", 1)))
	r.wantError("after all was removed", err, engine.ErrNoLimits)
}

// apply makes the manifest "m" set what is wanted.
func (r *engineTest) apply(l *engine.Limiter, wanted ...engine.Setting) {
	r.Helper()
	ids := make([]engine.SettingID, len(wanted))
	for i := range wanted {
		ids[i] = wanted[i].ID
	}
	before, err := l.Settings(r.Context(), ids)
	r.must(err)
	changes := make([]engine.SettingChange, len(wanted))
	for i := range wanted {
		changes[i] = engine.SettingChange{Before: before[i], After: wanted[i]}
	}
	r.must(l.ApplyManifest(r.Context(), "m", changes, nil))
}
