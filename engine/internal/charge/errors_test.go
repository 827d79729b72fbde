package charge

import "testing"

func TestList(t *testing.T) {
	for want, names := range map[string][]string{"none": nil, "a": {"a"}, "a, b, c": {"c", "a", "b"}} {
		if got := list(names); got != want {
			t.Errorf("got %q, wanted %q", got, want)
		}
	}
}
