// Package usage lists the usage snapshots that the aggregator writes: of an entity from its partition, and of a resource from several
// partitions of an index, as if they were one.
//
// The package computes no usage; it lists what is stored.
package usage
