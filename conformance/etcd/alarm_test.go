package etcd

import "go.etcd.io/etcd/api/v3/etcdserverpb"

func activateNoSpace() *etcdserverpb.AlarmRequest {
	return &etcdserverpb.AlarmRequest{Action: etcdserverpb.AlarmRequest_ACTIVATE, Alarm: etcdserverpb.AlarmType_NOSPACE}
}
