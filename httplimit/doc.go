// Package httplimit limits HTTP requests: those that a server receives, with middleware, and those that a client sends, with an
// [http.RoundTripper].
//
//	limited := httplimit.New(limiter, &httplimit.Options{
//		Key:    func(r *http.Request) string { return auth.KeyID(r.Context()) }, // the id of the key, never the key
//		Limits: []engine.Limit{engine.PerMinute("rpm", 60)},
//	})
//	http.ListenAndServe(address, authenticate(limited(mux)))
//
// # Who is limited
//
// Authentication comes first. The id of the caller's key is the entity: if the secret itself were the entity, everybody could get a
// new bucket with each invented secret, and secrets would be stored. Callers without a key are limited by their network
// address: an IPv4 address, or the /64 prefix of an IPv6 address, which one customer of a provider has. The headers of proxies
// are believed only from [Options].TrustedProxies.
//
// # What a client learns
//
// A denial is status 429 with Retry-After, and a problem document (RFC 9457) as body. Admissions have headers, too, with the
// entity's own limits and not those of its parents. Their [Style] is that of draft-ietf-httpapi-ratelimit-headers-10, OpenAI's or
// Anthropic's. If the store cannot be reached, the answer is 503 with Retry-After, or the limiter's policy admits the request; then
// it has no such headers.
//
// # The lease
//
// The handler finds its lease with [Lease], and adjusts it when it knows what the request has used. The middleware commits the
// lease when the handler has returned, also if the client has gone. If the handler panics, the charge stays as well, and the
// panic goes on: the handler may have used what was charged, and a request that makes it panic would otherwise be free. A handler
// that wants a refund calls Rollback on the lease itself. The handler gets the server's own ResponseWriter, so streaming, hijacking
// and sendfile work as without the middleware.
//
// # Shutdown
//
// A lease is settled when its handler returns, so requests end first, then the limiter is closed, and then its store. [Serve] serves
// until a signal, drains the server and cuts the requests that take too long.
//
// Package httplimit does not authenticate anybody, and does not queue requests of a server.
package httplimit
