package pods

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// tokenSeconds is the life of a pod's token, one day. A kubelet renews it
// within the hour; beds do not live long enough for that to matter.
const tokenSeconds = 24 * 60 * 60

// serviceAccount returns a configuration with which the pod acts: a token of
// its ServiceAccount that is bound to it, so that its real rights are tested.
func (m *Manager) serviceAccount(ctx context.Context, p *corev1.Pod) (*rest.Config, error) {
	seconds := int64(tokenSeconds)
	name := p.Spec.ServiceAccountName
	t, err := m.client.CoreV1().ServiceAccounts(p.Namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			ExpirationSeconds: &seconds,
			BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("token of ServiceAccount %s/%s: %w", p.Namespace, name, err)
	}
	c := rest.AnonymousClientConfig(m.Config)
	c.BearerToken = t.Status.Token
	c.QPS = -1
	return c, nil
}

// File returns what the container would read at a path that a Secret or a
// ConfigMap is mounted at.
func (c *Container) File(ctx context.Context, file string) ([]byte, error) {
	for _, m := range c.Spec.VolumeMounts {
		rel, ok := strings.CutPrefix(file, strings.TrimSuffix(m.MountPath, "/"))
		if !ok || rel != "" && !strings.HasPrefix(rel, "/") {
			continue
		}
		k := strings.TrimPrefix(rel, "/")
		if m.SubPath != "" {
			k = m.SubPath
		}
		for _, v := range c.Pod.Spec.Volumes {
			if v.Name != m.Name {
				continue
			}
			return c.volumeFile(ctx, v, k)
		}
	}
	return nil, fmt.Errorf("file %s of container %s in pod %s/%s: no Secret or ConfigMap is mounted there",
		file, c.Spec.Name, c.Pod.Namespace, c.Pod.Name)
}

func (c *Container) volumeFile(ctx context.Context, v corev1.Volume, file string) ([]byte, error) {
	keyOf := func(items []corev1.KeyToPath) string {
		for _, i := range items {
			if i.Path == file {
				return i.Key
			}
		}
		return file
	}
	switch {
	case v.Secret != nil:
		s, err := c.Admin.CoreV1().Secrets(c.Pod.Namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if b, ok := s.Data[keyOf(v.Secret.Items)]; ok {
			return b, nil
		}
		return nil, fmt.Errorf("secret %s/%s has no key %q", c.Pod.Namespace, s.Name, file)
	case v.ConfigMap != nil:
		m, err := c.Admin.CoreV1().ConfigMaps(c.Pod.Namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if s, ok := m.Data[keyOf(v.ConfigMap.Items)]; ok {
			return []byte(s), nil
		}
		return nil, fmt.Errorf("configmap %s/%s has no key %q", c.Pod.Namespace, m.Name, file)
	}
	return nil, fmt.Errorf("volume %s of pod %s/%s: neither a Secret nor a ConfigMap", v.Name, c.Pod.Namespace, c.Pod.Name)
}

// Env returns the container's environment, with the values that fields,
// Secrets and ConfigMaps give.
func (c *Container) Env(ctx context.Context) (map[string]string, error) {
	env := map[string]string{}
	ns := c.Pod.Namespace
	for _, from := range c.Spec.EnvFrom {
		switch {
		case from.ConfigMapRef != nil:
			m, err := c.Admin.CoreV1().ConfigMaps(ns).Get(ctx, from.ConfigMapRef.Name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			for k, v := range m.Data {
				env[from.Prefix+k] = v
			}
		case from.SecretRef != nil:
			s, err := c.Admin.CoreV1().Secrets(ns).Get(ctx, from.SecretRef.Name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			for k, v := range s.Data {
				env[from.Prefix+k] = string(v)
			}
		}
	}
	for _, e := range c.Spec.Env {
		v := e.Value
		if f := e.ValueFrom; f != nil {
			var err error
			if v, err = c.envValue(ctx, f); err != nil {
				return nil, fmt.Errorf("variable %s of container %s in pod %s/%s: %w", e.Name, c.Spec.Name, ns, c.Pod.Name, err)
			}
		}
		env[e.Name] = Expand(v, env)
	}
	return env, nil
}

func (c *Container) envValue(ctx context.Context, f *corev1.EnvVarSource) (string, error) {
	ns := c.Pod.Namespace
	optional := func(o *bool) bool { return o != nil && *o }
	switch {
	case f.FieldRef != nil:
		switch f.FieldRef.FieldPath {
		case "metadata.name":
			return c.Pod.Name, nil
		case "metadata.namespace":
			return ns, nil
		case "spec.nodeName":
			return c.Pod.Spec.NodeName, nil
		case "spec.serviceAccountName":
			return c.Pod.Spec.ServiceAccountName, nil
		case "status.podIP":
			return c.IP, nil
		case "status.hostIP":
			return c.Pod.Status.HostIP, nil
		}
		return "", nil
	case f.SecretKeyRef != nil:
		s, err := c.Admin.CoreV1().Secrets(ns).Get(ctx, f.SecretKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			if optional(f.SecretKeyRef.Optional) {
				return "", nil
			}
			return "", err
		}
		return string(s.Data[f.SecretKeyRef.Key]), nil
	case f.ConfigMapKeyRef != nil:
		m, err := c.Admin.CoreV1().ConfigMaps(ns).Get(ctx, f.ConfigMapKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			if optional(f.ConfigMapKeyRef.Optional) {
				return "", nil
			}
			return "", err
		}
		return m.Data[f.ConfigMapKeyRef.Key], nil
	}
	return "", nil
}

// Args returns the container's command and arguments with $(NAME) replaced.
func (c *Container) Args(env map[string]string) []string {
	var all []string
	for _, a := range append(append([]string{}, c.Spec.Command...), c.Spec.Args...) {
		all = append(all, Expand(a, env))
	}
	return all
}

// Expand replaces $(NAME) by its value; unknown names stay, $$ is a $.
func Expand(s string, env map[string]string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 >= len(s) {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i:]
		switch end := strings.IndexByte(s, ')'); {
		case s[1] == '$':
			b.WriteByte('$')
			s = s[2:]
		case s[1] == '(' && end > 0:
			if v, ok := env[s[2:end]]; ok {
				b.WriteString(v)
			} else {
				b.WriteString(s[:end+1])
			}
			s = s[end+1:]
		default:
			b.WriteByte('$')
			s = s[1:]
		}
	}
}
