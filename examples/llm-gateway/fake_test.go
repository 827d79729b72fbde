package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

const upstreamSecret = "secret-of-the-gateway"

// upstream is an LLM API that answers with pieces of two tokens.
type upstream struct {
	*httptest.Server
	status int           // of all answers, 200 at first
	pieces int           // of a stream, 3 at first
	usage  *usage        // what it bills, if it tells
	next   chan struct{} // each piece waits for it; closed at first
	gone   chan struct{} // closed when a client has gone
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	u := &upstream{status: http.StatusOK, pieces: 3, next: make(chan struct{}), gone: make(chan struct{})}
	close(u.next)
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked map[string]any // by the exact names
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.Header.Get("Authorization") != "Bearer "+upstreamSecret {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.WriteHeader(u.status)
	end, err := json.Marshal(map[string]any{"choices": []int{}, "usage": u.usage})
	if err != nil || asked["stream"] != true || u.status != http.StatusOK {
		fmt.Fprintf(w, "%s", end)
		return
	}
	for range u.pieces {
		select {
		case <-u.next:
		case <-r.Context().Done():
			close(u.gone)
			return
		}
		fmt.Fprint(w, `data: {"choices":[{"delta":{"content":"12345678"}}]}`, "\n\n")
		_ = http.NewResponseController(w).Flush()
	}
	fmt.Fprintf(w, "data: %s\n\ndata: [DONE]\n\n", end)
}

// pauseAfter makes a stream pause after n pieces. goOn lets more come.
func (u *upstream) pauseAfter(n int) {
	u.next = make(chan struct{}, 100)
	u.goOn(n)
}

// goOn lets a stream that pauses go on for n pieces.
func (u *upstream) goOn(n int) {
	for range n {
		u.next <- struct{}{}
	}
}

// testKeys are alice and bob of a tenant, and carol. Each secret is "secret-of-" and the name, and each id "key-of-" and the name.
func testKeys(t *testing.T) string {
	t.Helper()
	var all []key
	for _, name := range []string{"alice", "bob", "carol"} {
		hash := sha256.Sum256([]byte("secret-of-" + name))
		all = append(all, key{ID: "key-of-" + name, SHA256: hex.EncodeToString(hash[:])})
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
