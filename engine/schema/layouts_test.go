package schema_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/zeroae/zae-limiter-go/backend"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// The fields of each kind of record, in their order: they are on disk.
func TestLayouts(t *testing.T) {
	bucket := []string{"v", "b", "a", "q", "p", "m"}
	for i := range schema.MaxLimits {
		bucket = append(bucket, fmt.Sprint("t", i), fmt.Sprint("u", i))
	}
	var counters []string
	for i := range 40 {
		counters = append(counters, fmt.Sprint("c", i))
	}
	for want, l := range map[string]*backend.Layout{
		fmt.Sprint("bucket ", append(bucket, "n", "l:bytes")):                        schema.BucketLayout,
		"entity [ver created cascade name:text parent:text meta:text manifest:text]": schema.EntityLayout,
		"managed [id:text]": schema.ManagedLayout,
		"config [ver unavailable l:bytes manifest:text]":                               schema.ConfigLayout,
		"audit [time action:text resource:text principal:text before:text after:text]": schema.AuditLayout,
		"namespace [ver created deleted state:text]":                                   schema.NamespaceLayout,
		"mark [at]":                   schema.MarkLayout,
		"schema [version stack:text]": schema.VersionLayout,
		fmt.Sprint("usage ", append(append([]string{"v", "q"}, counters...), "n:text", "x:text")): schema.UsageLayout,
	} {
		var fields []string
		for _, s := range l.Slots() {
			f := l.Field(s)
			fields = append(fields, f.Name+[]string{"", ":text", ":bytes"}[f.Kind])
		}
		if got := fmt.Sprint(l.Name(), " ", fields); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	}
}

// The slots that are reckoned are those of the names.
func TestBucketSlots(t *testing.T) {
	seen := []backend.Slot{schema.Ver, schema.Born, schema.At, schema.Acq, schema.Path, schema.Conv, schema.Nonce, schema.L}
	for i := range schema.MaxLimits {
		tat, used := schema.BucketLayout.MustSlot(fmt.Sprint("t", i)), schema.BucketLayout.MustSlot(fmt.Sprint("u", i))
		if schema.Tat(i) != tat || schema.Used(i) != used {
			t.Errorf("limit %d has its slots at %d and %d, not at %d and %d", i, tat, used, schema.Tat(i), schema.Used(i))
		}
		seen = append(seen, tat, used)
	}
	slices.Sort(seen)
	if !slices.Equal(seen, schema.BucketLayout.Slots()) {
		t.Errorf("slots %v of %v", seen, schema.BucketLayout.Slots())
	}
}
