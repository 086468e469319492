package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/httpstream"      //lint:ignore SA1019 client-go returns these types
	"k8s.io/apimachinery/pkg/util/httpstream/spdy" //lint:ignore SA1019 the other end of client-go
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/kubectl-jupyter/kubectl-jupyter/pkg/cluster"
)

// server stands in for an API server that knows one Service, its pods, and port-forward
// over SPDY alone, as servers before 1.31 do. It shows faults that a real one has no
// switch for; what the real one does is tested end to end.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	pods []corev1.Pod
	// changed wakes those who watch
	changed chan struct{}
	// forbid port-forward; refuse every connection with this message
	forbid bool
	refuse string
	// websocket and spdy, where set, answer in the server's place, as a proxy before it would
	websocket, spdy http.HandlerFunc
	// poisoned: a connection that has refused once lets the next ones hang, as containerd does
	poisoned bool
	links    []httpstream.Connection
	linked   *sync.Cond // of mu: there is one more
	ports    []string
}

func newServer(t *testing.T, pods ...corev1.Pod) *server {
	s := &server{pods: pods, changed: make(chan struct{})}
	s.linked = sync.NewCond(&s.mu)
	mux := http.NewServeMux()
	answer := func(path string, v any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, v) })
	}
	answer("/version", map[string]string{"gitVersion": "v1.36.0"})
	answer("/api", metav1.APIVersions{Versions: []string{"v1"}})
	answer("/apis", metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}})
	answer("/api/v1", metav1.APIResourceList{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "pods", Kind: "Pod", Namespaced: true}}})
	answer("/api/v1/namespaces/ns/services/door", corev1.Service{
		TypeMeta: metav1.TypeMeta{Kind: "Service", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "door", Namespace: "ns"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "door"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	})
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods", s.listPods)
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods/{name}", s.getPod)
	mux.HandleFunc("GET /api/v1/namespaces/ns/pods/{name}/portforward", func(w http.ResponseWriter, r *http.Request) {
		if s.forbid {
			s.portForward(w, r)
			return
		}
		if s.websocket != nil {
			s.websocket(w, r)
			return
		}
		http.Error(w, "no websockets here", http.StatusBadRequest)
	})
	mux.HandleFunc("POST /api/v1/namespaces/ns/pods/{name}/portforward", s.portForward)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func write(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *server) set(pods ...corev1.Pod) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods = pods
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *server) listPods(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	pods, changed := s.pods, s.changed
	s.mu.Unlock()
	if r.URL.Query().Get("watch") == "" {
		write(w, http.StatusOK, corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "1"}, Items: pods})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	select {
	case <-r.Context().Done():
		return
	case <-changed:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pods {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "MODIFIED", "object": p})
	}
}

func (s *server) getPod(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pods {
		if p.Name == r.PathValue("name") {
			write(w, http.StatusOK, p)
			return
		}
	}
	write(w, http.StatusNotFound, apierrors.NewNotFound(corev1.Resource("pods"), r.PathValue("name")).Status())
}

// portForward echoes what it gets, after the name of the pod.
func (s *server) portForward(w http.ResponseWriter, r *http.Request) {
	if s.forbid {
		write(w, http.StatusForbidden, apierrors.NewForbidden(corev1.Resource("pods/portforward"), r.PathValue("name"), errors.New("mary may not")).Status())
		return
	}
	if s.spdy != nil {
		s.spdy(w, r)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{"portforward.k8s.io"}); err != nil {
		return
	}
	var mu sync.Mutex
	trouble, refusedOnce := map[string]httpstream.Stream{}, false
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
		mu.Lock()
		defer mu.Unlock()
		if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
			trouble[id] = stream
			return nil
		}
		bad := trouble[id]
		s.mu.Lock()
		s.ports = append(s.ports, stream.Headers().Get(corev1.PortHeader))
		refuse, hangs := s.refuse, s.poisoned && refusedOnce
		refusedOnce = refusedOnce || refuse != ""
		s.mu.Unlock()
		if hangs {
			return nil
		}
		go func() {
			defer func() { _, _ = stream.Close(), bad.Close() }()
			if refuse != "" {
				_, _ = io.WriteString(bad, refuse)
				return
			}
			_, _ = io.WriteString(stream, r.PathValue("name")+": ")
			_, _ = io.Copy(stream, stream)
		}()
		return nil
	})
	if conn == nil {
		return
	}
	s.mu.Lock()
	s.links = append(s.links, conn)
	s.linked.Signal()
	s.mu.Unlock()
	<-conn.CloseChan()
}

// cut breaks every connection, as a kubelet that goes does. The client may know of one
// before the server does.
func (s *server) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.links) == 0 {
		s.linked.Wait()
	}
	for _, l := range s.links {
		_ = l.Close()
	}
	s.links = nil
}

func (s *server) cluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.APIServer = &s.URL
	c, err := cluster.Connect(t.Context(), flags, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func pod(name string, ready corev1.ConditionStatus) corev1.Pod {
	return corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID(name), Labels: map[string]string{"app": "door"}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
	}
}

var door = Target{Namespace: "ns", Service: "door", Port: 80}

// say sends a line through the forward and returns what comes back.
func say(t *testing.T, address, line string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, line); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(answer)
}

func TestManyConnectionsGoThroughOneForward(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	f, err := Start(t.Context(), s.cluster(t), door, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Pod != "ns/a" || !strings.HasPrefix(f.Address, "127.0.0.1:") {
		t.Errorf("it leads from %s to %s", f.Address, f.Pod)
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if got, want := say(t, f.Address, fmt.Sprint("hello ", i)), fmt.Sprint("a: hello ", i); got != want {
				t.Errorf("the pod answers %q, want %q", got, want)
			}
		})
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.links) != 1 || s.ports[0] != "8080" {
		t.Errorf("%d connections to the API server, to port %s of the pod; want one, to the Service's target port 8080", len(s.links), s.ports[0])
	}
}

func TestAPodThatGoesIsReplacedByTheNextReadyOne(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	notices := make(chan Notice, 10)
	f, err := Start(t.Context(), s.cluster(t), door, Options{Notice: func(n Notice) { notices <- n }})
	if err != nil {
		t.Fatal(err)
	}
	s.set(pod("b", corev1.ConditionFalse))
	s.cut()
	for _, want := range []Notice{{State: Connected, Pod: "ns/a"}, {State: Lost, Pod: "ns/a"}} {
		if got := <-notices; got != want {
			t.Errorf("notice %+v, want %+v", got, want)
		}
	}
	s.set(pod("b", corev1.ConditionTrue))
	// Waits, as a browser's request does, until there is a pod again.
	if got := say(t, f.Address, "hello"); got != "b: hello" {
		t.Errorf("the pod answers %q, want b's answer", got)
	}
	if got := <-notices; got.State != Connected || got.Pod != "ns/b" {
		t.Errorf("notice %+v, want Connected to ns/b", got)
	}
}

func TestAConnectionThatThePodDoesNotTakeIsToldAndEndsNoOther(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	notices := make(chan Notice, 10)
	f, err := Start(t.Context(), s.cluster(t), door, Options{Notice: func(n Notice) { notices <- n }})
	if err != nil {
		t.Fatal(err)
	}
	<-notices
	s.mu.Lock()
	s.refuse = "connection refused"
	s.mu.Unlock()
	if got := say(t, f.Address, "hello"); got != "" {
		t.Errorf("the pod answers %q, want nothing", got)
	}
	if n := <-notices; n.State != Refused || n.Err == nil || !strings.Contains(n.Err.Error(), "connection refused") {
		t.Errorf("notice %+v, want Refused with what the kubelet says", n)
	}
	s.mu.Lock()
	s.refuse = ""
	s.mu.Unlock()
	if got := say(t, f.Address, "hello"); got != "a: hello" {
		t.Errorf("afterwards the pod answers %q, want a's answer", got)
	}
	if len(notices) > 0 {
		t.Errorf("notice %+v, want none: the pod is still ready", <-notices)
	}
}

func TestAConnectionAfterARefusedOneTakesAnotherWayAndOthersKeepTheirs(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	s.poisoned = true
	f, err := Start(t.Context(), s.cluster(t), door, Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := net.Dial("tcp", f.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = before.Close() }()
	exchange := func(text, want string) {
		t.Helper()
		if _, err := io.WriteString(before, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(before, got); err != nil || string(got) != want {
			t.Fatalf("the connection that was there says %q, %v, want %q", got, err, want)
		}
	}
	exchange("one", "a: one")
	refuse := func(why string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = why
	}
	refuse("connection refused")
	if got := say(t, f.Address, "hello"); got != "" {
		t.Errorf("the pod answers %q, want nothing", got)
	}
	refuse("")
	if got := say(t, f.Address, "hello"); got != "a: hello" {
		t.Errorf("afterwards the pod answers %q, want a's answer", got)
	}
	exchange("two", "two")
}

func TestAForwardEndsWithItsContextAndFreesThePort(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	ctx, cancel := context.WithCancel(t.Context())
	f, err := Start(ctx, s.cluster(t), door, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := f.Wait(); err != nil {
		t.Errorf("Wait = %v, want nil after the context's end", err)
	}
	if l, err := net.Listen("tcp", f.Address); err != nil {
		t.Errorf("the port is not free: %v", err)
	} else {
		_ = l.Close()
	}
}

func TestStartSaysWhyItCannot(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	waiting := pod("a", corev1.ConditionFalse)
	waiting.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}}
	for name, c := range map[string]struct {
		pods   []corev1.Pod
		forbid bool
		target Target
		port   int
		want   string
	}{
		"the port is in use":               {port: taken.Addr().(*net.TCPAddr).Port, want: "in use by another program"},
		"there is no such Service":         {target: Target{"ns", "gate", 80}, want: "Service ns/gate"},
		"the Service has no pods":          {want: "no pod matches"},
		"no pod is ready":                  {pods: []corev1.Pod{pod("a", corev1.ConditionFalse)}, want: "Pod a is running but not ready"},
		"the pod's image cannot be pulled": {pods: []corev1.Pod{waiting}, want: "Pod a is ImagePullBackOff"},
		"the Service has no such port":     {pods: []corev1.Pod{pod("a", corev1.ConditionTrue)}, target: Target{"ns", "door", 443}, want: "no port 443"},
		"the user may not forward":         {pods: []corev1.Pod{pod("a", corev1.ConditionTrue)}, forbid: true, want: "mary may not"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.pods...)
			s.forbid = c.forbid
			target := c.target
			if target == (Target{}) {
				target = door
			}
			_, err := Start(t.Context(), s.cluster(t), target, Options{Port: c.port})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error = %v, want one with %q", err, c.want)
			}
			if c.forbid && !apierrors.IsForbidden(err) {
				t.Errorf("%v is not known as forbidden: a lost connection would be tried for ever", err)
			}
		})
	}
}

// TestProxiesBeforeTheServer: what proxies of companies and of Rancher and Teleport do with
// connections that change their protocol.
func TestProxiesBeforeTheServer(t *testing.T) {
	refuses := func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Upgrade request required", http.StatusBadRequest)
	}
	cuts := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	for name, c := range map[string]struct {
		websocket, spdy http.HandlerFunc
		want            string // empty where the pod is reached
	}{
		"the websocket is refused, SPDY passes": {websocket: refuses},
		"the websocket is cut, SPDY passes":     {websocket: cuts},
		"both are refused":                      {websocket: refuses, spdy: refuses, want: "Upgrade request required"},
		"both are cut":                          {websocket: cuts, spdy: cuts, want: "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, pod("a", corev1.ConditionTrue))
			s.websocket, s.spdy = c.websocket, c.spdy
			d, err := ToPod(t.Context(), s.cluster(t), "ns", "a")
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "a proxy between this machine and the API server") {
					t.Errorf("error = %v, want %q, and that a proxy may be the reason", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestANamedTargetPortIsLookedUpInThePod(t *testing.T) {
	service := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
		{Port: 80, TargetPort: intstr.FromString("web")}, {Port: 81}, {Port: 82, TargetPort: intstr.FromString("none")},
	}}}
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 4180}}}}}}
	for port, want := range map[int32]int32{80: 4180, 81: 81} {
		if got, err := podPort(Target{Port: port}, service, p); err != nil || got != want {
			t.Errorf("port %d leads to %d (%v), want %d", port, got, err, want)
		}
	}
	if _, err := podPort(Target{Port: 82}, service, p); err == nil || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("error = %v, want one that names the missing port", err)
	}
}
