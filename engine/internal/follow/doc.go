// Package follow keeps the stored configuration of a namespace in memory, and learns of changes from the audit list.
//
// Every change of configuration writes an audit event in the same commit. A [Follower] lists the index of these events about
// once a second, which is called a look, and reads again only what the new events have changed. Without looks, each bucket's
// configuration would have to be read again every minute, by every process.
//
// # Use
//
// An acquire asks for the configuration of an entity and a resource like this:
//
//	if f.Fresh(seq, now) {                             // nothing to do: three loads
//		return conf
//	}
//	if err := f.Follow(ctx, now); err != nil {         // starts a look if one is due
//		return err                                 // the namespace is gone
//	}
//	c, seq, age := f.Get(entity, resource, now)        // from memory
//	if age >= follow.Expired {
//		c, seq, _, err = f.Fetch(ctx, entity, resource, now)
//	}
//
// A caller that changes the configuration calls [Follower.Look] first, takes the id of its event from [Follower.NextID], and
// calls [Follower.Changed] after the commit, and [Follower.Wrote] if the commit was certainly made. A caller that changes the
// registration of the namespace calls [Follower.Recheck] after the commit, and must not look before it, because a look may
// register the namespace.
//
// # What a look does
//
//  1. It lists the keys of events from a minute before the latest event that it knows, at most 1,000 keys. It skips events
//     that it knows.
//  2. The key of an event names its entity: the entity's records are dropped, and the next acquire reads them. Events
//     without an entity are read, at most 100, to tell the system from a resource: the record of that is read again by the
//     look itself, so that no acquire waits for it.
//  3. It reads the registration of the namespace, and the records of the system and of resources that were read more than
//     Options.TTL ago. Resources that nobody has used since are dropped instead.
//
// A look that succeeds vouches for everything in memory: a record is as young as the later of its own reading and the
// beginning of that look. So there is one rule for all troubles. If looks fail, or if Options.Interval turns them off, or if
// an own event is not in the index after a minute, records grow old, and are read again after Options.TTL. A failed look
// drops nothing.
//
// # Why nothing is missed
//
// An event can reach the index late, but not before its commit, and reads are consistent: a record that is read after its
// event was seen is current. A read that began before the event was seen may return the old record. So an event removes
// the entry of a record from memory, and a reader stores what it has read in the entry that it had before it began to
// read. If that entry was removed meanwhile, nobody finds it.
//
// Ids of events are ULIDs, which sort by the clocks of their writers. Clocks may differ by a minute: looks list the last
// minute again, and the id of a new event is after all those that its writer knows, but at most a minute ahead of its
// clock. An event that is further ahead never counts as the latest event. It is reported once, and drops everything, at
// most once in Options.TTL. A process whose own clock is further ahead than that misses events of others until the next
// backstop.
//
// The overlap of a minute ends when the latest event is two minutes old: from then on an event with a smaller id would be two
// minutes late, and quiet namespaces pay for one key per look. It also has at most 200 keys. If there are more, a look one
// minute later goes back three minutes in full, so that what was late in a burst of events is found after a minute. More than
// 1,000 new events drop everything, at most once in a fifth of Options.TTL. A writer of more than 100 events in one operation
// ends with an event of the action [schema.ActionLimitsChanged], which drops everything, too.
//
// Backstops find what was missed all the same: system and resources are read again after Options.TTL. Every ten minutes, a
// look goes back an hour, or 4,000 events if these are fewer. An entity's records are read again after about 72 hours.
//
// Package follow does not decide which limits hold, and it does not change the configuration.
package follow
