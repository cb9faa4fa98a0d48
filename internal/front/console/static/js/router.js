// Pages by the hash of the address: #/topics/orders?from=latest.
import { h, show } from './dom.js'
import { inWords } from './api.js'

const main = document.getElementById('main')
let current

// Page is what a page works with while it is open: its parameters, drawing, polling
// and an end. Everything stops when the user leaves.
class Page {
  constructor(params, query) {
    Object.assign(this, { params, query, ended: new AbortController(), timers: new Set(), leaving: [], refreshers: [] })
    this.signal = this.ended.signal
  }

  // title is the document's; the page draws its own heading.
  title(text) {
    this.name = text
    document.title = `${text} · Naru`
  }

  show(...children) {
    if (this.signal.aborted) return
    this.drawn = children
    const banner = this.problem && h('div', { class: 'banner', role: 'alert', key: 'banner' }, this.problem)
    show(main, banner, h('div', { class: 'page', key: 'page' }, ...children))
  }

  // poll calls load now and again and again, with pauses of some milliseconds,
  // while the page is open and the window is visible.
  poll(pause, load) {
    const again = async () => {
      if (this.signal.aborted) return
      if (!document.hidden) await this.attempt(load)
      if (this.signal.aborted) return
      const timer = setTimeout(() => { this.timers.delete(timer); again() }, pause)
      this.timers.add(timer)
    }
    this.refreshers.push(load)
    return again()
  }

  // attempt runs load and says above the page why it failed, until it works again.
  async attempt(load) {
    try {
      await load()
      if (this.problem) this.report(undefined)
    } catch (e) {
      if (e.name !== 'AbortError') this.report(e)
    }
  }

  report(error) {
    if (this.signal.aborted) return
    this.problem = error && inWords(error)
    if (error && !error.code) console.error(error)
    this.show(...(this.drawn ?? [h('h1', {}, this.name)]))
  }

  // refresh loads at once what is polled, after something was done.
  async refresh() {
    for (const load of this.refreshers) await this.attempt(load)
  }

  onLeave(end) { this.leaving.push(end) }

  leave() {
    this.ended.abort()
    for (const timer of this.timers) clearTimeout(timer)
    for (const end of this.leaving) end()
  }
}

export const link = (...parts) => '#/' + parts.map(encodeURIComponent).join('/')

export function go(hash) { location.hash = hash }

function parse() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?')
  const parts = path.split('/').filter(Boolean)
  try {
    return [parts.map(decodeURIComponent), new URLSearchParams(query)]
  } catch {
    return [['nosuch'], new URLSearchParams()]
  }
}

// start opens pages from a table of patterns, such as "topics/:topic", and calls
// moved with the first part of the path after each change.
export function start(table, moved) {
  const open = () => {
    const [parts, query] = parse()
    current?.leave()
    show(main)
    for (const [pattern, page] of Object.entries(table)) {
      const params = fit(pattern.split('/').filter(Boolean), parts)
      if (!params) continue
      current = new Page(params, query)
      moved(parts[0] ?? '')
      page(current)
      scrollTo(0, 0)
      return
    }
    current = new Page({}, query)
    moved('')
    current.title('Not found')
    current.show(h('h1', {}, 'Not found'), h('p', {}, 'There is no such page. ', h('a', { href: '#/' }, 'To the overview')))
  }
  addEventListener('hashchange', open)
  open()
}

function fit(pattern, parts) {
  if (pattern.length !== parts.length) return undefined
  const params = {}
  for (const [i, p] of pattern.entries()) {
    if (p.startsWith(':')) params[p.slice(1)] = parts[i]
    else if (p !== parts[i]) return undefined
  }
  return params
}

export const refresh = () => current?.refresh()
