// Package store makes all calls of the engine to the backend. A call has a budget of time, passes a circuit breaker, is sent
// again after trouble that passes, and its error becomes one of the engine's. It knows records and lists of them.
//
// The package does not know limits or entities.
package store
