// Package pause waits: it is the default of options called Sleep.
//
// Package pause does not read a clock.
package pause
