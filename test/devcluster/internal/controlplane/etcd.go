package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	etcdClientPort = 2379
	etcdPeerPort   = 2380
	etcdTimeout    = 30 * time.Second
)

func etcdURL(port int) string { return fmt.Sprintf("http://%s:%d", loopback, port) }

func startEtcd(ctx context.Context, dir string) error {
	cfg := embed.NewConfig()
	cfg.Dir = dir
	client, err := url.Parse(etcdURL(etcdClientPort))
	if err != nil {
		return err
	}
	peer, err := url.Parse(etcdURL(etcdPeerPort))
	if err != nil {
		return err
	}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.LogLevel = "error"
	// Every bed starts empty, so nothing is lost with the machine: do not wait
	// for the disk.
	cfg.UnsafeNoFsync = true
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return err
	}
	select {
	case <-e.Server.ReadyNotify():
		return nil
	case err := <-e.Err():
		return err
	case <-ctx.Done():
		e.Close()
		return ctx.Err()
	case <-time.After(etcdTimeout):
		e.Close()
		return errors.New("not ready after 30 s")
	}
}
