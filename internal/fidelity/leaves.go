// Package fidelity compares the objects of a release with those of upstream's
// manifests, by meaning and not by form.
//
// Every object is taken apart into leaves: paths with a value. Lists whose items
// have a natural key are addressed by it, so that order does not matter where
// the API server or the program that reads it does not care; rules of roles
// become the single rights they grant; files inside ConfigMaps are parsed; what
// the API server would fill in anyway is left out. Two objects mean the same
// when they have the same leaves.
//
// Upstream's leaves are kept as fingerprints (Facts), so that the comparison
// needs no copy of upstream's manifests. Differences on purpose are stated in a
// document (Reasons) that the comparison must match exactly.
package fidelity

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Leaves are the values of one object: path to canonical JSON.
type Leaves map[string]string

// ID names an object: Kind.group/namespace/name; the group is left out for the
// core API, the namespace is empty where there is none. The version is no part
// of it, since the server converts.
func ID(u *unstructured.Unstructured) string {
	gvk := u.GroupVersionKind()
	return gvk.GroupKind().String() + "/" + u.GetNamespace() + "/" + u.GetName()
}

// LeavesOf takes an object apart. The object is not changed.
func LeavesOf(u *unstructured.Unstructured) (Leaves, error) {
	object := u.DeepCopy().Object
	delete(object, "status")
	delete(object, "kind")
	if metadata, ok := object["metadata"].(map[string]any); ok {
		for _, key := range []string{"name", "namespace", "creationTimestamp"} {
			delete(metadata, key)
		}
	}
	if err := normalise(u.GetKind(), u.GetNamespace(), object); err != nil {
		return nil, fmt.Errorf("%s: %w", ID(u), err)
	}
	out := Leaves{}
	w := walker{leaves: out}
	if err := w.walk("", object); err != nil {
		return nil, fmt.Errorf("%s: %w", ID(u), err)
	}
	dropDefaults(u.GetKind(), out)
	return out, nil
}

// normalise rewrites the forms that mean the same, by kind.
func normalise(kind, namespace string, object map[string]any) error {
	switch kind {
	case "Secret":
		return secretText(object)
	case "ConfigMap":
		parseFiles(object)
	case "Role", "ClusterRole":
		object["rules"] = rights(object["rules"])
	case "RoleBinding", "ClusterRoleBinding":
		bindingDefaults(namespace, object)
	case "Service":
		serviceDefaults(object)
	case "CustomResourceDefinition":
		return definition(object)
	}
	for _, pod := range podSpecs(object) {
		podForms(pod)
	}
	return nil
}

// secretText merges data and stringData as the server does, decoded.
func secretText(object map[string]any) error {
	text := map[string]any{}
	if data, ok := object["data"].(map[string]any); ok {
		for key, value := range data {
			raw, err := base64.StdEncoding.DecodeString(fmt.Sprint(value))
			if err != nil {
				return fmt.Errorf("data %q: %w", key, err)
			}
			text[key] = string(raw)
		}
	}
	if data, ok := object["stringData"].(map[string]any); ok {
		for key, value := range data {
			text[key] = value
		}
	}
	delete(object, "stringData")
	object["data"] = text
	return nil
}

// parseFiles replaces files of a ConfigMap that are YAML or JSON documents, or
// lists of settings, by what they say.
func parseFiles(object map[string]any) {
	data, ok := object["data"].(map[string]any)
	if !ok {
		return
	}
	for key, value := range data {
		text, ok := value.(string)
		if !ok {
			continue
		}
		if strings.HasSuffix(key, ".cfg") || strings.HasSuffix(key, ".properties") || strings.HasSuffix(key, ".env") {
			data[key] = document{settings(text)}
			continue
		}
		var parsed any
		if err := yaml.Unmarshal([]byte(text), &parsed); err != nil {
			continue // a template, a picture: compared as text
		}
		switch parsed.(type) {
		case map[string]any, []any:
			data[key] = document{parsed}
		}
	}
}

// document is what a file says. Inside it the order of plain lists counts: it
// may be the order in which a person is shown choices.
type document struct{ content any }

// settings reads `key = value` lines; comments and blank lines say nothing. A
// value that opens a bracket goes on until the bracket is closed.
func settings(text string) map[string]any {
	out := map[string]any{}
	open, list := "", ""
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if open != "" {
			list += line
			if strings.HasSuffix(line, "]") {
				out[open], open = listSetting(list), ""
			}
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if strings.HasPrefix(value, "[") && !strings.HasSuffix(value, "]") {
			open, list = key, value
			continue
		}
		out[key] = listSetting(value)
	}
	if open != "" {
		out[open] = list // never closed: compared as it stands
	}
	return out
}

// listSetting parses a list of strings or numbers, and leaves any other value
// as it is.
func listSetting(value string) any {
	body, isList := strings.CutPrefix(value, "[")
	if !isList {
		return value
	}
	body = strings.TrimSpace(strings.TrimSuffix(body, "]"))
	var list []any
	if err := json.Unmarshal([]byte("["+strings.TrimSuffix(body, ",")+"]"), &list); err != nil {
		return value
	}
	return list
}

// rights turns the rules of a role into the rights they add up to.
func rights(rules any) map[string]any {
	out := map[string]any{}
	list, _ := rules.([]any)
	for _, entry := range list {
		rule, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		names := stringsOf(rule["resourceNames"])
		for _, verb := range stringsOf(rule["verbs"]) {
			for _, url := range stringsOf(rule["nonResourceURLs"]) {
				out[verb+" url "+url] = true
			}
			for _, group := range stringsOf(rule["apiGroups"]) {
				for _, name := range stringsOf(rule["resources"]) {
					target := name
					if group != "" {
						target += "." + group
					}
					if len(names) == 0 {
						out[verb+" "+target] = true
					}
					for _, only := range names {
						out[verb+" "+target+" "+only] = true
					}
				}
			}
		}
	}
	return out
}

// definition reduces each version's schema of a CustomResourceDefinition to one
// value, without prose, and fills in what the server derives from the names.
func definition(object map[string]any) error {
	spec, ok := object["spec"].(map[string]any)
	if !ok {
		return fmt.Errorf("no spec")
	}
	if names, ok := spec["names"].(map[string]any); ok {
		kind, _ := names["kind"].(string)
		if names["listKind"] == kind+"List" {
			delete(names, "listKind")
		}
		if names["singular"] == strings.ToLower(kind) {
			delete(names, "singular")
		}
	}
	versions, _ := spec["versions"].([]any)
	for _, entry := range versions {
		version, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		schema, err := json.Marshal(withoutProse(version["schema"], false))
		if err != nil {
			return err
		}
		version["schema"] = string(schema)
		columns, _ := version["additionalPrinterColumns"].([]any)
		for _, entry := range columns {
			if column, ok := entry.(map[string]any); ok {
				delete(column, "description")
			}
		}
	}
	return nil
}

// withoutProse drops descriptions of a schema. Inside "properties" a key is the
// name of a field, which may well be "description".
func withoutProse(value any, fields bool) any {
	switch value := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(value))
		for key, inner := range value {
			if _, text := inner.(string); text && !fields && (key == "description" || key == "title") {
				continue
			}
			out[key] = withoutProse(inner, !fields && key == "properties")
		}
		return out
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = withoutProse(inner, false)
		}
		return out
	}
	return value
}

// podSpecs finds the pod of a workload.
func podSpecs(object map[string]any) []map[string]any {
	if template, ok, _ := unstructured.NestedMap(object, "spec", "template", "spec"); ok && template["containers"] != nil {
		pod, _ := object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		return []map[string]any{pod}
	}
	return nil
}

// podForms rewrites a pod's aliases, quantities and image pull policies.
func podForms(pod map[string]any) {
	if pod["serviceAccountName"] == nil && pod["serviceAccount"] != nil {
		pod["serviceAccountName"] = pod["serviceAccount"]
	}
	delete(pod, "serviceAccount") // the deprecated name of the same field
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := pod[list].([]any)
		for _, entry := range containers {
			container, ok := entry.(map[string]any)
			if !ok {
				continue
			}
			numberPorts(container)
			image, _ := container["image"].(string)
			policy := "IfNotPresent"
			if strings.HasSuffix(image, ":latest") || !strings.Contains(image[strings.LastIndex(image, "/")+1:], ":") {
				policy = "Always"
			}
			if container["imagePullPolicy"] == policy {
				delete(container, "imagePullPolicy")
			}
			if resources, ok := container["resources"].(map[string]any); ok {
				for _, bound := range []string{"requests", "limits"} {
					amounts, _ := resources[bound].(map[string]any)
					for name, amount := range amounts {
						if q, err := resource.ParseQuantity(fmt.Sprint(amount)); err == nil {
							amounts[name] = q.String()
						}
					}
				}
			}
		}
	}
}

// numberPorts resolves the port names that a container's probes use: the name
// and the number are the same port.
func numberPorts(container map[string]any) {
	numbers := map[any]any{}
	ports, _ := container["ports"].([]any)
	for _, entry := range ports {
		if port, ok := entry.(map[string]any); ok && port["name"] != nil {
			numbers[port["name"]] = port["containerPort"]
		}
	}
	for _, probe := range []string{"livenessProbe", "readinessProbe", "startupProbe"} {
		actions, _ := container[probe].(map[string]any)
		for _, action := range []string{"httpGet", "tcpSocket"} {
			target, _ := actions[action].(map[string]any)
			if number, named := numbers[target["port"]]; named {
				target["port"] = number
			}
		}
	}
}

func stringsOf(list any) []string {
	items, _ := list.([]any)
	out := make([]string, 0, len(items))
	for _, item := range items {
		out = append(out, fmt.Sprint(item))
	}
	return out
}
