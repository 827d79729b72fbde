// Package manifest is configuration as a file: it reads manifests, tells what they would change in a store and makes those
// changes through the engine, and writes what is stored as a manifest.
//
// A manifest is YAML, or JSON, which is YAML too:
//
//	manifest: default             # its name; what it has set is its own from then on
//	namespace: default
//	system:
//	  on_unavailable: block       # or allow
//	  limits: {rpm: 1000, tpm: 10000/min:15000}
//	resources:
//	  gpt-4:
//	    limits: [rpm:50, tpm:100000]
//	entities:
//	  user-1:
//	    name: User 1              # name, parent, cascade, metadata: its record, as a whole
//	    parent: org
//	    cascade: true
//	    metadata: {plan: gold}
//	    limits: {rpm: 10}         # for all resources that have none below
//	    resources:
//	      gpt-4:
//	        limits:
//	          rpm: {capacity: 20, refill_amount: 10, refill_period: 60, burst: 20}
//	  org: {}                     # a record with nothing in it
//
// What it says is what shall be stored, no more: a part that is left out of a list of limits or of a record shall not be
// there. What it does not mention stays, unless the manifest has set it before: then it goes. An entity of which only
// limits are given gets no record, unless others are to have it as their parent. Anchors, aliases and merge keys work.
//
// A limit is a rate as on the command line, without its name (100, 100/min:150), in a mapping; the same with its name, in
// a list; or the mapping of the Python library, in which capacity is the rate, or what is refilled in refill_period (seconds).
//
// Package manifest prints nothing.
package manifest
