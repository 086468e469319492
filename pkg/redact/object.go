package redact

import (
	"encoding/base64"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Counts says how often something was taken out, by the reason.
type Counts map[string]int

// Reasons of Counts.
const (
	SecretValues = "values of Secrets"
	EnvValues    = "values of environment variables"
	NamedValues  = "values whose names tell of credentials"
	Texts        = "texts with something that looks like a credential, or is a known one"
	Binary       = "binary values of ConfigMaps"
	Certificates = "certificates, summed up"
	LastApplied  = "last applied configurations"
)

// LearnFrom takes up the values of a Secret, and of any object the values of variables
// and configuration entries whose names tell that they are credentials.
func (k *Known) LearnFrom(u *unstructured.Unstructured) {
	k.Name(u.GetName())
	if u.GetKind() == "Secret" {
		data, _, _ := unstructured.NestedMap(u.Object, "data")
		for _, v := range data {
			text, _ := v.(string)
			if value, err := base64.StdEncoding.DecodeString(text); err == nil {
				k.Learn(string(value))
			}
		}
		return
	}
	k.learn(u.Object)
	if u.GetKind() == "ConfigMap" {
		data, _, _ := unstructured.NestedMap(u.Object, "data")
		for _, v := range data {
			if text, _ := v.(string); secretWord.MatchString(text) {
				var parsed any
				if yaml.Unmarshal([]byte(text), &parsed) == nil {
					k.learn(parsed)
				}
			}
		}
	}
}

// learn walks whatever YAML can hold.
func (k *Known) learn(v any) {
	switch v := v.(type) {
	case map[string]any:
		if name, _ := v["name"].(string); SecretName(name) {
			k.learnValue(v["value"])
		}
		for key, child := range v {
			if SecretName(key) {
				k.learnValue(child)
			}
			k.learn(child)
		}
	case []any:
		for _, child := range v {
			k.learn(child)
		}
	}
}

func (k *Known) learnValue(v any) {
	if text, ok := v.(string); ok && !harmless.MatchString(text) {
		k.Learn(text)
	}
}

// Object takes out of an object what is a credential, looks like one, or is only noise
// in a report: managed fields and the last applied configuration. Of Secrets the keys
// and the lengths stay, of environment variables the names.
func Object(u *unstructured.Unstructured, known *Known, counts Counts) {
	u.SetManagedFields(nil)
	if a := u.GetAnnotations(); a["kubectl.kubernetes.io/last-applied-configuration"] != "" {
		delete(a, "kubectl.kubernetes.io/last-applied-configuration")
		u.SetAnnotations(a)
		counts[LastApplied]++
	}
	o := objectRedactor{known, counts, u.GetKind() == "ConfigMap"}
	switch u.GetKind() {
	case "Secret":
		o.lengths(u.Object, "data", SecretValues)
		o.lengths(u.Object, "stringData", SecretValues)
	case "ConfigMap":
		o.lengths(u.Object, "binaryData", Binary)
	}
	for key, child := range u.Object {
		if u.GetKind() == "Secret" && (key == "data" || key == "stringData") {
			continue
		}
		u.Object[key] = o.value(key, child)
	}
}

type objectRedactor struct {
	known  *Known
	counts Counts
	// config: strings are files, not sentences of Kubernetes.
	config bool
}

// lengths replaces the values of a map of strings by their sizes in bytes, and whatever
// else stands in its place by Mark.
func (o objectRedactor) lengths(object map[string]any, field, reason string) {
	data, ok := object[field].(map[string]any)
	if !ok && object[field] != nil {
		object[field] = Mark
		o.counts[reason]++
	}
	for key, v := range data {
		text, _ := v.(string)
		n := len(text)
		if field != "stringData" {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
				n = len(raw)
			}
		}
		data[key] = fmt.Sprintf("[%d bytes]", n)
		o.counts[reason]++
	}
}

func (o objectRedactor) value(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			if k == "env" {
				o.env(child)
			}
			v[k] = o.value(k, child)
		}
		return v
	case []any:
		for i := range v {
			v[i] = o.value("", v[i])
			// Of --password VALUE the second word is the password.
			if i > 0 && (key == "args" || key == "command") && o.flag(v[i-1]) {
				v[i] = o.take(v[i])
			}
		}
		return v
	case string:
		if SecretName(key) && !harmless.MatchString(v) {
			return o.take(v)
		}
		return o.text(v)
	}
	return v
}

func (o objectRedactor) flag(v any) bool {
	word, _ := v.(string)
	return strings.HasPrefix(word, "-") && !strings.ContainsAny(word, "= ") && SecretName(word)
}

func (o objectRedactor) take(v any) any {
	o.counts[NamedValues]++
	return Mark
}

func (o objectRedactor) env(v any) {
	variables, _ := v.([]any)
	for _, item := range variables {
		variable, _ := item.(map[string]any)
		if value := variable["value"]; value != nil && value != "" {
			variable["value"] = Mark
			o.counts[EnvValues]++
		}
	}
}

func (o objectRedactor) text(s string) string {
	if summary, ok := certificates(s); ok {
		o.counts[Certificates]++
		return summary
	}
	clean := o.known.Replace(s)
	if o.config {
		clean = Log(clean)
	} else {
		clean = Message(clean)
	}
	if clean != s {
		o.counts[Texts]++
	}
	return clean
}

// Values takes known values and what looks like a credential out of every string of a
// document that is not an object of Kubernetes, such as a report.
func Values(v any, known *Known, counts Counts) any {
	o := objectRedactor{known: known, counts: counts}
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			v[k] = Values(child, known, counts)
		}
		return v
	case []any:
		for i := range v {
			v[i] = Values(v[i], known, counts)
		}
		return v
	case string:
		return o.text(v)
	}
	return v
}
