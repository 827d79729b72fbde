package backend

import (
	"cmp"
	"unicode/utf8"
)

// The longest parts of keys and places, in bytes. DynamoDB takes 2,048 bytes for a partition key, which holds namespace and
// partition, and 1,024 for a sort key; the rest is left for what a driver adds or escapes.
const (
	MaxNamespace = 64
	MaxPartition = 1000
	MaxSort      = 800
)

// Key identifies a record. Its parts are valid UTF-8 and not empty. Only a driver joins them, in a way in which different
// keys stay different.
type Key struct {
	Namespace string // no call sees records of more than one namespace
	Partition string // what List lists
	Sort      string // orders the records of a partition, by bytes
}

// Place is where a record is listed in the index, besides its key: a partition, and an order within it. The order of
// records with equal places is the store's own.
type Place struct{ Partition, Sort string }

// Compare orders keys by namespace, partition and sort, each by its bytes.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Namespace, o.Namespace), cmp.Compare(k.Partition, o.Partition), cmp.Compare(k.Sort, o.Sort))
}

// Validate returns an error that is ErrInvalid or ErrTooLarge if the key is not legal.
func (k Key) Validate() error {
	if err := part("namespace", k.Namespace, MaxNamespace); err != nil {
		return err
	}
	return Place{k.Partition, k.Sort}.Validate()
}

// Validate returns an error that is ErrInvalid or ErrTooLarge if the place is not legal.
func (p Place) Validate() error {
	if err := part("partition", p.Partition, MaxPartition); err != nil {
		return err
	}
	return part("sort", p.Sort, MaxSort)
}

func part(what, s string, most int) error {
	switch {
	case s == "":
		return invalid("the %s of a key or place is empty: give it a name", what)
	case len(s) > most:
		return tooLarge("the %s of a key or place has %d bytes: use at most %d", what, len(s), most)
	case !utf8.ValidString(s):
		return invalid("the %s %q of a key or place is not UTF-8: encode it", what, s)
	}
	return nil
}
