// Package names says which names are valid: of entities, resources, namespaces, manifests, limits and actions.
//
// The package makes no errors of it, and does not know where a name comes from.
package names
