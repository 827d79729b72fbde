package bolt_test

import (
	"testing"

	"github.com/zeroae/zae-limiter-go/backend/bolt"
)

func mustOpen(t testing.TB, path string, o *bolt.Options) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
