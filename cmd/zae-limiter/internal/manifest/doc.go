// Package manifest manages configuration as a file: it parses manifests, compares them with a store, applies the changes through
// the engine, and exports the configuration of a store as a manifest.
//
// A manifest is YAML or JSON:
//
//	manifest: default             # its name; it manages all settings that it sets
//	namespace: default
//	system:
//	  on_unavailable: block       # or allow, local
//	  limits: {rpm: 1000, tpm: 10000/min:15000}
//	resources:
//	  gpt-4:
//	    limits: [rpm:50, tpm:100000]
//	entities:
//	  user-1:
//	    name: User 1              # name, parent, cascade and metadata form the entity's record
//	    parent: org
//	    cascade: true
//	    metadata: {plan: gold}
//	    limits: {rpm: 10}         # for all resources without limits below
//	    resources:
//	      gpt-4:
//	        limits:
//	          rpm: {capacity: 20, refill_amount: 10, refill_period: 60, burst: 20}
//	  org: {}                     # an empty record
//
// A setting in the manifest replaces the stored one as a whole: limits and properties that the manifest omits are removed. Settings
// that the manifest does not mention do not change, unless the manifest has set them before: then they are removed. An entity
// with limits only gets no record, unless it is the parent of another entity. Anchors, aliases and merge keys are supported.
//
// In a mapping, a limit is a rate as on the command line, without the name (100, 100/min:150). In a list, it includes the name.
// The mapping of the Python library is accepted too: capacity, refill_amount, refill_period in seconds, and burst.
//
// Package manifest does not print.
package manifest
