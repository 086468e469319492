package status

import (
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/diagnose"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// answeredLine is a line of the gateway's log about a notebook.
func answeredLine(minute int, path, result string) string {
	return fmt.Sprintf(`[2026-03-01T11:%02d:00.000Z] "GET %s HTTP/1.1" %s - "-" 0 145 12 - "192.0.2.7" "Mozilla/5.0" "-" "203.0.113.5" "10.0.0.12:8888" outbound|80||nb.team.svc.cluster.local - 10.0.0.9:8080 192.0.2.7:51842 - -`, minute, path, result)
}

const (
	refusedConnection = "503 UF,URX upstream_reset_before_response_started{connection_failure}"
	sidecarsAnswer    = "503 - via_upstream"
)

func TestANotebookThatRunsAndDoesNotAnswerIsNamed(t *testing.T) {
	const runs, starts = 1, 0
	pod := func(ready string) string {
		return `{metadata: {namespace: team, name: nb-0, labels: {notebook-name: nb}}, status: {conditions: [{type: Ready, status: "True", lastTransitionTime: "2026-03-01T` + ready + `Z"}]}}`
	}
	for _, c := range []struct {
		name     string
		notebook int64
		pod      string
		lines    []string
		says     string
	}{
		{"nobody listens on the port, in the gateway's words", runs, pod("11:00:00"), []string{answeredLine(58, "/notebook/team/nb/lab", refusedConnection)}, "connection_failure"},
		{"nobody listens on the port, and the sidecar says so", runs, pod("11:00:00"), []string{
			answeredLine(57, "/notebook/team/nb/lab", sidecarsAnswer), answeredLine(58, "/notebook/team/nb/lab", sidecarsAnswer),
		}, "2 times"},
		{"it answers by now", runs, pod("11:00:00"), []string{answeredLine(57, "/notebook/team/nb/lab", refusedConnection), answeredLine(58, "/notebook/team/nb/lab", "200 - via_upstream")}, ""},
		{"it had just started", runs, pod("11:57:30"), []string{answeredLine(58, "/notebook/team/nb/lab", refusedConnection)}, ""},
		{"it does not run, which is told otherwise", starts, pod("11:00:00"), []string{answeredLine(58, "/notebook/team/nb/lab", refusedConnection)}, ""},
		{"it is not there any more", -1, "", []string{answeredLine(58, "/notebook/team/nb/lab", refusedConnection)}, ""},
		{"it had no ready pod at the time", runs, pod("11:00:00"), []string{answeredLine(58, "/notebook/team/nb/lab", "503 UH no_healthy_upstream")}, ""},
		{"an error of the program's own", runs, pod("11:00:00"), []string{answeredLine(58, "/notebook/team/nb/lab", "500 - via_upstream")}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lookedAt(t, "")
			if c.notebook >= 0 {
				s.Objects = append(s.Objects, object("Notebook", "team", "nb", map[string]any{"status": map[string]any{"readyReplicas": c.notebook}}))
			}
			if c.pod != "" {
				var p corev1.Pod
				if err := yaml.Unmarshal([]byte(c.pod), &p); err != nil {
					t.Fatal(err)
				}
				s.MeshPods = []corev1.Pod{p}
			}
			s.Logs = []Log{{Namespace: "istio-system", Pod: "gateway", Container: "istio-proxy", Lines: c.lines}}
			causes := checkSilent(s)
			if c.says == "" {
				if len(causes) > 0 {
					t.Errorf("nothing is wrong, and yet: %+v", causes)
				}
				return
			}
			wantCause(t, causes, diagnose.NotebookUnreachable, report.Warning, c.says, "notebook team/nb", "NB_PREFIX")
		})
	}
}

func TestFiltersOfOthersThatDecideAtTheGatewayAreNamed(t *testing.T) {
	text, err := os.ReadFile("testdata/authn-filter.yaml")
	if err != nil {
		t.Fatal(err)
	}
	filter := string(text)
	const service = "\n---\n{apiVersion: v1, kind: Service, metadata: {namespace: istio-system, name: authservice}}"
	asked := Read{Kind: "Service", Namespace: "istio-system", Name: "authservice"}
	for _, c := range []struct {
		name, objects string
		severity      report.Severity
		says          []string
	}{
		{"Kubeflow's authservice is gone, and its filter is not", filter, report.Error, []string{"does not exist", "Service istio-system/authservice: not found", "delete envoyfilter authn-filter"}},
		{"Kubeflow's authservice asks for a second login", filter + service, report.Warning, []string{"adds envoy.filters.http.ext_authz", "asks Service istio-system/authservice"}},
		{"another gateway's filter", strings.Replace(filter, "configPatches:", "workloadSelector: {labels: {istio: other}}\n  configPatches:", 1), 0, nil},
		{"a filter for sidecars", strings.Replace(filter, "GATEWAY", "SIDECAR_INBOUND", 1), 0, nil},
		{"a filter that counts", strings.ReplaceAll(strings.ReplaceAll(filter, "ext_authz", "local_ratelimit"), "ExtAuthz", "LocalRateLimit"), 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := whole(t)
			s.Reads = append(s.Reads, asked)
			for _, doc := range strings.Split(c.objects, "\n---\n") {
				u := &unstructured.Unstructured{}
				if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
					t.Fatal(err)
				}
				s.Objects = append(s.Objects, u)
			}
			s.index = nil
			causes := checkFilters(s)
			if c.says == nil {
				if len(causes) > 0 {
					t.Errorf("causes: %+v", causes)
				}
				return
			}
			wantCause(t, causes, diagnose.StrangeFilter, c.severity, c.says...)
			s.Logs = []Log{{Namespace: "istio-system", Pod: "gateway", Container: "istio-proxy", Lines: []string{checkLine}}}
			if blamed := causeOf(checkLogs(s), diagnose.OAuth2ProxyUnreachable); blamed != nil && c.severity == report.Error {
				t.Errorf("oauth2-proxy is blamed for what authservice does not answer: %+v", blamed)
			}
		})
	}
}
