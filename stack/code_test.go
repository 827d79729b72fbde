package stack

import (
	"errors"
	"strings"
	"testing"
)

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
