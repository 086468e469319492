package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, doc := range strings.Split(text, "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		all = append(all, u)
	}
	return all
}

// Values that are planted wherever people put such things.
const (
	inSecret     = "valueOfASecret!"
	inVariable   = "valueOfAVariable"
	inConfig     = "valueInAConfigFile"
	inAnnotation = "valueInLastApplied"
	inLog        = "valueInALogOnly"
	inStore      = "valueInDexsStore"
	ofAPerson    = "valueOfAPersonsSecret"
	bcryptHash   = "$2y$12$4K/VkmDd1q1Orb3xAt82zu8gk7Ad6ReFR4LCP9UeYE90NLiN9Df72"
)

func planted() []string {
	all := []string{inSecret, inVariable, inConfig, inAnnotation, inLog, inStore, ofAPerson, bcryptHash}
	for _, v := range slices.Clone(all) {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(v)), strings.TrimRight(base64.RawStdEncoding.EncodeToString([]byte("user:" + v))[8:], "=")[:8])
	}
	return all
}

func coded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func stack(t *testing.T) *recorded {
	return &recorded{
		objects: objects(t, `
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: auth}
data: {password: `+coded(inSecret)+`, hash: `+coded(bcryptHash)+`}
---
apiVersion: v1
kind: Secret
metadata: {name: private, namespace: kubeflow-jane}
data: {password: `+coded(ofAPerson)+`}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: dex
  namespace: auth
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"data":"`+inAnnotation+`"}'}
data:
  config.yaml: |
    issuer: http://dex
    staticClients:
    - id: web
      secret: `+inConfig+`
    staticPasswords:
    - hash: `+bcryptHash+`
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dex, namespace: auth, annotations: {note: "uses `+inSecret+`"}}
spec: {template: {spec: {containers: [{name: dex, args: [--v=1], env: [{name: DB_PASSWORD, value: `+inVariable+`}, {name: LEVEL, value: debugging}]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: dex-1, namespace: auth}
spec: {containers: [{name: dex}]}
status: {containerStatuses: [{name: dex, ready: false, restartCount: 2, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}, {name: waiting, state: {waiting: {reason: ImagePullBackOff}}}]}
---
apiVersion: v1
kind: Event
metadata: {name: e1, namespace: auth}
involvedObject: {kind: Pod, name: dex-1}
lastTimestamp: "2026-01-02T03:04:05Z"
count: 3
type: Warning
reason: Failed
message: "cannot log in with `+inSecret+` and Bearer abcdefgh12345"
---
apiVersion: dex.coreos.com/v1
kind: Password
metadata: {name: jane, namespace: auth}
hash: `+inStore+`
---
apiVersion: v1
kind: Namespace
metadata: {name: auth}
---
apiVersion: v1
kind: Namespace
metadata: {name: stranger}
---
apiVersion: v1
kind: Namespace
metadata: {name: kubeflow-jane, labels: {app.kubernetes.io/part-of: kubeflow-profile}}
---
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: hers, namespace: kubeflow-jane}
spec: {template: {spec: {containers: [{name: hers, env: [{name: NB_PREFIX, value: /notebook/`+ofAPerson+`}]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: hers-0, namespace: kubeflow-jane}
status: {containerStatuses: [{name: hers, ready: true, state: {running: {}}}], message: "token `+ofAPerson+` is wrong"}
---
apiVersion: kubeflow.org/v1
kind: Profile
metadata: {name: kubeflow-jane}
spec: {owner: {kind: User, name: jane@example.com}}
---
apiVersion: v1
kind: Node
metadata: {name: node-1, labels: {kubernetes.io/arch: amd64, rack: r7}}
status: {nodeInfo: {architecture: amd64, kubeletVersion: v1.36.0}, conditions: [{type: Ready, status: "False", reason: KubeletDead, message: gone}], images: [{names: [big]}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ours}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: theirs}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: notebooks.kubeflow.org}`),
		logs: map[string]string{
			"auth/dex-1/dex": "2026-01-02T03:04:05Z connecting as dex:" + inSecret + "\n2026-01-02T03:04:06Z password=" + inLog + "\n" +
				"2026-01-02T03:04:07Z Authorization: Basic " + coded("user:"+inSecret) + "\n2026-01-02T03:04:08Z variable is " + inVariable + ", config " + inConfig + "\n",
			"auth/dex-1/dex.previous": "panic: it was " + url(inSecret) + "\n",
		},
	}
}

func url(s string) string { return strings.ReplaceAll(s, "!", "%21") }

func options() Options {
	return Options{
		Name: "bundle", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Tooling: "kubectl-jupyter/test",
		Namespaces: []string{"auth"}, Stack: func(_, name string) bool { return name == "ours" },
		Documents: []Document{
			{"status.txt", func(context.Context) (Content, error) {
				return Content{Text: "Dex says password: " + inLog + " and " + inSecret}, nil
			}},
			{"status.yaml", func(context.Context) (Content, error) {
				return Content{Data: report.Report{Causes: []report.Cause{{Name: "X", Evidence: []string{"saw " + inSecret}}}}}, nil
			}},
		},
	}
}

// unpack returns the files by their names below the bundle's folder.
func unpack(t *testing.T, data []byte) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name, ok := strings.CutPrefix(h.Name, "bundle/")
		if !ok || h.Mode != 0o600 {
			t.Errorf("file %s, mode %o: want one below bundle/ that nobody else may read", h.Name, h.Mode)
		}
		files[name] = string(content)
	}
}

func made(t *testing.T, r *recorded, o Options) (*Manifest, map[string]string) {
	t.Helper()
	var b bytes.Buffer
	m, err := write(t.Context(), r, report.Target{Cluster: "test"}, &b, o)
	if err != nil {
		t.Fatal(err)
	}
	return m, unpack(t, b.Bytes())
}

func TestNothingThatIsPlantedIsInABundle(t *testing.T) {
	for _, people := range []bool{false, true} {
		t.Run(fmt.Sprintf("with user namespaces: %v", people), func(t *testing.T) {
			o := options()
			o.People = people
			_, files := made(t, stack(t), o)
			for name, content := range files {
				for _, v := range planted() {
					if strings.Contains(content, v) {
						t.Errorf("%s has the planted %q:\n%s", name, v, content)
					}
				}
			}
			_, hers := files["objects/kubeflow-jane/notebooks.kubeflow.org.yaml"]
			if hers != people {
				t.Errorf("a person's notebook is in the bundle: %v", hers)
			}
		})
	}
}

func TestABundleHasWhatHelps(t *testing.T) {
	o := options()
	o.People = true
	m, files := made(t, stack(t), o)
	for name, wants := range map[string][]string{
		"status.txt":                                 {"Dex says"},
		"status.yaml":                                {"saw [redacted]"},
		"objects/auth/secrets.yaml":                  {"password: '[15 bytes]'"},
		"objects/auth/configmaps.yaml":               {"issuer: http://dex", "id: web"},
		"objects/auth/deployments.apps.yaml":         {"name: DB_PASSWORD", "--v=1"},
		"objects/cluster/namespaces.yaml":            {"name: auth"},
		"objects/cluster/profiles.kubeflow.org.yaml": {"jane@example.com"},
		"objects/kubeflow-jane/pods.yaml":            {"hers-0"},
		"events/auth.txt":                            {"2026-01-02T03:04:05Z Warning Failed pod/dex-1 x3: cannot log in"},
		"logs/auth/dex-1/dex.log":                    {"connecting as dex:[redacted]"},
		"logs/auth/dex-1/dex.previous.log":           {"panic: it was"},
		"nodes.yaml":                                 {"Ready=False KubeletDead: gone", "kubernetes.io/arch: amd64"},
		"definitions.txt":                            {"notebooks.kubeflow.org"},
		"objects/cluster/clusterroles.rbac.authorization.k8s.io.yaml": {"name: ours"},
		ManifestName: {"logs/auth/dex-1/dex.log", "values of Secrets", "kubectl-jupyter/test"},
	} {
		for _, w := range wants {
			if !strings.Contains(files[name], w) {
				t.Errorf("%s does not say %q:\n%s", name, w, files[name])
			}
		}
	}
	for name, bad := range map[string]string{
		"objects/cluster/namespaces.yaml": "stranger", "nodes.yaml": "rack", "objects/cluster/clusterroles.rbac.authorization.k8s.io.yaml": "theirs",
		"objects/kubeflow-jane/secrets.yaml": "", "logs/kubeflow-jane/hers-0/hers.log": "", "objects/auth/passwords.dex.coreos.com.yaml": "",
	} {
		if content, ok := files[name]; ok && (bad == "" || strings.Contains(content, bad)) {
			t.Errorf("%s should not have %q:\n%s", name, bad, content)
		}
	}
	if m.Redacted["values of Secrets"] != 2 || len(m.Unread) != 0 {
		t.Errorf("manifest: redacted %v, unread %v", m.Redacted, m.Unread)
	}
	if len(m.Files) != len(files)-1 {
		t.Errorf("the manifest names %d files of %d", len(m.Files), len(files)-1)
	}
}

func TestTwoBundlesOfOneClusterAreTheSame(t *testing.T) {
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if _, err := write(t.Context(), stack(t), report.Target{}, b, options()); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("they differ")
	}
}

func TestWhatMayNotBeReadIsTold(t *testing.T) {
	r := stack(t)
	r.forbidden = "secrets"
	m, files := made(t, r, options())
	if !strings.Contains(files[ManifestName], "forbidden: secrets is forbidden: not for you") || !slices.Equal(m.SecretsUnread, []string{"auth"}) {
		t.Errorf("manifest:\n%s", files[ManifestName])
	}
	if len(m.Unread) != 1 || files["objects/auth/configmaps.yaml"] == "" {
		t.Errorf("unread %v, files %d: everything else should be there", m.Unread, len(files))
	}
	if strings.Contains(files["logs/auth/dex-1/dex.log"], inLog) {
		t.Error("without Secrets, forms should still be recognised")
	}
}

func TestWhenTheTimeIsUpThereIsABundleOfWhatWasRead(t *testing.T) {
	r := stack(t)
	r.silent = "deployments"
	o := options()
	o.Timeout = 50 * time.Millisecond
	m, files := made(t, r, o)
	if !strings.Contains(files[ManifestName], "timed out after 50ms: set a longer --timeout") {
		t.Errorf("manifest:\n%s", files[ManifestName])
	}
	if files["objects/auth/configmaps.yaml"] == "" || len(m.Unread) == 0 {
		t.Error("what was read in time should be there")
	}
}

func TestAnInterruptionIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := stack(t)
	r.silent = "pods"
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := write(ctx, r, report.Target{}, io.Discard, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestADiskThatIsFullIsAnError(t *testing.T) {
	if _, err := write(t.Context(), stack(t), report.Target{}, &full{100}, options()); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error %v", err)
	}
}

func TestALongLogKeepsItsEnd(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "line %d of many\n", i)
	}
	text, cut, err := end(strings.NewReader(b.String()), 10_000)
	if err != nil || !cut || len(text) > 10_000 || len(text) < 9_900 {
		t.Fatalf("%d bytes, cut %v, error %v", len(text), cut, err)
	}
	if !bytes.HasPrefix(text, []byte("line ")) || !bytes.HasSuffix(text, []byte("line 99999 of many\n")) {
		t.Errorf("from %q to %q", text[:20], text[len(text)-20:])
	}
	if text, cut, err = end(strings.NewReader("short\n"), 10_000); err != nil || cut || string(text) != "short\n" {
		t.Errorf("%q, cut %v, error %v", text, cut, err)
	}
}

func TestTheNumberOfRequestsDoesNotGrowWithNodesAndUsers(t *testing.T) {
	count := func(nodes int) int64 {
		r := stack(t)
		for i := range nodes {
			r.objects = append(r.objects, objects(t, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: p%d, namespace: somebody}}", i))...)
		}
		made(t, r, options())
		return r.requests.Load()
	}
	if few, many := count(5), count(1000); few != many {
		t.Errorf("%d requests with 5, %d with 1000", few, many)
	}
}
