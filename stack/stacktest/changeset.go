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
	name, id, kind, token string
	status, reason        string
	execution             string
	given                 given
	future                *stack
	changes               []change
	imported              map[string]bool
	onFailure             string
	created               time.Time
	ready                 time.Time
	verdict               string // why it will have failed when it is ready; "": it has not
}

// change is what is done to one resource.
type change struct {
	action, logical, physical, kind string
	replacement                     string
	scope                           []string
	properties                      []string
}

// createChangeSet is CreateChangeSet.
func (a *AWS) createChangeSet(c call) (any, error) {
	name, kind := c.text("StackName"), c.text("ChangeSetType")
	s := a.find(name)
	switch fresh := s == nil || s.status == "REVIEW_IN_PROGRESS"; {
	case kind == "CREATE" && !fresh:
		return nil, &Answer{400, "AlreadyExistsException", fmt.Sprintf("Stack [%s] already exists and cannot be created again with the changeSet [%s].", name, c.text("ChangeSetName"))}
	case kind != "CREATE" && s == nil && kind != "IMPORT":
		return nil, invalid("Stack [%s] does not exist", name)
	case !fresh && (s.inProgress() || strings.HasPrefix(s.status, "ROLLBACK_") || strings.HasSuffix(s.status, "_FAILED")):
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.id, s.status)
	}
	g, err := a.gather(c, s)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = a.newStack(name)
		a.note(s, "", "REVIEW_IN_PROGRESS", "User Initiated")
	}
	if same := s.changeSets[c.text("ChangeSetName")]; same != nil && same.token != "" && same.token == c.text("ClientToken") {
		return changeSetIDs{same.id, s.id}, nil // it is sent again
	} else if same != nil {
		return nil, &Answer{400, "AlreadyExistsException", fmt.Sprintf("ChangeSet %s already exists", c.text("ChangeSetName"))}
	}
	set := &changeSet{
		name: c.text("ChangeSetName"), kind: kind, token: c.text("ClientToken"), status: "CREATE_PENDING", execution: "UNAVAILABLE",
		given: g, future: g.future(s), imported: map[string]bool{}, onFailure: c.text("OnStackFailure"),
		created: a.now(), ready: a.now().Add(a.pace),
	}
	set.id = strings.Replace(s.id, ":stack/"+s.name, ":changeSet/"+set.name, 1)
	if err := a.judge(c, s, set); err != nil {
		return nil, err
	}
	s.changeSets[set.name] = set
	return changeSetIDs{set.id, s.id}, nil
}

// changeSetIDs is what CreateChangeSet returns.
type changeSetIDs struct{ Id, StackId string }

// judge finds out what a change set does, and whether it can be executed.
func (a *AWS) judge(c call, s *stack, set *changeSet) error {
	for n := 1; c.text(fmt.Sprintf("ResourcesToImport.member.%d.LogicalResourceId", n)) != ""; n++ {
		set.imported[c.text(fmt.Sprintf("ResourcesToImport.member.%d.LogicalResourceId", n))] = true
	}
	for _, logical := range set.future.order {
		r := set.future.resources[logical]
		if s.resources[logical] == nil && a.kept(r) {
			if c.text("ImportExistingResources") == "true" {
				set.imported[logical] = true
			} else if !set.imported[logical] && a.early {
				set.verdict = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. " +
					"To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
			}
		}
		if set.imported[logical] && r.deletion == "" {
			return invalid("Resources %s is missing DeletionPolicy attribute. All resources to import must have a DeletionPolicy attribute.", logical)
		}
	}
	set.changes = changesOf(s, set.future, set.imported)
	if a.rejection != "" {
		set.verdict, a.rejection = a.rejection, ""
	}
	same := maps.Equal(s.tags, set.future.tags) && maps.Equal(s.outputs(), set.future.outputs()) && s.template != nil
	if len(set.changes) == 0 && same {
		if a.noUpdates {
			return invalid("No updates are to be performed.")
		}
		set.verdict = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	return nil
}

// settle is the change set as it has become by now.
func (a *AWS) settle(set *changeSet) {
	if set.status != "CREATE_PENDING" || a.now().Before(set.ready) {
		return
	}
	set.status, set.execution = "CREATE_COMPLETE", "AVAILABLE"
	if set.verdict != "" {
		set.status, set.execution, set.reason = "FAILED", "UNAVAILABLE", set.verdict
	}
}

// differing are the names of the properties, given as JSON, that are not the same.
func differing(before, after string) []string {
	b, a := (&resource{properties: before}).values(), (&resource{properties: after}).values()
	names := map[string]bool{}
	for name := range b {
		names[name] = !reflect.DeepEqual(b[name], a[name])
	}
	for name := range a {
		names[name] = !reflect.DeepEqual(b[name], a[name])
	}
	maps.DeleteFunc(names, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(names))
}

// taggable are kinds that get the stack's tags.
var taggable = []string{"AWS::DynamoDB::Table", "AWS::Lambda::Function", "AWS::IAM::Role", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}

// changesOf are the differences between a stack and its future.
func changesOf(s, future *stack, imported map[string]bool) (changes []change) {
	retagged := !maps.Equal(s.tags, future.tags)
	for _, logical := range future.order {
		after, before := future.resources[logical], s.resources[logical]
		if before == nil {
			action, physical := "Add", ""
			if imported[logical] {
				action, physical = "Import", after.physical
			}
			changes = append(changes, change{action: action, logical: logical, physical: physical, kind: after.kind})
			continue
		}
		ch := change{action: "Modify", logical: logical, physical: before.physical, kind: after.kind, replacement: "False"}
		if before.properties != after.properties {
			ch.scope, ch.properties = append(ch.scope, "Properties"), differing(before.properties, after.properties)
			replacing, _ := Replaces(after.kind)
			if slices.ContainsFunc(replacing, func(name string) bool { return slices.Contains(ch.properties, name) }) {
				ch.replacement = "True"
			}
		}
		if retagged && slices.Contains(taggable, after.kind) {
			ch.scope = append(ch.scope, "Tags")
		}
		if len(ch.scope) > 0 {
			changes = append(changes, ch)
		}
	}
	for _, logical := range slices.Backward(s.order) {
		if r := s.resources[logical]; future.resources[logical] == nil {
			changes = append(changes, change{action: "Remove", logical: logical, physical: r.physical, kind: r.kind})
		}
	}
	return changes
}

func (a *AWS) changeSet(c call) (*stack, *changeSet, error) {
	name := c.text("ChangeSetName")
	for _, s := range slices.Backward(a.stacks) {
		for _, set := range s.changeSets {
			if set.id == name || set.name == name && (c.text("StackName") == s.name || c.text("StackName") == s.id) {
				a.settle(set)
				return s, set, nil
			}
		}
	}
	return nil, nil, &Answer{404, "ChangeSetNotFound", "ChangeSet [" + name + "] does not exist"}
}

// executeChangeSet is ExecuteChangeSet.
func (a *AWS) executeChangeSet(c call) (any, error) {
	s, set, err := a.changeSet(c)
	switch {
	case err != nil && a.executed(c):
		return nil, nil // it is sent again
	case err != nil:
		return nil, err
	case set.status != "CREATE_COMPLETE":
		return nil, &Answer{400, "InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", set.id, set.status)}
	case s.inProgress() && s.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.id, s.status)
	}
	clear(s.changeSets) // those that were made for what is no more
	s.token, s.executed = c.text("ClientRequestToken"), c.text("ChangeSetName")
	if set.kind == "CREATE" {
		a.create(s, set.future, set.imported, set.onFailure)
	} else {
		a.update(s, set.future, set.imported, set.kind)
	}
	return nil, nil
}

// executed tells whether the same request was made before.
func (a *AWS) executed(c call) bool {
	token := c.text("ClientRequestToken")
	return token != "" && slices.ContainsFunc(a.stacks, func(s *stack) bool { return s.token == token && s.executed == c.text("ChangeSetName") })
}

// deleteChangeSet is DeleteChangeSet.
func (a *AWS) deleteChangeSet(c call) (any, error) {
	s, set, err := a.changeSet(c)
	if err == nil {
		delete(s.changeSets, set.name)
	} else if a.find(c.text("StackName")) != nil {
		err = nil // as AWS has it
	}
	return nil, err
}
