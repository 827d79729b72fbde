package stacktest

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// call is a request of the query protocol, which is a form.
type call struct {
	action string
	form   url.Values
}

func (c call) text(name string) string { return c.form.Get(name) }

// list returns NAME.member.1, NAME.member.2 and so on.
func (c call) list(name string) (all []string) {
	for n := 1; ; n++ {
		v := c.form.Get(name + ".member." + strconv.Itoa(n))
		if v == "" {
			return all
		}
		all = append(all, v)
	}
}

// pairs returns a list of keys with their values.
func (c call) pairs(name, key, value string) map[string]string {
	all := map[string]string{}
	for n := 1; ; n++ {
		prefix := name + ".member." + strconv.Itoa(n) + "."
		k := c.form.Get(prefix + key)
		if k == "" {
			return all
		}
		all[k] = c.form.Get(prefix + value)
	}
}

// result is what an action answers, by the names of its members: texts, numbers, booleans, times, and lists of results.
// What is zero is left out.
type result map[string]any

// write appends the members as XML, in order.
func (r result) write(b *bytes.Buffer) {
	for _, name := range sorted(slices.Collect(maps.Keys(r))) {
		switch v := r[name].(type) {
		case []result:
			element(b, name, func() {
				for _, item := range v {
					element(b, "member", func() { item.write(b) })
				}
			})
		case result:
			element(b, name, func() { v.write(b) })
		case time.Time:
			if !v.IsZero() {
				element(b, name, func() { b.WriteString(v.UTC().Format("2006-01-02T15:04:05.000Z")) })
			}
		case *string: // which is there even if it is empty
			element(b, name, func() { escape(b, *v) })
		default:
			if v != "" {
				element(b, name, func() { escape(b, fmt.Sprint(v)) })
			}
		}
	}
}

func element(b *bytes.Buffer, name string, content func()) {
	b.WriteString("<" + name + ">")
	content()
	b.WriteString("</" + name + ">")
}

func escape(b *bytes.Buffer, value string) { _ = xml.EscapeText(b, []byte(value)) } // a buffer takes all

// writeXML answers with what an action returned.
func writeXML(w http.ResponseWriter, action string, r result, err error) {
	var b bytes.Buffer
	var problem *Answer
	switch {
	case errors.As(err, &problem):
		element(&b, "ErrorResponse", func() {
			result{"Error": result{"Type": "Sender", "Code": problem.Code, "Message": problem.Message}, "RequestId": "TEST"}.write(&b)
		})
		writeText(w, problem.Status, b.String())
	case err != nil:
		writeText(w, http.StatusInternalServerError, err.Error())
	default:
		element(&b, action+"Response", func() { result{action + "Result": r, "ResponseMetadata": result{"RequestId": "TEST"}}.write(&b) })
		writeText(w, http.StatusOK, b.String())
	}
}

// pairsOf returns a map as a list of keys and values.
func pairsOf(all map[string]string, key, value string) (list []result) {
	for _, k := range sorted(slices.Collect(maps.Keys(all))) {
		list = append(list, result{key: k, value: new(all[k])})
	}
	return list
}

func sorted[T cmp.Ordered](all []T) []T {
	slices.Sort(all)
	return all
}

// page describes a part of a list as AWS cuts it: the token is where the next page begins.
func page[T any](a *AWS, c call, all []T, describe func(T) result) (some []result, next string) {
	from, _ := strconv.Atoi(c.text("NextToken"))
	to := min(from+a.pageSize, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	for _, item := range all[min(from, to):to] {
		some = append(some, describe(item))
	}
	return some, next
}
