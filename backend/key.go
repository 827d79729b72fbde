package backend

import (
	"cmp"
	"unicode/utf8"
)

// Lengths that every store keeps, in bytes. DynamoDB takes 2,048 for a partition key, in which the namespace stands before
// the partition, and 1,024 for a sort key. What is left is for what a driver adds or escapes.
const (
	MaxNamespace = 64
	MaxPartition = 1000
	MaxSort      = 800
)

// Key is the primary place of a record. Its three parts are never joined outside a driver, and a driver joins them so
// that no two keys can meet. All are valid UTF-8 and not empty.
type Key struct {
	Namespace string // no call ever sees across it
	Partition string // the unit of listing
	Sort      string // orders a partition, by bytes
}

// Place is where a record stands in the index: a second partition, with an order of its own.
// In what order records with equal places come is the store's own business (DynamoDB promises none).
type Place struct{ Partition, Sort string }

// Compare orders keys by namespace, partition and sort, each by its bytes.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Partition, o.Partition), cmp.Compare(k.Sort, o.Sort))
}

// Validate reports whether every store accepts the key.
func (k Key) Validate() error {
	if err := part("namespace", k.Namespace, MaxNamespace); err != nil {
		return err
	}
	return Place{k.Partition, k.Sort}.Validate()
}

// Validate reports whether every store accepts the place.
func (p Place) Validate() error {
	if err := part("partition", p.Partition, MaxPartition); err != nil {
		return err
	}
	return part("sort", p.Sort, MaxSort)
}

func part(what, s string, most int) error {
	switch {
	case s == "":
		return invalid("%s of a key is empty", what)
	case len(s) > most:
		return tooLarge("%s of a key has %d bytes, at most %d", what, len(s), most)
	case !utf8.ValidString(s):
		return invalid("%s of a key is not UTF-8: %q", what, s)
	}
	return nil
}
