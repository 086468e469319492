package forward

import (
	"io"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	corev1 "k8s.io/api/core/v1"
)

func TestAPodIsReachedWithoutAPortOfThisMachine(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	d, err := ToPod(t.Context(), s.cluster(t), "ns", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	for _, port := range []int32{8888, 9999} {
		conn, err := d.Dial(port)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("a: hello"))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "a: hello" {
			t.Errorf("port %d answers %q, %v", port, answer, err)
		}
		_ = conn.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.links) != 1 || strings.Join(s.ports, " ") != "8888 9999" {
		t.Errorf("%d connections to the API server, to ports %v; want one, to 8888 and 9999", len(s.links), s.ports)
	}
}

func TestWhatTheKubeletSaysOfAPortIsTheErrorOfTheFirstRead(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	s.refuse = "connection refused inside of the pod"
	d, err := ToPod(t.Context(), s.cluster(t), "ns", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	if _, err := d.Client(8888).Get("http://notebook/api"); err == nil || !strings.Contains(err.Error(), "ns/a") || !strings.Contains(err.Error(), s.refuse) {
		t.Errorf("got %v", err)
	}
}

func TestWhoMayNotForwardIsTold(t *testing.T) {
	s := newServer(t, pod("a", corev1.ConditionTrue))
	s.forbid = true
	if _, err := ToPod(t.Context(), s.cluster(t), "ns", "a"); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "Pod ns/a") {
		t.Errorf("got %v", err)
	}
}
