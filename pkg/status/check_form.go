package status

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/components"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/notebooks/form"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// checkForm: images of the form that no node can run, and objects of people by which the web
// app's pages fail for everybody in a namespace.
func checkForm(s *Snapshot) []report.Cause {
	if s.Component("jupyter-web-app") == nil {
		return nil
	}
	return slices.Concat(s.formImages(), s.brokenLists(), s.brokenConfigurations())
}

// formImages are images that are made for other processors than those of all nodes.
func (s *Snapshot) formImages() []report.Cause {
	var nodes []string
	for _, n := range s.All("", "Node") {
		arch := n.GetLabels()[corev1.LabelArchStable]
		if arch == "" || arch == "amd64" {
			return nil // it may run them
		}
		nodes = append(nodes, fmt.Sprintf("node %s: %s", n.GetName(), arch))
	}
	if len(nodes) == 0 {
		return nil
	}
	object, f := s.form()
	if f == nil {
		return nil
	}
	var only []string
	for _, image := range slices.Concat(f.Jupyter.Options, f.Code.Options, f.RStudio.Options) {
		if components.AMD64Only(image) && !slices.Contains(only, image) {
			only = append(only, image)
		}
	}
	if len(only) == 0 {
		return nil
	}
	evidence := append(slices.Clip(only), nodes[:min(len(nodes), evidenceOfForm)]...)
	return []report.Cause{{
		Name: diagnose.WrongArchitecture, Severity: report.Warning, Component: "jupyter-web-app", Object: cluster.RefOf(object),
		Summary:  fmt.Sprintf("%s in the form for new notebooks can run on no node: built for amd64 only", report.Count(len(only), "image")),
		Evidence: evidence,
		Remedy:   "offer other images: kubectl jupyter notebook form set --image REF; or add nodes with amd64",
	}}
}

// evidenceOfForm bounds what is listed.
const evidenceOfForm = 5

// form is what the web app offers, as it is to be.
func (s *Snapshot) form() (*unstructured.Unstructured, *form.Form) {
	for _, r := range s.Expected {
		for _, u := range r.Objects {
			if u.GetKind() != "ConfigMap" {
				continue
			}
			if f, err := form.InConfigMap(u); err == nil {
				return u, f
			}
		}
	}
	return nil, nil
}

// brokenLists are Notebooks without a field that the web app takes for granted: its list of
// the namespace fails for everybody. The web app makes none, kubectl does.
func (s *Snapshot) brokenLists() []report.Cause {
	var causes []report.Cause
	for _, u := range s.All("kubeflow.org", "Notebook") {
		lacks := lacking(u)
		if len(lacks) == 0 || u.GetDeletionTimestamp() != nil {
			continue
		}
		causes = append(causes, report.Cause{
			Name: diagnose.NotebookBreaksList, Severity: report.Warning, Component: "jupyter-web-app", Object: cluster.RefOf(u),
			Summary:  "Notebooks without fields that the web app needs: its list of notebooks fails in their namespaces",
			Evidence: []string{fmt.Sprintf("Notebook %s/%s: the first container has no %s", u.GetNamespace(), u.GetName(), strings.Join(lacks, ", "))},
			Remedy:   "add the fields: kubectl -n NAMESPACE edit notebook NAME",
		})
	}
	return causes
}

// lacking names the fields of a Notebook that the web app reads without looking whether they
// are there.
func lacking(u *unstructured.Unstructured) []string {
	containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
	var first map[string]any
	if len(containers) > 0 {
		first, _ = containers[0].(map[string]any)
	}
	var lacks []string
	for _, path := range [][]string{{"resources", "requests", "cpu"}, {"resources", "requests", "memory"}, {"volumeMounts"}} {
		if value, ok, _ := unstructured.NestedFieldNoCopy(first, path...); !ok || value == nil {
			lacks = append(lacks, strings.Join(path, "."))
		}
	}
	return lacks
}

// brokenConfigurations are PodDefaults without matchLabels: the form cannot list the
// configurations of their namespaces.
func (s *Snapshot) brokenConfigurations() []report.Cause {
	var causes []report.Cause
	for _, u := range s.All("kubeflow.org", "PodDefault") {
		labels, _, _ := unstructured.NestedMap(u.Object, "spec", "selector", "matchLabels")
		if len(labels) > 0 || u.GetDeletionTimestamp() != nil {
			continue
		}
		causes = append(causes, report.Cause{
			Name: diagnose.PodDefaultBreaksForm, Severity: report.Warning, Component: "jupyter-web-app", Object: cluster.RefOf(u),
			Summary:  "PodDefaults without matchLabels: the form for new notebooks shows no configurations in their namespaces",
			Evidence: []string{fmt.Sprintf("PodDefault %s/%s: spec.selector has no matchLabels", u.GetNamespace(), u.GetName())},
			Remedy:   "select by labels: kubectl -n NAMESPACE edit poddefaults.kubeflow.org NAME",
		})
	}
	return causes
}
