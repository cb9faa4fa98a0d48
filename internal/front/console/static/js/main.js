// The frame around the pages: navigation, keys, and which page is where.
import { h, show } from './dom.js'
import * as keys from './keys.js'
import { jump } from './jump.js'
import * as router from './router.js'
import { overview } from './pages/overview.js'
import { topics } from './pages/topics.js'
import { topic } from './pages/topic.js'
import { queues } from './pages/queues.js'
import { queue } from './pages/queue.js'
import { groups } from './pages/groups.js'
import { group } from './pages/group.js'
import { triggers } from './pages/triggers.js'
import { trigger } from './pages/trigger.js'
import { connections } from './pages/connections.js'
import { settings } from './pages/settings.js'
import { cluster } from './pages/cluster.js'
import * as api from './api.js'

const places = ['Overview', 'Topics', 'Queues', 'Groups', 'Triggers', 'Connections', 'Settings']
let shown // the place where the user is

function navigation(here) {
  shown = here
  const item = name => {
    const path = name === 'Overview' ? '' : name.toLowerCase()
    return h('a', { href: '#/' + path, 'aria-current': path === here ? 'page' : null }, name)
  }
  const logo = h('img', { src: 'icon.svg', alt: '', width: '22', height: '22' })
  show(document.getElementById('side'),
    h('a', { class: 'brand', href: '#/' }, logo, 'Naru'),
    h('nav', { 'aria-label': 'Pages' }, places.map(item)),
    h('div', { class: 'tools' },
      h('button', { type: 'button', onclick: jump, title: 'Ctrl K' }, 'Go to', h('kbd', {}, '⌃K')),
      h('button', { type: 'button', onclick: () => window.switchTheme(), title: 't' }, 'Light or dark', h('kbd', {}, 't')),
      h('button', { type: 'button', onclick: keys.help, title: '?' }, 'Keys', h('kbd', {}, '?'))))
}

keys.start()
router.start({
  '': overview, topics, 'topics/:topic': topic, queues, 'queues/:queue': queue, groups, 'groups/:group': group,
  triggers, 'triggers/:trigger': trigger, connections, settings, cluster,
}, navigation)

// A server that is alone has no page for its cluster.
api.cluster({}).then(c => {
  if (!c.clustered) return
  places.splice(places.indexOf('Connections'), 0, 'Cluster')
  navigation(shown)
}, () => {})
