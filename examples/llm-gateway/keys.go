package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// key is an API key. Its secret is not stored.
type key struct {
	ID     string `json:"id"`     // the entity: what the limiter, logs and metrics may know
	SHA256 string `json:"sha256"` // of the secret, in hexadecimal
}

// keyring finds keys by the hash of their secrets.
type keyring map[string]key

func readKeys(file string) (keyring, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("llm-gateway: the keys cannot be read: %w", err)
	}
	var all []key
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("llm-gateway: the keys in %s cannot be read: %w", file, err)
	}
	ring := keyring{}
	for _, k := range all {
		if ring[k.SHA256].ID != "" || k.ID == "" || len(k.SHA256) != 2*sha256.Size {
			return nil, fmt.Errorf("%w: id %q", errBadKey, k.ID)
		}
		ring[k.SHA256] = k
	}
	return ring, nil
}

// of returns the key of a request.
func (k keyring) of(r *http.Request) (key, bool) {
	secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	hash := sha256.Sum256([]byte(secret))
	found, known := k[hex.EncodeToString(hash[:])]
	return found, ok && known
}
