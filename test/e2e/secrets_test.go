//go:build e2e

package e2e

import (
	"context"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/plugin/commands"
)

// plantedPassword is typed by people; nothing may repeat it.
const plantedPassword = "plantedPasswordOfAda"

// said is one command, as it is run in front of planted secrets.
type said struct {
	args  string
	stdin string
	// code that it ends with; a simulated pod answers no request, and no load balancer is there.
	code int
	// alone tells that it asks no cluster.
	alone bool
	// after is how long it runs before it is interrupted, for one that does not end.
	after time.Duration
}

// hersNamespace is where the planted notebook is.
const hersNamespace = " -n kubeflow-user-example-com"

// everyCommand are all commands in the order in which they can be run, with the flags
// that make them print more. FILE and DIR are names in a directory of the test.
var everyCommand = []struct {
	path string
	runs []said
}{
	{"", []said{{args: ""}}},
	{"options", []said{{alone: true}}},
	{"completion", []said{{alone: true}}},
	{"completion install", []said{{args: "--dir DIR", code: -1, alone: true}}}, // DIR is not on the PATH
	{"version", []said{{}, {args: "-o json"}}},
	{"render", []said{{alone: true}, {args: "-o json", alone: true}}},
	{"images", []said{{alone: true}}},
	{"images pull", []said{{args: "--remove"}, {args: "--timeout 3s", code: -1}}}, // simulated nodes pull nothing
	{"images copy", []said{{args: "--to registry.example.com --dry-run=client", alone: true}}},
	{"components", []said{{alone: true}, {args: "-o json", alone: true}}},
	{"preflight", []said{{args: "-o wide"}, {args: "-o json"}}},
	{"install", []said{
		{args: "--dry-run=client -o yaml", alone: true},
		{args: "--dry-run=server -o yaml"},
		{args: "--diff"},
		{args: "--password-stdin --timeout 5m -o json", stdin: plantedPassword + "\n"},
		{args: "--diff --profile slim"},
		{args: "--timeout 5m"},
	}},
	{"upgrade", []said{{args: "--dry-run=server", code: -1}}}, // nothing later is there
	{"status", []said{{args: "-o wide"}, {args: "-o json"}, {args: "-o short"}}},
	{"top", []said{{}, {args: "-o json"}}},
	{"top gpus", []said{{}, {args: "-o json"}}},
	{"top notebooks", []said{{args: "-A"}, {args: "-A -o json"}}},
	// None of these asks the server of a notebook: the pod that is planted is simulated.
	{"notebook", []said{{alone: true}}},
	{"notebook list", []said{{args: "-A -o wide"}, {args: "-A -o json"}}},
	{"notebook why", []said{{args: "hers" + hersNamespace, code: -1}, {args: "hers -o json" + hersNamespace, code: -1}}},
	{"notebook url", []said{{args: "hers" + hersNamespace, code: -1}}},
	{"notebook open", []said{{args: "hers" + hersNamespace, code: -1}}},
	{"notebook create", []said{{args: "lab --dry-run=server -o yaml" + hersNamespace, code: -1}, {args: "lab --no-volume --wait=false" + hersNamespace}}},
	{"notebook edit", []said{{args: "hers --cpu 100m --dry-run=server" + hersNamespace, code: -1}}},
	{"notebook connect", []said{{args: "hers --port 0" + hersNamespace, code: -1, after: 5 * time.Second}}},
	{"notebook logs", []said{{args: "hers" + hersNamespace, code: -1}}},
	{"notebook exec", []said{{args: "hers" + hersNamespace + " -- true", code: -1}}},
	{"notebook cp", []said{{args: "hers:/etc/hostname DIR" + hersNamespace, code: -1}}},
	{"notebook run", []said{{args: "--like hers --detach" + hersNamespace + " -- true", code: -1}}},
	{"notebook run list", []said{{args: "-o json" + hersNamespace}}},
	{"notebook run logs", []said{{args: "nothing" + hersNamespace, code: 1}}},
	{"notebook run delete", []said{{args: "nothing --yes" + hersNamespace, code: -1}}},
	{"notebook volume", []said{{alone: true}}},
	{"notebook volume list", []said{{args: "-A -o wide"}, {args: "-A -o json"}}},
	{"notebook volume delete", []said{{args: "nothing --yes" + hersNamespace, code: -1}}},
	{"notebook form", []said{{}}},
	{"notebook form show", []said{{args: "-o yaml"}}},
	{"notebook form set", []said{{args: "--from-cluster --diff"}}},
	{"notebook form reset", []said{{args: "--diff"}}},
	{"notebook restart", []said{{args: "hers --yes" + hersNamespace, code: -1}}},
	{"notebook stop", []said{{args: "hers --yes" + hersNamespace, code: -1}, {args: "--idle 1h -A -o json", code: -1}}},
	{"notebook start", []said{{args: "hers" + hersNamespace, code: -1}}},
	{"notebook delete", []said{{args: "lab --yes" + hersNamespace}}},
	{"user", []said{{alone: true}}},
	{"user add", []said{{args: "ada@example.com --password-stdin -o json --timeout 20s", stdin: plantedPassword + "\n", code: -1}}},
	{"user set-password", []said{{args: "ada@example.com --password-stdin --timeout 20s", stdin: plantedPassword + "2\n", code: -1}}},
	{"user list", []said{{args: "-o wide"}, {args: "-o json"}}},
	{"user apply", []said{{args: "-f - --diff", stdin: "email,password\nada@example.com,no\n"}, {args: "-f - --passwords-file DIR/passwords.csv -o json --timeout 20s", stdin: "email\ncy@example.com\n", code: -1}}},
	{"user share", []said{{args: "kubeflow-user-example-com ada@example.com --role view"}}},
	{"user unshare", []said{{args: "kubeflow-user-example-com ada@example.com"}}},
	{"user token", []said{{args: "ada@example.com --password-stdin -o json", stdin: plantedPassword + "2\n", code: -1}}}, // a simulated pod forwards no port
	{"user isolate", []said{{args: "user@example.com"}, {args: "user@example.com --undo"}}},
	{"user remove", []said{{args: "ada@example.com --yes --timeout 20s", code: -1}}},
	{"identity", []said{{alone: true}}},
	{"identity add", []said{
		{args: "ldap --host 127.0.0.1:1 --user-base dc=example,dc=com --bind-dn cn=dex,dc=example,dc=com --secret-stdin", stdin: plantedPassword + "\n", code: 1},
		{args: "ldap --host 127.0.0.1:1 --user-base dc=example,dc=com --bind-dn cn=dex,dc=example,dc=com --secret-stdin --skip-provider-check --timeout 20s -o json", stdin: plantedPassword + "\n", code: -1},
	}},
	{"identity list", []said{{args: "-o wide"}, {args: "-o json"}}},
	{"identity test", []said{{args: "ldap -o json --timeout 20s", code: -1}}},
	{"identity remove", []said{{args: "ldap", code: -1}}},
	{"login-url", []said{
		{args: "--explain", code: -1},
		{args: "-o json", code: -1},
		{args: "--check --user-email user@example.com --password-stdin --timeout 20s", stdin: plantedPassword + "\n", code: -1},
	}},
	{"expose", []said{{args: "--dry-run=server -o yaml --type NodePort --tls self-signed"}, {args: "--type NodePort --tls self-signed --probe=false --yes --timeout 2m"}, {args: "--undo --yes"}}},
	{"port-forward", []said{{args: "--port 0", code: -1, after: 10 * time.Second}}},
	{"support-bundle", []said{{args: "-f FILE"}, {args: "-f FILE --include-user-namespaces"}}},
	{"uninstall", []said{{args: "--dry-run=server -o yaml"}, {args: "--yes --delete-data --timeout 4m -o json"}}},
}

func TestNoCommandShowsWhatIsSecret(t *testing.T) {
	var listed, has []string
	for _, c := range everyCommand {
		listed = append(listed, c.path)
	}
	var walk func(*cobra.Command, string)
	walk = func(c *cobra.Command, path string) {
		if c.Name() != "help" && !c.Hidden {
			has = append(has, path)
		}
		for _, child := range c.Commands() {
			walk(child, strings.TrimSpace(path+" "+child.Name()))
		}
	}
	walk(commands.New(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}), "")
	slices.Sort(listed)
	slices.Sort(has)
	if !slices.Equal(listed, has) {
		t.Fatalf("the commands are\n%q\nand those of this test\n%q", has, listed)
	}

	b := newBed(t)
	token := b.personWithToken()
	secret := map[string]string{
		"the password that was typed": plantedPassword, "a Secret": plantedSecret, "a variable": plantedVariable, "an annotation": plantedNote,
		"settings": plantedConfig, "a person's Secret": plantedPersonal, "an event": plantedEvent, "the last words of a container": plantedWords, "the token of the kubeconfig": token,
	}
	planted, connected := false, 0
	for _, c := range everyCommand {
		for i, run := range c.runs {
			dir := t.TempDir()
			file := filepath.Join(dir, "bundle.tar.gz")
			args := append(strings.Fields(c.path), strings.Fields(strings.NewReplacer("FILE", file, "DIR", dir).Replace(run.args))...)
			args = append([]string{"-v", "9"}, args...)
			ctx, cancel := context.WithCancel(t.Context())
			if run.after > 0 {
				timer := time.AfterFunc(run.after, cancel)
				defer timer.Stop()
			}
			r := b.run(ctx, run.stdin, nil, args...)
			cancel()
			if run.code >= 0 && r.Code != run.code {
				t.Errorf("%q: exit code %d\n%s", args, r.Code, r)
			}
			asked := strings.Contains(r.Stderr, " verb=")
			if asked {
				connected++
			}
			if !run.alone && !asked {
				t.Errorf("%q has logged no request, although it was asked for all: %s", args, r)
			}
			outputs := map[string]string{"standard output": r.Stdout, "standard error": r.Stderr}
			if c.path == "support-bundle" {
				maps.Copy(outputs, unpacked(t, file))
			}
			for where, text := range outputs {
				for what, value := range secret {
					if strings.Contains(text, value) {
						t.Errorf("%q: %s has %s", args, where, what)
					}
				}
			}
			if !planted && c.path == "install" && i == 3 {
				b.plant()
				b.plantMore()
				planted = true
			}
			if planted && c.path != "uninstall" {
				// The client id is in the manifests: it is the name of the client.
				b.in(t).wantNoSecrets(outputs, "kubeflow-oidc-authservice")
			}
		}
	}
	if connected < 20 {
		t.Errorf("only %d commands asked the cluster", connected)
	}
}

// plantedWords are what a container said last.
const plantedWords = "plantedInLastWords"

// plantMore puts credentials where people's own programs have them.
func (b *bed) plantMore() {
	b.t.Helper()
	// The pod is there before the controller makes one of the notebook.
	b.apply(`
apiVersion: v1
kind: Pod
metadata: {name: hers-0, namespace: kubeflow-user-example-com, labels: {notebook-name: hers}, annotations: {example.com/api-token: ` + plantedNote + `}}
spec:
  containers: [{name: hers, image: "example.com/nb:1", env: [{name: KEY, value: ` + plantedVariable + `}, {name: REF, valueFrom: {secretKeyRef: {name: planted, key: anything}}}]}]
---
apiVersion: kubeflow.org/v1
kind: Notebook
metadata: {name: hers, namespace: kubeflow-user-example-com, annotations: {example.com/api-token: ` + plantedNote + `}}
spec: {template: {spec: {containers: [{name: hers, image: "example.com/nb:1", env: [{name: KEY, value: ` + plantedVariable + `}], args: [--token, ` + plantedVariable + `]}]}}}
`)
	b.kubectl("annotate", "service", "-n", "istio-system", "istio-ingressgateway", "example.com/password="+plantedNote)
	b.kubectl("annotate", "deployment", "-n", "auth", "dex", "example.com/password="+plantedNote)
	b.kubectl("annotate", "nodes", "--all", "example.com/password="+plantedNote)
	pod := strings.Fields(b.kubectl("get", "pods", "-n", "auth", "-l", "app=dex", "-o", "name"))[0]
	b.kubectl("patch", pod, "-n", "auth", "--subresource=status", "--type=strategic", "-p", `{"status": {"containerStatuses": [{"name": "dex", "ready": false, "restartCount": 7, "image": "x", "imageID": "x",
		"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "password=`+plantedWords+`"}}, "lastState": {"terminated": {"exitCode": 1, "message": "failed: client_secret=`+plantedWords+`", "reason": "Error"}}}]}}`)
}

// personWithToken has the plugin log in with a token instead of a certificate, and returns it.
func (b *bed) personWithToken() string {
	b.t.Helper()
	b.kubectl("create", "serviceaccount", "admin", "-n", "default")
	b.kubectl("create", "clusterrolebinding", "admin-of-the-test", "--clusterrole=cluster-admin", "--serviceaccount=default:admin")
	token := strings.TrimSpace(b.kubectl("create", "token", "admin", "-n", "default"))
	config, err := clientcmd.LoadFromFile(b.Kubeconfig)
	if err != nil {
		b.t.Fatal(err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	}
	own := filepath.Join(b.t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, own); err != nil {
		b.t.Fatal(err)
	}
	b.Kubeconfig = own
	return token
}
