package stack

import (
	"errors"
	"strings"
	"testing"
)

// TestOlderProgram checks that an older program does not change what a newer one has deployed, unless it is told to.
func TestOlderProgram(t *testing.T) {
	deploy := func(w *world, version string, o Options) error {
		s := w.session(o)
		s.version = version
		_, err := s.ensure(t.Context())
		return err
	}
	for _, newer := range []string{tagVersion, tagFunction} {
		w := newWorld(t, nil)
		if err := deploy(w, "v1.2.0", with()); err != nil {
			t.Fatal(err)
		}
		codeVersion := w.Stack(app).Tags[tagFunction]
		if newer == tagFunction {
			code := codeFor("arm64")
			code.Version, code.Hash = "v1.4.0", "4"
			if err := deploy(w, "v1.4.0", Options{Code: code, CodeOnly: true}); err != nil {
				t.Fatal(err)
			}
			codeVersion = code.Version
		}
		before := w.Counts()["CreateChangeSet"]
		older := map[string]string{tagVersion: "v1.1.9", tagFunction: "v1.3.0"}[newer]
		err := deploy(w, older, with(func(o *Options) { o.LambdaTimeout = 30 }))
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), older) || !strings.Contains(err.Error(), "upgrade --force") {
			t.Errorf("%s deploys over a newer %s: %v", older, newer, err)
		}
		if s := w.Stack(app); w.Counts()["CreateChangeSet"] != before || s.Tags[tagFunction] != codeVersion {
			t.Errorf("the older program has made a change set: %v", s.Tags)
		}
		if err := deploy(w, older, with(func(o *Options) { o.Downgrade = true })); err != nil || w.Stack(app).Tags[tagVersion] != older {
			t.Errorf("downgrade: %v, %v", err, w.Stack(app).Tags)
		}
	}
}

func TestOlderRelease(t *testing.T) {
	for _, c := range []struct {
		version, than string
		want          bool
	}{
		{"v1.2.3", "v1.2.4", true},
		{"v1.9.0", "v1.10.0", true},
		{"v1.2.3", "v2.0.0", true},
		{"v1.2.3", "v1.2.3", false},
		{"v1.10.0", "v1.9.9", false},
		{"devel", "v1.0.0", false},
		{"v1.0.0", "devel", false},
		{"v1.0.0", "", false},
	} {
		if got := olderRelease(c.version, c.than); got != c.want {
			t.Errorf("%q older than %q: %v", c.version, c.than, got)
		}
	}
}

// TestCodeOnly checks that CodeOnly updates only the function's code of a stack that another version has deployed.
func TestCodeOnly(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.ensure(Options{CodeOnly: true, Code: codeFor("arm64")}); !errors.Is(err, ErrNotFound) || len(w.events) > 0 {
		t.Errorf("without a stack: %v", err)
	}
	present := template
	template = strings.Replace(present, "BatchSize: 100", "BatchSize: 50", 1)
	t.Cleanup(func() { template = present })
	w.mustEnsure(with())
	deployed := template
	template = present

	other := codeFor("x86_64")
	r := w.mustEnsure(Options{CodeOnly: true, Code: other, LambdaTimeout: 7, Tags: map[string]string{"a": "b"}})
	s := w.Stack(app)
	if r.Action != Updated || s.Template != deployed || s.Parameters[paramCodeKey] != codeKey(other) || s.Parameters[paramArchitecture] != "x86_64" {
		t.Errorf("%v, %v", r.Action, s.Parameters)
	}
	if s.Parameters["LambdaTimeout"] != "60" || s.Tags["a"] != "" || s.Tags[tagFunction] != other.Version || deployed == present {
		t.Errorf("%v, %v", s.Parameters, s.Tags)
	}
	if r := w.mustEnsure(Options{CodeOnly: true, Code: other}); r.Action != Unchanged {
		t.Errorf("again: %v", r.Action)
	}
	w.mustEnsure(Options{Code: other})
	if s := w.Stack(app); s.Template != present {
		t.Error("the template is not this version's")
	}
}
