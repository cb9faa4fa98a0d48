// Settings of the server, and where each comes from.
import { h } from '../dom.js'
import * as api from '../api.js'
import { empty, heading, search, table, tag } from '../parts.js'

export function settings(page) {
  page.title('Settings')
  let all, filter = page.query.get('filter') ?? ''
  const draw = () => all && page.show(
    heading('Settings', { note: 'A flag comes before the environment, that before the configuration file, that before the default.' }),
    h('div', { class: 'toolbar', key: 'toolbar' }, search('Filter settings', filter, v => { filter = v; draw() })),
    list(all.filter(s => `${s.name} ${s.help}`.toLowerCase().includes(filter.toLowerCase()))))
  page.poll(10000, async () => {
    all = await api.settings(page)
    draw()
  })
}

function list(shown) {
  if (!shown.length) return empty('No setting fits.')
  return table([
    ['Setting', s => [h('code', {}, `--${s.name}`), s.overridden && tag('given')], 'nowrap'],
    ['Value', s => h('code', { class: 'cut' }, s.value || '–')],
    ['Meaning', s => s.help, 'wide'],
  ], shown, { key: s => s.name, label: 'Settings' })
}
