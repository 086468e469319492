package diagnose

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/report"
)

func TestRequestsDoNotGrowWithTheCluster(t *testing.T) {
	count := func(nodes, pods int) int {
		var b strings.Builder
		b.WriteString(dexAlone + podOfDex(pendingDex, noNode("0 nodes are available: 9 Insufficient cpu.")))
		for i := range nodes {
			fmt.Fprintf(&b, "\n---\n{apiVersion: v1, kind: Node, metadata: {name: n%d}, status: {allocatable: {cpu: 100m}}}\n", i)
		}
		for i := range pods {
			fmt.Fprintf(&b, "\n---\n{apiVersion: v1, kind: Pod, metadata: {namespace: auth, name: p%d}, spec: {containers: [{name: c}]}, status: {phase: Pending}}\n", i)
		}
		f := &fakeReader{objects: parse(t, b.String())}
		f.explain(t, deployment("auth", "dex"))
		slices.Sort(f.requests)
		for i := 1; i < len(f.requests); i++ {
			if f.requests[i] == f.requests[i-1] {
				t.Errorf("asked twice: %s", f.requests[i])
			}
		}
		return len(f.requests)
	}
	small, large := count(5, 1), count(1000, 200)
	if small != large {
		t.Errorf("requests: %d with 5 nodes, %d with 1000", small, large)
	}
	if small > 8 {
		t.Errorf("requests for one Deployment: %d, want at most 8", small)
	}
}

func TestSubjectsOfManyNamespacesAreBounded(t *testing.T) {
	var subjects []Subject
	for i := range 200 {
		subjects = append(subjects, deployment(fmt.Sprintf("ns-%d", i), "dex"))
	}
	f := &fakeReader{}
	f.explain(t, subjects...)
	// Four lists and reads for each namespace, one read for each subject.
	if limit := 4*maxNamespaces + maxSubjects; len(f.requests) > limit {
		t.Errorf("%d requests, want at most %d", len(f.requests), limit)
	}
}

func TestAServerThatFallsSilentIsACauseAndNotAHang(t *testing.T) {
	f := &fakeReader{objects: parse(t, dexPod(onWorker, waiting("InvalidImageName", "x"))), silent: []string{"events", "nodes"}}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	subjects := []Subject{deployment("auth", "dex")}
	done := make(chan []report.Cause)
	go func() { done <- Classify(collect(ctx, f, subjects), subjects) }()
	select {
	case causes := <-done:
		if len(causes) != 2 || causes[0].Name != InvalidImageName || causes[1].Name != Unreadable {
			t.Errorf("causes: %+v, want what was read, and that not everything was", causes)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("collect outlives its context")
	}
}

func TestSecretsAndEnvironmentsStayInTheCluster(t *testing.T) {
	f := &fakeReader{objects: parse(t, dex+`
apiVersion: v1
kind: Secret
metadata: {namespace: auth, name: dex-passwords}
stringData: {hash: hunter2}
---
apiVersion: v1
kind: Pod
metadata:
  namespace: auth
  name: p
  annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2}
spec: {containers: [{name: c, image: i, env: [{name: PASSWORD, value: hunter2}]}]}
`)}
	s := collect(t.Context(), f, []Subject{subject("dex", "Secret", "auth", "dex-passwords", ""), deployment("auth", "dex")})
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Errorf("the snapshot holds a secret: %s", text)
	}
	for _, r := range f.requests {
		if strings.Contains(r, "secrets") {
			t.Errorf("request: %s", r)
		}
	}
}

func TestASnapshotCanBeRecorded(t *testing.T) {
	f := &fakeReader{objects: parse(t, starved(callFailed(`no endpoints available for service "istiod"`))+injector+istiodPending)}
	subjects := []Subject{deployment("auth", "dex")}
	s := collect(t.Context(), f, subjects)
	s.Time = noon
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var read Snapshot
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Classify(s, subjects), Classify(&read, subjects)); diff != "" {
		t.Errorf("causes after a round trip (-live +recorded):\n%s", diff)
	}
}

func TestADetectorThatPanicsCostsItsOwnCauseOnly(t *testing.T) {
	d := detector{"broken", func(*Snapshot, Subject) []report.Cause { panic("nil map") }}
	causes := d.run(&Snapshot{}, deployment("auth", "dex"))
	if len(causes) != 1 || causes[0].Name != DiagnosisFailed || !strings.Contains(causes[0].Summary, `"broken"`) {
		t.Errorf("causes: %+v", causes)
	}
}
