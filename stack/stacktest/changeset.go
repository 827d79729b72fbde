package stacktest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// changeSet is what would be done to a stack.
type changeSet struct {
	name, id, kind string
	want           content
	changes        []change
	imported       map[string]string // types by logical ids
	ready          time.Time
	failure        string // why it will have failed when it is ready, "" if it will not
}

// change is what is done to one resource.
type change struct {
	action      string    // Add, Import, Modify or Remove
	resource    *resource // as it will be; the one that is removed
	physical    string
	replacement string
	properties  []string // that differ
	tags        bool     // whether the tags differ
}

func (a *AWS) createChangeSet(s *stack, c call) (result, *Answer) {
	stackName, name, kind := c.text("StackName"), c.text("ChangeSetName"), c.text("ChangeSetType")
	isNew := s == nil || s.status == "REVIEW_IN_PROGRESS"
	switch {
	case kind == "CREATE" && !isNew:
		return nil, &Answer{400, "AlreadyExistsException", fmt.Sprintf("Stack [%s] already exists and cannot be created again with the changeSet [%s].", stackName, name)}
	case kind == "UPDATE" && s == nil:
		return nil, invalid("Stack [%s] does not exist", stackName)
	case !isNew && !s.canUpdate():
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.ID, s.status)
	}
	s, want, problem := a.wanted(s, c)
	if problem != nil {
		return nil, problem
	}
	if s.status == "" {
		a.record(s, &s.resource, "REVIEW_IN_PROGRESS", "User Initiated")
	}
	set := &changeSet{
		name: name, kind: kind, id: strings.Replace(s.ID, ":stack/"+stackName, ":changeSet/"+name, 1),
		want: want, imported: c.pairs("ResourcesToImport", ".LogicalResourceId", ".ResourceType"), ready: a.now.Add(a.pace),
	}
	if problem := a.examine(s, set); problem != nil {
		return nil, problem
	}
	s.changeSets[name] = set
	return result{"Id": set.id, "StackId": s.ID}, nil
}

// examine finds out what a change set does, and whether it can be executed.
func (a *AWS) examine(s *stack, set *changeSet) *Answer {
	for _, r := range set.want.resources {
		isImported := set.imported[r.logical] != ""
		if isImported && r.deletion == "" {
			return invalid("Resources %s is missing DeletionPolicy attribute. All resources to import must have a DeletionPolicy attribute.", r.logical)
		}
		if a.early && !isImported && s.find(r.logical) == nil && a.taken(r) {
			set.failure = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. " +
				"To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
		}
	}
	set.changes = changesOf(&s.content, &set.want, set.imported)
	same := maps.Equal(s.tags, set.want.tags) && maps.Equal(s.outputs(&s.content), s.outputs(&set.want))
	switch rejection := a.failure("propose", s.logical); {
	case rejection != "":
		set.failure = rejection
	case len(set.changes) == 0 && same && a.noUpdates:
		return invalid("No updates are to be performed.")
	case len(set.changes) == 0 && same:
		set.failure = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	return nil
}

// taggable are kinds that get the stack's tags.
var taggable = []string{tableKind, functionKind, bucketKind, "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}

// changesOf returns the differences between what a stack is and what it is to be.
func changesOf(before, want *content, imported map[string]string) (changes []change) {
	for _, r := range want.resources {
		old := before.find(r.logical)
		if old == nil {
			ch := change{action: "Add", resource: r}
			if imported[r.logical] != "" {
				ch.action, ch.physical = "Import", r.ID
			}
			changes = append(changes, ch)
			continue
		}
		ch := change{action: "Modify", resource: r, physical: old.ID, replacement: "False", properties: differing(old.Properties, r.Properties)}
		if slices.ContainsFunc(schemas[r.Type].Replaces, func(name string) bool { return slices.Contains(ch.properties, name) }) {
			ch.replacement = "True"
		}
		ch.tags = !maps.Equal(before.tags, want.tags) && slices.Contains(taggable, r.Type)
		if len(ch.properties) > 0 || ch.tags {
			changes = append(changes, ch)
		}
	}
	for _, r := range slices.Backward(before.without(want)) {
		changes = append(changes, change{action: "Remove", resource: r, physical: r.ID})
	}
	return changes
}

// differing returns the names of the properties that are not the same.
func differing(before, after map[string]any) (names []string) {
	all := maps.Clone(after)
	maps.Copy(all, before)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(before[name], after[name]) {
			names = append(names, name)
		}
	}
	return names
}

// changeSetOf returns a request's change set.
func changeSetOf(s *stack, c call) (*changeSet, *Answer) {
	name := c.text("ChangeSetName")
	for _, set := range s.changeSets {
		if set.id == name || set.name == name {
			return set, nil
		}
	}
	return nil, &Answer{404, "ChangeSetNotFound", "ChangeSet [" + name + "] does not exist"}
}

// statusOf returns a change set's status, and the reason if it has failed.
func (a *AWS) statusOf(set *changeSet) (status, reason string) {
	switch {
	case a.now.Before(set.ready):
		return "CREATE_PENDING", ""
	case set.failure != "":
		return "FAILED", set.failure
	}
	return "CREATE_COMPLETE", ""
}

func (a *AWS) executeChangeSet(s *stack, c call) (result, *Answer) {
	set, problem := changeSetOf(s, c)
	if problem != nil {
		return nil, problem
	}
	switch status, _ := a.statusOf(set); {
	case status != "CREATE_COMPLETE":
		return nil, &Answer{400, "InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", set.id, status)}
	case s.inProgress() && s.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.ID, s.status)
	}
	clear(s.changeSets) // the others were made for what the stack no longer is
	s.token = c.text("ClientRequestToken")
	a.apply(s, set.want, set.imported, set.kind)
	return nil, nil
}

// deleteChangeSet is DeleteChangeSet, which succeeds even if there is none.
func (a *AWS) deleteChangeSet(s *stack, c call) (result, *Answer) {
	if set, problem := changeSetOf(s, c); problem == nil {
		delete(s.changeSets, set.name)
	}
	return nil, nil
}
