package stacktest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// call is a request of the query protocol: a form.
type call struct {
	action string
	form   url.Values
}

func (c call) text(name string) string { return c.form.Get(name) }

// list is NAME.member.1, NAME.member.2 and so on.
func (c call) list(name string) (all []string) {
	for n := 1; ; n++ {
		v := c.form.Get(name + ".member." + strconv.Itoa(n))
		if v == "" {
			return all
		}
		all = append(all, v)
	}
}

// pairs is a list of keys with their values.
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

// writeXML answers with what an action returned: a struct whose fields are members of the result, or an error.
func writeXML(w http.ResponseWriter, namespace, action string, result any, err error) {
	status := http.StatusOK
	var text []byte
	var problem *Answer
	w.Header().Set("Content-Type", "text/xml")
	switch {
	case errors.As(err, &problem):
		status = problem.Status
		text, err = xml.Marshal(struct {
			XMLName xml.Name `xml:"ErrorResponse"`
			Type    string   `xml:"Error>Type"`
			Code    string   `xml:"Error>Code"`
			Message string   `xml:"Error>Message"`
			ID      string   `xml:"RequestId"`
		}{Type: "Sender", Code: problem.Code, Message: problem.Message, ID: "TEST"})
	case err == nil:
		var inner bytes.Buffer
		if result == nil {
			result = struct{}{}
		}
		err = xml.NewEncoder(&inner).EncodeElement(result, xml.StartElement{Name: xml.Name{Local: action + "Result"}})
		text = fmt.Appendf(nil, "<%[1]sResponse xmlns=%[2]q>%[3]s<ResponseMetadata><RequestId>TEST</RequestId></ResponseMetadata></%[1]sResponse>",
			action, namespace, inner.Bytes())
	}
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(err.Error())
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone reads nothing
}

// stamp is an instant as the query protocol has it.
type stamp struct{ time.Time }

// MarshalXML leaves the zero time out.
func (s stamp) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if s.IsZero() {
		return nil
	}
	return e.EncodeElement(s.UTC().Format("2006-01-02T15:04:05.000Z"), start)
}

// keyed is a parameter, a tag or an output.
type keyed struct {
	ParameterKey   string `xml:",omitempty"`
	ParameterValue *string
	Key            string `xml:",omitempty"`
	Value          *string
	OutputKey      string `xml:",omitempty"`
	OutputValue    *string
}
