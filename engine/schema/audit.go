package schema

// Actions of audit events that change limits. Limiters that follow the audit list read the action of an event without an
// entity: with a resource the event has changed that resource, and without one the system.
const (
	ActionLimits        = "limits_"        // all of them begin so
	ActionLimitsSet     = "limits_set"     // limits, or a policy of the system, were set
	ActionLimitsDeleted = "limits_deleted" // limits were deleted
	ActionLimitsChanged = "limits_changed" // anything may have changed: written last by who makes many changes at once
)
