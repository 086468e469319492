// Package bundle packs what somebody else needs to see of a stack into one archive:
// the report, the objects, the events and the logs, without anybody's credentials.
//
// Everything is read before the first byte is written, except the logs: what one
// object tells to be a credential is taken out of all others. Logs are read, cleaned
// and written one after the other, so that the memory taken does not grow with them.
package bundle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

// What bounds a bundle.
const (
	// inFlight requests at a time.
	inFlight = 10
	// requestTime is how long one request may take.
	requestTime = 15 * time.Second
	// maxItems of one list, and maxPeople namespaces of people.
	maxItems  = 500
	maxPeople = 50
	// maxLogs are the containers whose logs are taken, those of unhealthy pods first, and
	// logBytes the end of each that is kept.
	maxLogs  = 200
	logBytes = 512 << 10
	// maxNodes are summed up, nodePage at a time: a node's list of images is long.
	maxNodes = 1000
	nodePage = 100
)

// Options of a bundle.
type Options struct {
	// Name of the folder in the archive.
	Name string
	// Time that the files bear.
	Time time.Time
	// Tooling names the program and its version.
	Tooling string
	// Namespaces of the stack.
	Namespaces []string
	// Stack tells whether a cluster-scoped object belongs to the stack; roles are many.
	Stack func(kind, name string) bool
	// People: notebooks, claims, pods and events of user namespaces, and Profiles.
	People bool
	// Since bounds logs by their age, 0 does not; LogLines by their length.
	Since    time.Duration
	LogLines int64
	// Timeout bounds the whole; what was not read by then is told. 0 does not bound it.
	Timeout time.Duration
	// Documents are made by others, side by side with the reads.
	Documents []Document
	// Progress is told what comes next, one call at a time; nil drops it.
	Progress func(string)
}

// Document is a file that somebody else makes. Its content is cleaned like everything
// else: text as a program's output, a value (Data) string by string.
type Document struct {
	Name string
	Make func(context.Context) (Content, error)
}

// Content of a document.
type Content struct {
	Text string
	// Data is shown as YAML: anything that sigs.k8s.io/yaml can marshal.
	Data any
}

// Manifest says what a bundle holds, what was taken out and what is not in it.
type Manifest struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Time       time.Time     `json:"time"`
	Tooling    string        `json:"tooling"`
	Target     report.Target `json:"target"`
	Namespaces []string      `json:"namespaces"`
	// People's namespaces, when they were asked for.
	People []string `json:"peoplesNamespaces,omitempty"`
	Files  []File   `json:"files"`
	// Redacted counts what was taken out, by the reason.
	Redacted redact.Counts `json:"redacted"`
	// SecretsUnread are the namespaces whose Secrets could not be read: where their values
	// stand in other texts, they were recognised by their form alone.
	SecretsUnread []string `json:"secretsUnread,omitempty"`
	// LeftOut is what is never in a bundle.
	LeftOut []string `json:"leftOut"`
	// Kept says what a reader can learn of people and networks all the same.
	Kept string `json:"kept"`
	// Unread is what could not be read, and why.
	Unread []Unread `json:"unread,omitempty"`
}

// File of a bundle.
type File struct {
	Name string `json:"name"`
	// Bytes of the file; Objects in it, where it holds objects.
	Bytes   int `json:"bytes"`
	Objects int `json:"objects,omitempty"`
	// Cut tells that there is more in the cluster than in the file.
	Cut bool `json:"cut,omitempty"`
}

// Unread is something that is not in the bundle though it was asked for.
type Unread struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

var leftOut = []string{
	"values of Secrets: only their keys and lengths are included",
	"values of environment variables of containers",
	"objects of Dex's storage (group dex.coreos.com): sessions, hashes and keys",
	"logs of user namespaces, and everything else in them without --include-user-namespaces",
}

const kept = "host names, IP addresses, image names, object names and email addresses of users are not redacted"

// Write makes a bundle of a cluster. What cannot be read is told in the manifest and is
// no error; an error is a cancelled context, or w's.
func Write(ctx context.Context, c *cluster.Cluster, w io.Writer, o Options) (*Manifest, error) {
	return write(ctx, clusterReader{c}, c.Target, w, o)
}

type writer struct {
	reader   reader
	options  Options
	archive  *archive
	manifest *Manifest
	known    *redact.Known
	pods     []corev1.Pod

	mu sync.Mutex // guards what reads find side by side: manifest.Unread
}

func write(ctx context.Context, r reader, target report.Target, out io.Writer, o Options) (*Manifest, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if o.Timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, o.Timeout)
	}
	defer cancel()
	w := &writer{
		reader: r, options: o, archive: newArchive(out, o.Name, o.Time), known: redact.NewKnown(),
		manifest: &Manifest{
			APIVersion: report.APIVersion, Kind: "SupportBundle", Time: o.Time.UTC(), Tooling: o.Tooling, Target: target,
			Namespaces: o.Namespaces, Redacted: redact.Counts{}, LeftOut: leftOut, Kept: kept,
		},
	}
	for _, step := range []struct {
		what string
		run  func(context.Context) error
	}{
		{"objects and events", w.everythingButLogs},
		{"logs", w.logs},
	} {
		if o.Progress != nil {
			o.Progress(step.what)
		}
		if err := step.run(limited); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return w.manifest, w.end(ctx, limited)
}

// everythingButLogs reads side by side, learns what the credentials are, and then
// writes in a fixed order.
func (w *writer) everythingButLogs(ctx context.Context) error {
	people := w.people(ctx)
	listings := w.listings(people)
	contents := make([]Content, len(w.options.Documents))
	var tasks []func()
	for i, d := range w.options.Documents {
		tasks = append(tasks, func() {
			var err error
			if contents[i], err = d.Make(ctx); err != nil {
				w.unread(d.Name, err)
			}
		})
	}
	for _, l := range listings {
		tasks = append(tasks, func() { w.read(ctx, l) })
	}
	var nodes []nodeSummary
	var definitions []string
	tasks = append(tasks, func() { nodes = w.nodes(ctx) }, func() { definitions = w.definitions(ctx) })
	sideBySide(tasks)

	w.learn(listings)
	for i, d := range w.options.Documents {
		if err := w.document(d.Name, contents[i]); err != nil {
			return err
		}
	}
	if len(nodes) > 0 {
		if err := w.document("nodes.yaml", Content{Data: nodes}); err != nil {
			return err
		}
	}
	if len(definitions) > 0 {
		if err := w.text("definitions.txt", lines(definitions), 0, false); err != nil {
			return err
		}
	}
	for _, l := range listings {
		if err := w.objects(l); err != nil {
			return err
		}
	}
	w.podsOf(listings)
	return nil
}

func sideBySide(tasks []func()) {
	slots := make(chan struct{}, inFlight)
	var wg sync.WaitGroup
	for _, t := range tasks {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			t()
		})
	}
	wg.Wait()
}

func (w *writer) unread(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.manifest.Unread = append(w.manifest.Unread, Unread{what, reason(err)})
}

// document cleans what somebody else has made and writes it.
func (w *writer) document(name string, c Content) error {
	if c.Data == nil {
		if c.Text == "" {
			return nil
		}
		return w.text(name, redact.Log(w.known.Replace(c.Text)), 0, false)
	}
	data, err := yaml.Marshal(c.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var v any
	if err := yaml.Unmarshal(data, &v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if data, err = yaml.Marshal(redact.Values(v, w.known, w.manifest.Redacted)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return w.text(name, string(data), 0, false)
}

func (w *writer) text(name, text string, objects int, cut bool) error {
	w.manifest.Files = append(w.manifest.Files, File{name, len(text), objects, cut})
	return w.archive.file(name, text)
}

// end writes the manifest, which names all other files.
func (w *writer) end(ctx, limited context.Context) error {
	m := w.manifest
	if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		late := len(m.Unread)
		m.Unread = slices.DeleteFunc(m.Unread, func(u Unread) bool { return u.Why == timeUp })
		if late -= len(m.Unread); late > 0 {
			m.Unread = append(m.Unread, Unread{fmt.Sprintf("%d lists and logs", late), fmt.Sprintf("timed out after %s: set a longer --timeout", w.options.Timeout)})
		}
	}
	slices.Sort(m.SecretsUnread)
	slices.SortFunc(m.Unread, func(a, b Unread) int { return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why)) })
	for i := range m.Unread {
		m.Unread[i].Why = redact.Message(w.known.Replace(m.Unread[i].Why))
	}
	data, err := yaml.Marshal(m)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err := w.archive.file(ManifestName, string(data)); err != nil {
		return err
	}
	return w.archive.Close()
}

// ManifestName is the file that says what is in a bundle.
const ManifestName = "manifest.yaml"
