package changes

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
)

// document is a setting in the change's audit event; nil if there is none. Only events of manifests name the manifest.
func (c *Change) document(s *Setting) any {
	manifest := s.Manifest
	if c.Manifest == "" {
		manifest = ""
	}
	switch {
	case !s.Exists:
		return nil
	case s.ID.Kind == KindEntity:
		return entityDocument{s.ID.Entity, s.Record.Name, s.Record.Parent, s.Record.Cascade, s.Record.Metadata, s.Record.CreatedAt, manifest}
	case len(s.Limits) == 0 && s.OnUnavailable == PolicyDefault:
		return nil
	}
	d := configDocument{Limits: make([]LimitDocument, len(s.Limits)), Manifest: manifest}
	for i, limit := range byName(s.Limits) {
		d.Limits[i] = DocumentOf(limit)
	}
	if s.OnUnavailable != PolicyDefault {
		d.OnUnavailable = s.OnUnavailable.String()
	}
	return d
}

// configDocument is a setting's limits and policy in an audit event.
type configDocument struct {
	Limits        []LimitDocument `json:"limits"`
	OnUnavailable string          `json:"on_unavailable,omitempty"`
	Manifest      string          `json:"manifest,omitempty"`
}

// LimitDocument is a limit in an audit event.
type LimitDocument struct {
	Name                string  `json:"name"`
	Capacity            int64   `json:"capacity"`
	RefillAmount        int64   `json:"refill_amount"`
	RefillPeriodSeconds float64 `json:"refill_period_seconds"`
}

// DocumentOf is a limit as audit events show it.
func DocumentOf(l bucket.Limit) LimitDocument {
	return LimitDocument{l.Name, l.Capacity, l.RefillAmount, l.RefillPeriod.Seconds()}
}

// entityDocument is an entity in an audit event.
type entityDocument struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Parent    string            `json:"parent"`
	Cascade   bool              `json:"cascade"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	Manifest  string            `json:"manifest,omitempty"`
}

// document encodes a value as JSON, with sorted maps; "" for nil.
func document(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // it would make metadata longer than what was checked
	err := encoder.Encode(v)
	return strings.TrimSuffix(text.String(), "\n"), err
}

// EncodeMetadata returns metadata as it is stored, "" if there is none.
func EncodeMetadata(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	return document(m)
}
