package stacktest

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is a request of the query protocol, which is a form.
type call struct {
	action string
	url.Values
}

// pairs returns two members of each entry in a list. The member "" is the entry itself, if it is a text.
func (c call) pairs(name, key, value string) map[string]string {
	all := map[string]string{}
	for n := 1; ; n++ {
		prefix := fmt.Sprintf("%s.member.%d", name, n)
		k := c.Get(prefix + key)
		if k == "" {
			return all
		}
		all[k] = c.Get(prefix + value)
	}
}

// set returns the entries of a list of texts.
func (c call) set(name string) map[string]string { return c.pairs(name, "", "") }

// queryRequests returns what IAM authorizes of a request to CloudFormation or STS.
func queryRequests(c call) []Request {
	service, resource := "cloudformation:", cmp.Or(c.Get("StackName"), "*")
	if c.action == "GetCallerIdentity" {
		service = "sts:"
	}
	if resource != "*" && !strings.HasPrefix(resource, "arn:") {
		resource = "arn:aws:cloudformation:" + Region + ":" + Account + ":stack/" + resource + "/00000000-0000-4000-8000-000000000000"
	}
	all := []Request{{Action: service + c.action, Resource: resource}}
	if c.Get("Tags.member.1.Key") != "" {
		all = append(all, Request{Action: "cloudformation:TagResource", Resource: resource})
	}
	return all
}

// result is what a service answers, by the names of its members. What is zero is left out, except for pointers. A slice
// becomes several elements of the same name, as in answers of S3.
type result map[string]any

// members is a list in an answer of CloudFormation.
type members struct {
	All []result `xml:"member"`
}

// MarshalXML implements [xml.Marshaler].
func (r result) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	err := e.EncodeToken(start)
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if v := r[name]; v != any("") && v != any(time.Time{}) {
			err = errors.Join(err, e.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: name}}))
		}
	}
	return errors.Join(err, e.EncodeToken(start.End()))
}

// writeXML answers a request with one element.
func writeXML(w http.ResponseWriter, status int, name string, r result) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).EncodeElement(r, xml.StartElement{Name: xml.Name{Local: name}}) // a client that has gone reads nothing
}

// pairsOf returns a map as a list of keys and values.
func pairsOf(all map[string]string, key, value string) (list members) {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		list.All = append(list.All, result{key: k, value: new(all[k])})
	}
	return list
}

// page describes a part of a list as AWS cuts it: the token is where the next page begins.
func page[T any](a *AWS, c call, all []T, describe func(T) result) (some members, next string) {
	from, _ := strconv.Atoi(c.Get("NextToken"))
	to := min(from+a.pageSize, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	for _, item := range all[min(from, to):to] {
		some.All = append(some.All, describe(item))
	}
	return some, next
}
