package stack

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zeroae/zae-limiter-go/stack/stacktest"
)

// An update changes the options that are set and the code in one change set, and keeps the rest.
func TestUpdate(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with(func(o *Options) {
		o.LambdaMemory, o.UsageRetentionDays, o.Tags = 512, 7, map[string]string{"team": "a", "cost": "b"}
	}))
	sets := w.Counts()["ExecuteChangeSet"]
	r := w.mustEnsure(with(func(o *Options) {
		o.UsageRetentionDays, o.Code, o.Tags = 14, codeFor("x86_64"), map[string]string{"team": "c", "cost": ""}
	}))
	now := w.Stack(app)
	if r.Action != Updated || r.Before["UsageRetentionDays"] != "7" || r.After["UsageRetentionDays"] != "14" || !slices.Contains(changed(r.Changes), "Modify Aggregator") {
		t.Errorf("%+v", r)
	}
	if p := now.Parameters; p["LambdaMemorySize"] != "512" || p["Architecture"] != "x86_64" || p["CodeKey"] != codeKey(codeFor("x86_64")) {
		t.Errorf("%v", p)
	}
	if now.Tags["team"] != "c" || now.Tags["cost"] != "" || now.Tags["ManagedBy"] != "zae-limiter" || now.Tags["zae-limiter:lambda-version"] != "v1.2.3" || r.Info.Tags["team"] != "c" || len(r.Info.Tags) != 1 {
		t.Errorf("%v, %v", now.Tags, r.Info.Tags)
	}
	if n := w.Counts()["ExecuteChangeSet"] - sets; n != 1 {
		t.Errorf("%d change sets", n)
	}
}

// Without changes, Ensure does nothing, for both messages of CloudFormation, and deletes the empty change set.
func TestUnchanged(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		w := newWorld(t, nil)
		w.mustEnsure(with())
		if refuse {
			w.RefuseNoChange()
		}
		before := w.Counts()
		r := w.mustEnsure(with())
		after := w.Counts()
		if r.Action != Unchanged || r.Changes != nil || after["ExecuteChangeSet"] != before["ExecuteChangeSet"] || after["s3:PUT"] != before["s3:PUT"] {
			t.Errorf("%v: %+v", refuse, r)
		}
		if deleted := after["DeleteChangeSet"] - before["DeleteChangeSet"]; deleted != map[bool]int{false: 1, true: 0}[refuse] {
			t.Errorf("%v: %d change sets deleted", refuse, deleted)
		}
	}
}

// The stack keeps its code if none is given and none can be found.
func TestCodeKept(t *testing.T) {
	w := newWorld(t, nil)
	w.mustEnsure(with())
	t.Setenv("PATH", "")
	r := w.mustEnsure(Options{LambdaMemory: 1024})
	if r.Action != Updated || r.After["CodeKey"] != codeKey(codeFor("arm64")) || !w.has(app, "keeps its code") || r.Info.FunctionVersion != "v1.2.3" {
		t.Errorf("%+v\n%s", r, w.story())
	}
	w.events = nil
	same := w.session(Options{LambdaMemory: 2048})
	if same.version = "v1.2.3"; same.version != w.Stack(app).Tags[tagFunction] { // the code is not even searched for
		t.Error(w.Stack(app).Tags)
	}
	if r, err := same.ensure(t.Context()); err != nil || r.Action != Updated || w.has(app, "keeps its code") {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := w.ensure(Options{Architecture: "x86_64"}); !errors.Is(err, ErrNoCode) || !strings.Contains(err.Error(), "--lambda-zip") {
		t.Errorf("for another processor: %v", err)
	}
}

// Without code, Ensure changes nothing. Without an aggregator no code is needed; the bucket is created when it is enabled.
func TestNoCode(t *testing.T) {
	t.Setenv("PATH", "")
	w := newWorld(t, nil)
	if _, err := w.ensure(Options{}); !errors.Is(err, ErrNoCode) || w.Counts()["CreateChangeSet"] > 0 {
		t.Errorf("%v", err)
	}
	off, on := false, true
	r := w.mustEnsure(Options{Aggregator: &off})
	if r.Info.Aggregator || r.Info.Bucket != "" || slices.Contains(changed(r.Changes), "Add AggregatorRole") {
		t.Errorf("%+v", r)
	}
	r = w.mustEnsure(with(func(o *Options) { o.Aggregator = &on }))
	if !r.Info.Aggregator || r.Info.FunctionVersion != "v1.2.3" || len(w.Objects(r.Info.Bucket)) != 1 {
		t.Errorf("%+v", r)
	}
	r = w.mustEnsure(Options{Aggregator: &off})
	if r.Info.Aggregator || r.Info.Bucket == "" || !slices.Contains(changed(r.Changes), "Remove Aggregator") {
		t.Errorf("%+v", r)
	}
}

// Termination protection is set together with a change set, and alone.
func TestTerminationProtection(t *testing.T) {
	w := newWorld(t, nil)
	on, off := true, false
	if r := w.mustEnsure(with(func(o *Options) { o.TerminationProtection = &on })); !w.Stack(app).Protected || r.After["TerminationProtection"] != "true" {
		t.Errorf("%+v", r)
	}
	before := w.Counts()["UpdateTerminationProtection"]
	w.mustEnsure(with())
	w.mustEnsure(with(func(o *Options) { o.TerminationProtection = &on }))
	if n := w.Counts()["UpdateTerminationProtection"]; n != before || !w.Stack(app).Protected {
		t.Errorf("set %d times without need", n-before)
	}
	if r := w.mustEnsure(with(func(o *Options) { o.TerminationProtection = &off })); r.Action != Updated || w.Stack(app).Protected {
		t.Errorf("%+v", r)
	}
}

// The name of a policy is replaced by its ARN in the account.
func TestPermissionBoundary(t *testing.T) {
	w := newWorld(t, nil)
	name := "limits"
	if r := w.mustEnsure(with(func(o *Options) { o.PermissionBoundary = &name })); r.After["PermissionBoundary"] != "arn:aws:iam::"+stacktest.Account+":policy/limits" {
		t.Errorf("%v", r.After)
	}
}

// With NoWait, a call returns when the change has started, and the next one completes it.
func TestNoWait(t *testing.T) {
	w := newWorld(t, nil)
	r := w.mustEnsure(with(func(o *Options) { o.NoWait = true }))
	if r.Action != Created || r.Info.Status != "CREATE_IN_PROGRESS" || r.Info.Available {
		t.Errorf("%+v", r)
	}
	r = w.mustEnsure(with())
	if r.Action != Updated || !r.Info.Aggregator || !r.Info.Available || !w.has(app, "waiting for another operation") {
		t.Errorf("%+v\n%s", r, w.story())
	}
}

// A plan shows what Ensure then changes, and leaves nothing behind.
func TestPlan(t *testing.T) {
	w := newWorld(t, nil)
	plan := func(o Options) ChangeSet {
		t.Helper()
		p, err := w.session(o).plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := plan(with())
	if p.Action != Created || p.Before != nil || p.After["LambdaTimeout"] != "60" || !slices.Contains(changed(p.Changes), "Add Aggregator") || w.Stack(app).Status != "DELETE_COMPLETE" {
		t.Errorf("%+v, and the stack is in %s", p, w.Stack(app).Status)
	}
	r := w.mustEnsure(with())
	if diff := len(r.Changes) - len(p.Changes); diff < 0 {
		t.Errorf("planned %v, done %v", changed(p.Changes), changed(r.Changes))
	}
	if p = plan(with()); p.Action != Unchanged || p.Changes != nil {
		t.Errorf("%+v", p)
	}
	on := true
	p = plan(with(func(o *Options) { o.LambdaTimeout, o.TerminationProtection = 30, &on }))
	if got := changed(p.Changes); p.Action != Updated || p.Before["LambdaTimeout"] != "60" || p.After["LambdaTimeout"] != "30" || p.After["TerminationProtection"] != "true" ||
		!slices.Contains(got, "Modify Aggregator") || !slices.Contains(got, "Modify app") {
		t.Errorf("%+v", p)
	}
	if s := w.Stack(app); s.Parameters["LambdaTimeout"] != "60" || s.Protected {
		t.Errorf("the plan was carried out: %+v", s)
	}
	w.SetStatus(app, "ROLLBACK_COMPLETE")
	if _, err := w.session(with()).plan(t.Context()); !errors.Is(err, errUnplannable) {
		t.Error(err)
	}
}

// A plan needs no code: if there is none, the plan says so and shows the function all the same.
func TestPlanWithoutCode(t *testing.T) {
	t.Setenv("PATH", "")
	w := newWorld(t, nil)
	p, err := w.session(Options{}).plan(t.Context())
	if err != nil || !errors.Is(p.NoCode, ErrNoCode) || p.Action != Created || !slices.Contains(changed(p.Changes), "Add Aggregator") {
		t.Errorf("%+v, %v", p, err)
	}
	w.mustEnsure(with())
	p, err = w.session(Options{Architecture: "x86_64"}).plan(t.Context()) // there is no code for it either
	if err != nil || !errors.Is(p.NoCode, ErrNoCode) || p.Action != Updated || !slices.Contains(changed(p.Changes), "Modify Aggregator") {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = w.session(with()).plan(t.Context()); err != nil || p.NoCode != nil || p.Action != Unchanged {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := w.ensure(Options{Architecture: "x86_64"}); !errors.Is(err, ErrNoCode) {
		t.Errorf("a deployment: %v", err)
	}
}
