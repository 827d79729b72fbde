// Package store makes all calls of the engine to the backend. A call has a budget of time and goes through a circuit
// breaker; it is resent after trouble that passes, and its error becomes one of the engine's.
//
// The package knows records and lists of records, but neither limits nor entities.
package store
