// Package routers shows httplimit's middleware in the routers chi, gin and echo. Each program limits the routes below /v1 by the id of
// the caller's key, and its handler adjusts the lease.
//
// Package routers is an example, and no part of the library.
package routers
