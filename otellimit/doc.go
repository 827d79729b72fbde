// Package otellimit exports what a limiter does as OpenTelemetry metrics. [New] returns an observer for engine.Options:
//
//	observer, err := otellimit.New(nil, nil) // nil: the global MeterProvider, default options
//	limiter, err := engine.New(store, &engine.Options{Observer: observer})
//
// The metrics and their units. The second column names the attributes without their prefix "zae_limiter."; error.type
// has no prefix:
//
//	zae_limiter.decisions            {decision}  resource, outcome, source, limit, level, denier
//	zae_limiter.decision.attempts    {attempt}   the same: writes that the decisions took, 0 from memory
//	zae_limiter.wait.duration        s           resource, outcome: a histogram of how long callers of Wait waited
//	zae_limiter.lease.duration       s           resource, result: a histogram of how long leases were held
//	zae_limiter.active_leases        {lease}     resource: leases that are neither committed nor rolled back
//	zae_limiter.tokens               {token}     resource, limit: what admitted requests took, before adjustments
//	zae_limiter.degraded             {decision}  resource: admitted without the store, by policy; in decisions only under policy Local
//	zae_limiter.refunds.lost         {token}     resource, limit: tokens that may stay charged
//	zae_limiter.events               {event}     kind: other events, by engine.EventKind.String, such as contention
//	zae_limiter.store.call.duration  s           call, error.type: a histogram
//	zae_limiter.store.requests       {request}   call, error.type
//	zae_limiter.store.units          {unit}      call, error.type: read and write units, as the store bills them
//
// All but the histograms are counters; active_leases also counts down. So that Prometheus sees the first event, events are there
// with 0 from the start, degraded from the first admission of a resource, and refunds.lost from the first admission that takes
// tokens of a limit. The share of admissions from memory shows how well prefetch works. The values of attributes:
//
//	outcome     admitted or denied
//	result      committed or rolled_back
//	source      local if the policy Local has decided, without the store; memory if the decision cost no call to the store; else store
//	limit       the limit's name; of decisions only of those that denied
//	level       where the limit that denied is configured: entity+resource, entity, resource, system or request
//	denier      entity if the limit that denied is the entity's own, else parent
//	call        read, apply, commit, list, scan or sweep
//	kind        clock_ahead, large_record, contention, store_clock, refresh, skipped, config_changed, usage_lost
//	error.type  unavailable, outcome_unknown, contention, rejected, canceled, timeout or _OTHER; only of failed calls
//	entity      what Options.Entity returns, such as the id or _other (see Top), of the metrics that have a resource but
//	            active_leases; by default there is no such attribute. Counters forget an entity an hour after its last event;
//	            OpenTelemetry's SDK keeps histograms until the process ends
//
// A store without I/O, such as memory, has no store metrics. grafana.json is a dashboard and alerts.yaml has alert rules, both
// for Prometheus with the names that OpenTelemetry's exporter gives them.
//
// # Traces
//
// [Trace] wraps a store so that its calls are spans below that of the caller. The names and the attributes of spans:
//
//	zae_limiter.store.CALL  such as zae_limiter.store.apply
//	zae_limiter.call        read, apply, commit, list, feed, sweep or scan
//	zae_limiter.records     how many records the call reads or writes, 0 if it has no list of them
//	error.type              as of metrics; only of failed calls, whose status is Error
//
// Package otellimit does not export: the program chooses readers and exporters.
package otellimit
