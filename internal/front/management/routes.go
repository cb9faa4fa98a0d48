package management

import "net/http"

func get(who access, do handler) map[string]operation {
	return map[string]operation{http.MethodGet: {who, do}}
}

// and adds a method to those of a path.
func and(methods map[string]operation, method string, who access, do handler) map[string]operation {
	methods[method] = operation{who, do}
	return methods
}

const (
	put  = http.MethodPut
	post = http.MethodPost
	del  = http.MethodDelete
)

// routes are all that is served. docs/amqp.md repeats them; a test holds it.
func routes() []route {
	nothing := func(c *call) (reply, error) { return c.list(nil) }
	list := []route{
		at("overview", get(managing, overview)),
		at("nodes", get(monitoring, nodes)),
		at("nodes/{node}", get(monitoring, node)),
		at("cluster-name", get(managing, clusterName)),
		at("whoami", get(managing, whoami)),
		at("auth", get(managing, auth)),
		at("extensions", get(managing, nothing)),
		at("feature-flags", get(managing, nothing)),

		at("connections", get(managing, connections)),
		at("connections/{connection}", and(get(managing, connection), del, managing, closeConnection)),
		at("connections/{connection}/channels", get(managing, connectionChannels)),
		at("vhosts/{vhost}/connections", get(managing, connections)),
		at("channels", get(managing, channels)),
		at("channels/{channel}", get(managing, channel)),
		at("vhosts/{vhost}/channels", get(managing, channels)),
		at("consumers", get(managing, consumers)),
		at("consumers/{vhost}", get(managing, consumers)),

		at("vhosts", get(managing, vhosts)),
		at("vhosts/{vhost}", and(and(get(managing, vhost), put, administrating, putVHost), del, administrating, deleteVHost)),
		at("vhosts/{vhost}/permissions", get(administrating, vhostPermissions)),
		at("vhosts/{vhost}/topic-permissions", get(administrating, vhostTopicPermissions)),

		at("users", get(administrating, users)),
		at("users/{user}", and(and(get(administrating, oneUser), put, administrating, putUser), del, administrating, deleteUser)),
		at("users/{user}/permissions", get(administrating, userPermissions)),
		at("users/{user}/topic-permissions", get(administrating, userTopicPermissions)),
		at("permissions", get(administrating, permissions)),
		at("permissions/{vhost}/{user}", and(and(get(administrating, permission), put, administrating, putPermission), del, administrating, deletePermission)),
		at("topic-permissions", get(administrating, topicPermissions)),
		at("topic-permissions/{vhost}/{user}",
			and(and(get(administrating, topicPermission), put, administrating, putTopicPermission), del, administrating, deleteTopicPermission)),

		at("aliveness-test/{vhost}", get(managing, aliveness)),
		at("definitions", and(get(administrating, definitions), post, administrating, importDefinitions)),
		at("definitions/{vhost}", and(get(administrating, definitions), post, administrating, importDefinitions)),
	}
	for _, path := range []string{
		"policies", "policies/{vhost}", "operator-policies", "operator-policies/{vhost}", "parameters", "parameters/{component}",
		"parameters/{component}/{vhost}", "global-parameters", "vhost-limits", "vhost-limits/{vhost}", "user-limits",
	} {
		list = append(list, at(path, get(managing, nothing)))
	}
	for _, path := range []string{
		"policies/{vhost}/{name}", "operator-policies/{vhost}/{name}", "parameters/{component}/{vhost}/{name}", "global-parameters/{name}",
		"vhost-limits/{vhost}/{name}", "user-limits/{user}/{name}",
	} {
		missing := func(*call) (reply, error) { return reply{}, errNotFound }
		list = append(list, at(path, and(and(get(managing, missing), put, managing, notKept), del, managing, missing)))
	}
	return append(append(list, topologyRoutes()...), healthRoutes()...)
}

func topologyRoutes() []route {
	return []route{
		at("queues", get(managing, queues)),
		at("queues/{vhost}", get(managing, queues)),
		at("queues/{vhost}/{queue}", and(and(get(managing, queue), put, managing, putQueue), del, managing, deleteQueue)),
		at("queues/{vhost}/{queue}/bindings", get(managing, queueBindings)),
		at("queues/{vhost}/{queue}/contents", map[string]operation{del: {managing, purgeQueue}}),
		at("queues/{vhost}/{queue}/get", map[string]operation{post: {managing, getMessages}}),

		at("exchanges", get(managing, exchanges)),
		at("exchanges/{vhost}", get(managing, exchanges)),
		at("exchanges/{vhost}/{exchange}", and(and(get(managing, oneExchange), put, managing, putExchange), del, managing, deleteExchange)),
		at("exchanges/{vhost}/{exchange}/publish", map[string]operation{post: {managing, publish}}),
		at("exchanges/{vhost}/{exchange}/bindings/source", get(managing, bindingsFrom)),
		at("exchanges/{vhost}/{exchange}/bindings/destination", get(managing, bindingsTo)),

		at("bindings", get(managing, bindings)),
		at("bindings/{vhost}", get(managing, bindings)),
		at("bindings/{vhost}/e/{source}/q/{queue}", and(get(managing, bindingsBetween), post, managing, bind)),
		at("bindings/{vhost}/e/{source}/e/{exchange}", and(get(managing, bindingsBetween), post, managing, bind)),
		at("bindings/{vhost}/e/{source}/q/{queue}/{props}", and(get(managing, binding), del, managing, unbind)),
		at("bindings/{vhost}/e/{source}/e/{exchange}/{props}", and(get(managing, binding), del, managing, unbind)),
	}
}

func healthRoutes() []route {
	const checks = "health/checks/"
	return []route{
		at("healthchecks/node", get(managing, alarms)),
		at("healthchecks/node/{node}", get(managing, alarms)),
		at(checks+"alarms", get(managing, alarms)),
		at(checks+"local-alarms", get(managing, alarms)),
		at(checks+"is-in-service", get(managing, inService)),
		at(checks+"ready-to-serve-clients", get(managing, inService)),
		at(checks+"virtual-hosts", get(managing, well)),
		at(checks+"certificate-expiration/{within}/{unit}", get(managing, well)),
		at(checks+"node-is-mirror-sync-critical", get(managing, single)),
		at(checks+"node-is-quorum-critical", get(managing, single)),
		at(checks+"port-listener/{port}", get(managing, portListener)),
		at(checks+"protocol-listener/{protocol}", get(managing, protocolListener)),
	}
}

// notKept refuses what Naru does not do, rather than to take it and forget it.
func notKept(*call) (reply, error) {
	return reply{}, &problem{http.StatusNotImplemented, "not_implemented", "policies, parameters and limits are not kept here: give queues arguments"}
}
