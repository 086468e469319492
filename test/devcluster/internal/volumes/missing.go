package volumes

import corev1 "k8s.io/api/core/v1"

// Missing returns what a pod still waits for before its containers can
// start, "" when nothing. exists says what is wrong with a secret, configmap
// or claim, "" when nothing is.
func Missing(p *corev1.Pod, exists func(kind, namespace, name string) string) string {
	check := func(kind, name string, optional *bool) string {
		if name == "" || optional != nil && *optional {
			return ""
		}
		return exists(kind, p.Namespace, name)
	}
	for _, v := range p.Spec.Volumes {
		var m string
		switch {
		case v.Secret != nil:
			m = check("secret", v.Secret.SecretName, v.Secret.Optional)
		case v.ConfigMap != nil:
			m = check("configmap", v.ConfigMap.Name, v.ConfigMap.Optional)
		case v.PersistentVolumeClaim != nil:
			m = check("claim", v.PersistentVolumeClaim.ClaimName, nil)
		case v.Ephemeral != nil:
			m = check("claim", p.Name+"-"+v.Name, nil)
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				if s.Secret != nil {
					m = check("secret", s.Secret.Name, s.Secret.Optional)
				}
				if s.ConfigMap != nil && m == "" {
					m = check("configmap", s.ConfigMap.Name, s.ConfigMap.Optional)
				}
				if m != "" {
					break
				}
			}
		}
		if m != "" {
			return m
		}
	}
	for _, c := range append(append([]corev1.Container{}, p.Spec.InitContainers...), p.Spec.Containers...) {
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				if m := check("secret", e.SecretRef.Name, e.SecretRef.Optional); m != "" {
					return m
				}
			}
			if e.ConfigMapRef != nil {
				if m := check("configmap", e.ConfigMapRef.Name, e.ConfigMapRef.Optional); m != "" {
					return m
				}
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom == nil {
				continue
			}
			if r := e.ValueFrom.SecretKeyRef; r != nil {
				if m := check("secret", r.Name, r.Optional); m != "" {
					return m
				}
			}
			if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
				if m := check("configmap", r.Name, r.Optional); m != "" {
					return m
				}
			}
		}
	}
	return ""
}
