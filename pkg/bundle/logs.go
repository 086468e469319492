package bundle

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/redact"
)

// podsOf keeps the pods of the stack's namespaces, whose logs come next.
func (w *writer) podsOf(listings []*listing) {
	for _, l := range listings {
		if l.gvr.Resource != "pods" || l.gvr.Group != "" || !slices.Contains(w.options.Namespaces, l.namespace) {
			continue
		}
		for i := range l.items {
			var p corev1.Pod
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(l.items[i].Object, &p); err == nil {
				w.pods = append(w.pods, p)
			}
		}
	}
}

// log is one file of the bundle on its way.
type logFile struct {
	logRequest
	healthy bool
	done    chan struct{}
	text    string
	cut     bool
	// cleaned tells that something was taken out.
	cleaned bool
	err     error
}

func (l *logFile) name() string {
	name := "logs/" + l.namespace + "/" + l.pod + "/" + l.container
	if l.previous {
		name += ".previous"
	}
	return name + ".log"
}

// logs reads some at a time and writes them in order, so that no more of them than
// are being read are in memory.
func (w *writer) logs(ctx context.Context) error {
	files := w.chosen()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, inFlight)
	go func() {
		for _, f := range files {
			slots <- struct{}{} // given back when the file is written
			go func() {
				defer close(f.done)
				w.log(ctx, f)
			}()
		}
	}()
	var failed error
	for _, f := range files {
		<-f.done
		switch {
		case failed != nil:
		case f.err != nil:
			w.unread(f.name(), f.err)
		case f.text != "":
			if f.cleaned {
				w.manifest.Redacted[redact.Texts]++
			}
			if failed = w.text(f.name(), f.text, 0, f.cut); failed != nil {
				cancel()
			}
		}
		f.text = ""
		<-slots
	}
	return failed
}

// chosen are the logs that go into the bundle, in the order of their names.
func (w *writer) chosen() []*logFile {
	var files []*logFile
	seconds := int64(w.options.Since.Seconds())
	for i := range w.pods {
		p := &w.pods[i]
		for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses) {
			started := s.State.Running != nil || s.State.Terminated != nil
			add := func(previous bool) {
				files = append(files, &logFile{
					logRequest: logRequest{p.Namespace, p.Name, s.Name, previous, w.options.LogLines, seconds},
					healthy:    s.Ready && s.RestartCount == 0, done: make(chan struct{}),
				})
			}
			if started {
				add(false)
			}
			if s.RestartCount > 0 && s.LastTerminationState.Terminated != nil {
				add(true)
			}
		}
	}
	byName := func(a, b *logFile) int { return cmp.Compare(a.name(), b.name()) }
	if len(files) > maxLogs {
		slices.SortFunc(files, func(a, b *logFile) int {
			return cmp.Or(cmp.Compare(fmt.Sprint(a.healthy), fmt.Sprint(b.healthy)), byName(a, b))
		})
		w.unread(fmt.Sprintf("%d logs of healthy containers", len(files)-maxLogs), bound(maxLogs))
		files = files[:maxLogs]
	}
	slices.SortFunc(files, byName)
	return files
}

// log reads one log and cleans it.
func (w *writer) log(ctx context.Context, f *logFile) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	stream, err := w.reader.log(ctx, f.logRequest)
	if err != nil {
		f.err = err
		return
	}
	defer stream.Close()
	text, cut, err := end(stream, logBytes)
	if len(text) == 0 {
		f.err = err
		return
	}
	f.text = redact.Log(w.known.Replace(string(text)))
	f.cut, f.cleaned = cut || err != nil, f.text != string(text)
}

// end reads a stream to its end and keeps the last n bytes, in whole lines. The server
// can bound a log's length too, but it keeps the beginning then.
func end(r io.Reader, n int) ([]byte, bool, error) {
	kept := make([]byte, 0, 4096)
	buffer := make([]byte, 32<<10)
	cut := false
	for {
		m, err := r.Read(buffer)
		kept = append(kept, buffer[:m]...)
		if len(kept) > 2*n {
			kept, cut = append(kept[:0], kept[len(kept)-n:]...), true
		}
		if err == nil {
			continue
		}
		if len(kept) > n {
			kept, cut = kept[len(kept)-n:], true
		}
		if cut {
			if i := bytes.IndexByte(kept, '\n'); i >= 0 {
				kept = kept[i+1:]
			}
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return kept, cut, err
	}
}
